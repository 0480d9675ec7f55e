import {
  decideOrphan,
  evolveOrphan,
  foldOrphan,
  initialOrphan,
  orphanStreamId,
  removalWorkOf,
  type OrphanCommand,
  type OrphanEvent,
  type OrphanId,
  type OrphanState,
} from '#libs/domain';
import type { EffectChange, EventStore, JsonObject, RecordedEvent, StreamAppend } from '#libs/event-store';
import type { Clock, Ids } from '#libs/runtime';
import { laneName } from '../streams/lanes.ts';
import { EVENT_SCHEMA_VERSION, orphanEvent } from '../streams/stored-events.ts';
import { StreamBusy } from '../streams/stream-commands.ts';

/** Kind of the row of work that removes an orphan; its key is the container group id. */
export const REMOVE_ORPHAN = 'RemoveOrphan';
/** Orphans of a lane share one turn among its clusters, so that removing many keeps no pod's delete waiting. */
const TENANT = 'orphans';
const TRIES = 10;

export interface OrphanCause {
  /** `operator:<name>`, `control-plane:<role>`. */
  readonly actor: string;
  readonly causationId?: string;
  /** Refused unless the orphan is in this phase when the events are appended. */
  readonly onlyIn?: OrphanState['phase'];
  /** The work that this settles; its row ends with the append, unless it is put again. */
  readonly claim?: NonNullable<StreamAppend['claim']>;
}

export type OrphanExecuted =
  | { readonly kind: 'done'; readonly events: readonly OrphanEvent[]; readonly after: OrphanState }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'claim-lost' };

/** Loads the stream of an orphan, decides, appends with the work that follows; again from the top when somebody else was faster. */
export class OrphanStreams {
  private readonly store: EventStore;
  private readonly clock: Clock;
  private readonly ids: Ids;

  constructor(parts: { readonly store: EventStore; readonly clock: Clock; readonly ids: Ids }) {
    this.store = parts.store;
    this.clock = parts.clock;
    this.ids = parts.ids;
  }

  async load(id: OrphanId): Promise<OrphanState> {
    const streamId = orphanStreamId(id);
    return stateOf((await this.store.loadMany([streamId])).get(streamId));
  }

  /** `command` undefined: only the claim is settled. Throws StreamBusy after ten lost races. */
  async execute(id: OrphanId, command: OrphanCommand | undefined, cause: OrphanCause): Promise<OrphanExecuted> {
    for (let round = 1; round <= TRIES; round++) {
      const before = await this.load(id);
      if (cause.onlyIn !== undefined && before.phase !== cause.onlyIn)
        return {
          kind: 'refused',
          code: 'PhaseChanged',
          message: `it was ${cause.onlyIn}, and is ${before.phase} by now`,
        };
      const decision = command
        ? decideOrphan(command, before, new Date(this.clock.now()).toISOString())
        : ({ accepted: true, events: [] } as const);
      if (!decision.accepted) return { kind: 'refused', code: decision.code, message: decision.message };
      const { events } = decision;
      const after = events.reduce(evolveOrphan, before);
      if (events.length === 0 && !cause.claim) return { kind: 'done', events, after };
      const [result] = await this.store.append([this.plan(id, before, events, cause)]);
      if (result?.ok) return { kind: 'done', events, after };
      if (result?.reason === 'claim-lost') return { kind: 'claim-lost' };
    }
    throw new StreamBusy(`${orphanStreamId(id)} changed ${TRIES} times while a decision on it was made`);
  }

  private plan(id: OrphanId, before: OrphanState, events: readonly OrphanEvent[], cause: OrphanCause): StreamAppend {
    const { actor, causationId, claim } = cause;
    const why = causationId ?? (claim && `effect:${claim.kind}/${claim.key}`);
    const work = removalWorkOf(events);
    const key = id.containerGroupId;
    const effects: EffectChange[] = [];
    if (work?.op === 'put') {
      effects.push({
        op: 'put',
        kind: REMOVE_ORPHAN,
        key,
        lane: laneName({ accountId: id.accountId, region: id.region, action: 'delete' }),
        tenant: TENANT,
        priority: 0,
        afterMs: work.afterMs,
        data: {},
      });
    } else if (work) {
      effects.push({ op: 'remove', kind: REMOVE_ORPHAN, key, unlessClaimed: false });
    }
    return {
      streamId: orphanStreamId(id),
      expected: before.version,
      events: events.map((event) => ({
        eventId: this.ids.uuid(),
        type: event.type,
        schemaVersion: EVENT_SCHEMA_VERSION,
        data: event.data as unknown as JsonObject,
        metadata: { actor, decidedAt: event.at, ...(why !== undefined && { causationId: why }) },
      })),
      ...(effects.length > 0 && { effects }),
      ...(claim && { claim }),
    };
  }
}

const stateOf = (recorded: readonly RecordedEvent[] | undefined): OrphanState =>
  recorded ? foldOrphan(recorded.map(orphanEvent)) : initialOrphan;
