import {
  decide,
  capacityGate,
  gateKey,
  isFinalStatus,
  lastSight,
  type ContainerGroupCommand,
  type ContainerGroupEvent,
  type ContainerGroupState,
  type GroupSnapshot,
} from '#libs/domain';
import type { EciClient } from '#libs/eci';
import { isTrouble, type EventStore, type GateQueue } from '#libs/event-store';
import type { AsideItems, Logger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { aliasOf } from '../streams/alias.ts';
import { UndecidableStream } from '../streams/plan-append.ts';
import type { SetAside } from '../streams/set-aside.ts';
import type { StreamCommands } from '../streams/stream-commands.ts';
import type { ObserveMetrics } from './metrics.ts';
import type { Scope } from './ports.ts';
import { currentStatus, isLate, knewOf, merged, textOf, type Sight, type Sights } from './sights.ts';

/** Why a group ended is in its details only; for so long its end waits for them. Shorter than the shortest window of a sweep. */
const END_WAITS_MS = 30_000;
/** Between two full inventories of a place. */
export const INVENTORY_EVERY_MS = 300_000;

export interface ApplyParts {
  readonly scope: Scope;
  readonly client: EciClient;
  readonly store: EventStore;
  readonly streams: StreamCommands;
  readonly gates: Pick<GateQueue, 'report'>;
  readonly sights: Sights;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: ObserveMetrics;
  /** Groups whose stream could not take what was seen. */
  readonly aside: SetAside<GroupSnapshot>;
  /** Groups and streams that the inventories and the search for streams had to pass over. */
  readonly passedOver: AsideItems;
}

const ACTOR = 'control-plane:observe';

/** Turns what was seen of groups into events of their streams: only differences are decided on, and only differences become events. */
export class ApplySights {
  private readonly parts: ApplyParts;

  constructor(parts: ApplyParts) {
    this.parts = parts;
  }

  /** What was set aside, and is due again. */
  async again(): Promise<void> {
    const due = this.parts.aside.due();
    if (due.length > 0) await this.observe(due);
  }

  /** Finds the streams of groups; returns the ids that no stream has. */
  async resolve(ids: readonly string[]): Promise<readonly string[]> {
    const { scope, store, sights, clock } = this.parts;
    const unknown = ids.filter((id) => !sights.get(id));
    if (unknown.length === 0) return [];
    const aliasFor = (id: string): string => aliasOf(scope.accountId, scope.region, id);
    const found = await store.findByAlias(unknown.map(aliasFor));
    const known = unknown.filter((id) => found.has(aliasFor(id)));
    const states = await this.states(known.map((id) => found.get(aliasFor(id)) as string));
    for (const id of known) {
      const streamId = found.get(aliasFor(id)) as string;
      const state = states.get(streamId);
      if (!state) continue;
      sights.meet(id, streamId, clock.now());
      sights.learn(id, state, clock.now());
    }
    return unknown.filter((id) => !found.has(aliasFor(id)));
  }

  /** Answers of the status action. Those back that have no stream, and whether all others were taken, so that they need not be shown again. */
  async byStatus(
    snapshots: readonly GroupSnapshot[],
  ): Promise<{ readonly strangers: readonly string[]; readonly taken: boolean }> {
    const { sights, clock } = this.parts;
    const strangers = await this.resolve(snapshots.map((snapshot) => snapshot.containerGroupId));
    const plain: GroupSnapshot[] = [];
    const wanting: GroupSnapshot[] = [];
    for (const snapshot of snapshots) {
      const sight = sights.get(snapshot.containerGroupId);
      if (!sight || isLate(snapshot, sight.byStatus?.asked)) continue;
      sight.seenAt = clock.now();
      sight.byStatus = snapshot;
      const text = textOf(snapshot);
      if (sight.byStatusText === text && sight.byStatusHeld === sight.held.version) continue;
      if (!sight.open) {
        sight.byStatusText = text;
        sight.byStatusHeld = sight.held.version;
        sight.status = snapshot.status;
        continue;
      }
      const started = snapshot.status !== 'Scheduling';
      const needsDetails = (!sight.landed && started) || sight.hasInitContainers || isFinalStatus(snapshot.status);
      (needsDetails ? wanting : plain).push(snapshot);
    }
    const { found: detailed } = await this.read(wanting.map((snapshot) => snapshot.containerGroupId));
    const seen = [...plain, ...wanting.filter((snapshot) => !this.mustWait(snapshot, detailed))];
    // What could not be read in detail is applied as far as it is known; the details follow with the reads of groups not landed, or the inventory.
    const overtaken = await this.observe(
      seen.map((snapshot) => {
        const sight = sights.get(snapshot.containerGroupId);
        const details = detailed.get(snapshot.containerGroupId);
        const isOld = isFinalStatus(snapshot.status) && details?.status !== snapshot.status;
        // Together they are as old as the older of them.
        return details && sight && !isOld && takeDetails(details, sight)
          ? { ...merged(details, snapshot), ...(snapshot.asked !== undefined && { asked: snapshot.asked }) }
          : snapshot;
      }),
    );
    // Only now: a change whose append failed is a change still.
    for (const snapshot of seen) {
      const sight = sights.get(snapshot.containerGroupId);
      if (!sight) continue;
      const taken = !overtaken.has(snapshot.containerGroupId);
      sight.byStatusText = taken ? textOf(snapshot) : undefined;
      sight.byStatusHeld = taken ? sight.held.version : undefined;
    }
    return { strangers, taken: overtaken.size === 0 };
  }

  /** An end whose details could not be read, or are from before it: the next sweep shows it again. */
  private mustWait({ containerGroupId, status }: GroupSnapshot, detailed: ReadonlyMap<string, GroupSnapshot>): boolean {
    const sight = this.parts.sights.get(containerGroupId);
    if (!sight || !isFinalStatus(status) || detailed.get(containerGroupId)?.status === status) return false;
    const now = this.parts.clock.now();
    sight.endSeenAt ??= now;
    return Math.abs(now - sight.endSeenAt) < END_WAITS_MS;
  }

  /** Answers with details, of groups whose streams are known. */
  async byDetails(snapshots: readonly GroupSnapshot[]): Promise<void> {
    const { sights } = this.parts;
    const changed = snapshots.filter((snapshot) => {
      const sight = sights.get(snapshot.containerGroupId);
      return sight?.open && takeDetails(snapshot, sight) && sight.byDetailsText !== textOf(snapshot);
    });
    const whole = changed.map((snapshot) => {
      const sight = sights.get(snapshot.containerGroupId);
      const byStatus = sight && currentStatus(sight);
      return { snapshot, isCompleted: byStatus !== undefined, all: merged(snapshot, byStatus) };
    });
    const overtaken = await this.observe(whole.map(({ all }) => all));
    for (const { snapshot, isCompleted } of whole) {
      const sight = sights.get(snapshot.containerGroupId);
      if (!sight) continue;
      const taken = !overtaken.has(snapshot.containerGroupId);
      sight.byDetailsText = taken ? textOf(snapshot) : undefined;
      if (taken && isCompleted) sight.byStatusHeld = sight.held.version;
    }
  }

  /** Details by id; those that could not be read are missing, and the cloud may have refused to answer (`answered` false): read them another time. */
  async read(
    ids: readonly string[],
  ): Promise<{ readonly found: ReadonlyMap<string, GroupSnapshot>; readonly answered: boolean }> {
    const answer = await this.parts.client.describe(ids);
    const answered = answer.kind === 'done';
    const groups = answered ? answer.value : (answer.found ?? []);
    return { found: new Map(groups.map(({ snapshot }) => [snapshot.containerGroupId, snapshot])), answered };
  }

  /** Decides and appends; concurrent appends share transactions. Returns the groups of which the stream holds a sight that may be newer. */
  async observe(snapshots: readonly GroupSnapshot[]): Promise<ReadonlySet<string>> {
    const { sights } = this.parts;
    const overtaken = new Set<string>();
    const ids = new Set(snapshots.flatMap(({ containerGroupId }) => sights.get(containerGroupId)?.streamId ?? []));
    const states = await this.states([...ids]);
    await this.parts.aside.each(
      snapshots,
      ({ containerGroupId }) => containerGroupId,
      async (snapshot) => {
        const { containerGroupId } = snapshot;
        const sight = sights.get(containerGroupId);
        if (!sight) return;
        const command = { type: 'Observe', snapshot, knew: knewOf(snapshot, sight) } as const;
        const before = await this.execute(containerGroupId, sight.streamId, [command], states.get(sight.streamId));
        const isOvertaken = before !== undefined && wouldBeNews(command, before);
        if (isOvertaken) overtaken.add(containerGroupId);
        sight.status = isOvertaken ? undefined : snapshot.status;
      },
    );
    return overtaken;
  }

  /** One stream that cannot be read does not hide the others; it is missing. */
  async states(streamIds: readonly string[]): Promise<ReadonlyMap<string, ContainerGroupState>> {
    const { streams, passedOver } = this.parts;
    const { states, failed } = await streams.loadEach(streamIds);
    for (const streamId of states.keys()) passedOver.done(streamId);
    for (const [streamId, error] of failed) passedOver.put(streamId, error, INVENTORY_EVERY_MS);
    return states;
  }

  /** Work on one group, for rounds over many: when it fails the group is passed over until the next round. */
  async one(id: string, work: () => Promise<unknown>): Promise<void> {
    const { passedOver } = this.parts;
    try {
      await work();
      passedOver.done(id);
    } catch (error) {
      if (isTrouble(error)) throw error;
      passedOver.put(id, error, INVENTORY_EVERY_MS);
    }
  }

  /** Returns the state on which it was decided. */
  async execute(
    id: string,
    streamId: string,
    commands: readonly ContainerGroupCommand[],
    known?: ContainerGroupState,
  ): Promise<ContainerGroupState | undefined> {
    const { streams, sights, clock, metrics, logger, gates } = this.parts;
    try {
      const causationId = `seen:${id}`;
      const result = await streams.execute(streamId, commands, { actor: ACTOR, causationId, ...(known && { known }) });
      if (result.kind !== 'done') return undefined;
      sights.learn(id, result.after, clock.now(), result.events.length > 0);
      metrics.events.inc(result.events.length);
      metrics.twins.inc(result.events.filter(isOpenTwin).length);
      if (result.events.some((event) => event.type === 'SchedulingFailed'))
        await this.reportStockOut(result.before, gates);
      return result.before;
    } catch (error) {
      // A newer replica will see it.
      if (!(error instanceof UndecidableStream)) throw error;
      logger.warn('could not apply an observation', { streamId, error });
      return undefined;
    }
  }

  /** A stock-out after a 200 shuts the same gate as one that was said at once. */
  private async reportStockOut(
    { intent, attempt }: ContainerGroupState,
    gates: Pick<GateQueue, 'report'>,
  ): Promise<void> {
    if (!intent || !attempt) return;
    for (const spec of attempt.specs) {
      await gates.report(gateKey(capacityGate(intent.need, { spec, chargeType: attempt.chargeType })), 'refused');
    }
  }
}

const isOpenTwin = (event: ContainerGroupEvent): boolean =>
  event.type === 'OrphanFound' && !isFinalStatus(event.data.status);

/** It was left out because its stream holds another sight, and says something else. */
function wouldBeNews(
  command: Extract<ContainerGroupCommand, { type: 'Observe' }>,
  before: ContainerGroupState,
): boolean {
  const knew = lastSight(before, command.snapshot.containerGroupId);
  if (command.knew >= knew) return false;
  const decision = decide({ ...command, knew }, before, new Date(0).toISOString());
  return decision.accepted && decision.events.length > 0;
}

/** Whether they are the newest of the group. */
function takeDetails(details: GroupSnapshot, sight: Sight): boolean {
  if (isLate(details, sight.detailsAsked)) return false;
  sight.detailsAsked = details.asked;
  return true;
}
