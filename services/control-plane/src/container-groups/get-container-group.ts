import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import type { ContainerGroupState } from '#libs/domain';
import { EventStore } from '#libs/event-store';
import { notFound } from '../answers/refusal.ts';
import { DisplayKeys, HiddenView } from '../keys/display-keys.ts';
import { readableData } from '../streams/hidden-texts.ts';
import { containerGroupRow, reasonOf } from './container-group-row.ts';
import { containerGroupView, ContainerGroupView, withoutNulls } from './container-group-view.ts';
import { hides } from './event-view.ts';
import { StreamFinder } from './find-stream.ts';
import { stateOf } from '../streams/stored-events.ts';

const anything = z.record(z.string(), z.unknown());

export const ContainerGroupDetail = ContainerGroupView.extend({
  containers: z.array(anything),
  initContainers: z.array(anything),
  conditions: z.array(anything),
  /** What ECI reported. */
  cloudEvents: z.array(anything),
  /** The newest choice: where it may run, in the order of belief, and why. */
  placement: z
    .object({
      attempt: z.number().int(),
      outcome: z.string(),
      chosenAt: z.iso.datetime(),
      candidates: z.array(z.object({ vSwitchId: z.string(), zone: z.string().optional(), reason: z.string() })),
      specs: z.array(z.string()),
    })
    .optional(),
  /** What was tried since the last success, and why it failed. */
  failures: z.array(anything),
  parked: z.object({ since: z.iso.datetime(), gate: anything }).optional(),
  /** What becomes of texts of its containers, and of the cloud on them. Absent: there are none, or they are kept for ever. */
  hidden: HiddenView.optional(),
  /** Its stop waits for an operator, or was denied by one; the containers run on. */
  held: z
    .object({
      hold: z.string(),
      since: z.iso.datetime(),
      reason: z.string(),
      disruption: z.string().optional(),
      denied: z.object({ at: z.iso.datetime(), by: z.string(), reason: z.string().optional() }).optional(),
    })
    .optional(),
}).meta({ id: 'ContainerGroupDetail' });
export type ContainerGroupDetail = z.infer<typeof ContainerGroupDetail>;

/** How is this container group? Folded from its stream at this moment, so it never lags. */
export class GetContainerGroup extends Query<ContainerGroupDetail> {
  readonly id: string;

  constructor(id: string) {
    super();
    this.id = id;
  }
}

@QueryHandler(GetContainerGroup)
export class GetContainerGroupHandler implements IQueryHandler<GetContainerGroup> {
  constructor(
    private readonly store: EventStore,
    private readonly finder: StreamFinder,
    private readonly displayKeys: DisplayKeys,
  ) {}

  async execute({ id }: GetContainerGroup): Promise<ContainerGroupDetail> {
    const streamId = await this.finder.find(id);
    const events = (await this.store.loadMany([streamId])).get(streamId);
    if (!events) throw notFound(`there is no container group ${streamId}`);
    const hidden = events.some(hides) ? await this.displayKeys.of(streamId) : undefined;
    // A process remembers for a while what it has opened.
    const shown = hidden && !hidden.shown ? events.map((event) => ({ ...event, data: readableData(event) })) : events;
    const state = stateOf(shown);
    const { message } = reasonOf(state);
    return {
      ...containerGroupView(containerGroupRow(events)),
      ...detailsOf(state),
      ...(message !== null && { message }),
      ...(hidden && { hidden }),
    };
  }
}

function detailsOf({
  group,
  attempt,
  failures,
  parked,
  held,
}: ContainerGroupState): Omit<ContainerGroupDetail, keyof ContainerGroupView | 'hidden'> {
  const records = (items: readonly object[] | undefined): Record<string, unknown>[] =>
    (items ?? []).map((item) => ({ ...item }));
  return {
    containers: records(group?.containers),
    initContainers: records(group?.initContainers),
    conditions: records(group?.conditions),
    cloudEvents: records(group?.cloudEvents),
    failures: records(failures),
    ...(attempt === undefined
      ? {}
      : {
          placement: {
            attempt: attempt.number,
            outcome: attempt.outcome,
            chosenAt: attempt.chosenAt,
            candidates: attempt.candidates.map(
              (c) =>
                withoutNulls({ vSwitchId: c.vSwitchId, zone: c.zone, reason: c.reason }) as {
                  vSwitchId: string;
                  reason: string;
                },
            ),
            specs: [...attempt.specs],
          },
        }),
    ...(parked === undefined ? {} : { parked: { since: parked.since, gate: { ...parked.gate } } }),
    ...(held === undefined
      ? {}
      : {
          held: {
            hold: held.hold,
            since: held.since,
            reason: held.reason,
            ...(held.disruption === undefined ? {} : { disruption: held.disruption }),
            ...(held.denied === undefined ? {} : { denied: held.denied }),
          },
        }),
  };
}
