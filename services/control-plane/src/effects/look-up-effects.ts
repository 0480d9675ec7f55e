import {
  attemptInDoubt,
  isFinalStatus,
  placeOf,
  type ContainerGroupCommand,
  type ContainerGroupState,
} from '#libs/domain';
import type { EciClient, FoundGroup, TagFilter } from '#libs/eci';
import type { EffectRow, JsonObject } from '#libs/event-store';
import { parseStreamId } from '#libs/domain';
import { CALL_DEADLINE_MS, claimOf, EffectHandler, type Releases } from './held-effect.ts';
import type { EachRow } from './each-row.ts';
import { listAll } from './list-all.ts';
import { loadStates } from './loaded-row.ts';
import { CallerSight } from './may-see.ts';
import type { EffectMetrics } from './metrics.ts';
import { ACTOR, type EffectParts } from './ports.ts';

/** Between two look-ups that together prove absence; a little over the minute, for clocks of two replicas. */
const APART_MS = 61_000;
const TRY_AGAIN = { baseMs: 2_000, capMs: 30_000 };

/**
 * LookUp rows: settle an attempt whose outcome is not known. A group with its four tags is adopted. When none is found, first the Create row is
 * taken away, so that no further call can go out, and its last call is given time to end; then two complete look-ups over a minute apart, both
 * begun after that, prove absence. Progress lies in the row's data, so that any replica goes on with it:
 * `closedAt` = no call after this (epoch ms), `first` = the first look-up after it, `[began, ended]`.
 */
export class LookUpEffects extends EffectHandler {
  readonly kind = 'LookUp';
  private readonly parts: EffectParts;
  private readonly releases: Releases;
  private readonly metrics: EffectMetrics;
  private readonly rows: EachRow;
  private readonly sight: CallerSight;

  constructor(parts: EffectParts, tools: { releases: Releases; metrics: EffectMetrics; rows: EachRow }) {
    super();
    this.parts = parts;
    this.releases = tools.releases;
    this.metrics = tools.metrics;
    this.rows = tools.rows;
    this.sight = new CallerSight(parts);
  }

  async run(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<void> {
    const loaded = await this.rows.load(rows, settled, (some) => loadStates(this.parts.store, some));
    const stateOf = new Map(loaded.map(({ row, state }) => [row, state]));
    await this.rows.all([...stateOf.keys()], settled, (row) =>
      this.lookUp(row, stateOf.get(row) as ContainerGroupState),
    );
  }

  private async lookUp(row: EffectRow, state: ContainerGroupState): Promise<void> {
    const { streams, clients, clock, fleet } = this.parts;
    const attempt = Number(row.key);
    const ids = parseStreamId(row.streamId);
    const mine = attempt === 0 ? state.attempt === undefined : state.attempt?.number === attempt;
    if (!ids || !mine || !attemptInDoubt(state)) {
      await streams.execute(row.streamId, [], { actor: ACTOR, claim: claimOf(row) });
      return;
    }
    const { accountId, region } = placeOf(state);
    const client = await clients.for(accountId, region);
    const filter: TagFilter = { fleet, ...ids, ...(attempt > 0 && { attempt }) };
    const began = clock.now();
    const groups = await this.look(client, filter, row);
    if (!groups) return;
    const ended = clock.now();
    if (groups.length > 0) return this.adopt(row, attempt, groups);
    if (!(await this.sight.maySee({ accountId, region }, client))) {
      // What is not shown may be there all the same. The row keeps its progress.
      this.parts.logger.warn('a look-up found nothing, nor does the cloud show any other group: it proves nothing', {
        streamId: row.streamId,
        attempt,
      });
      return this.releases.release(row, { afterMs: this.releases.pause(row.attempts, TRY_AGAIN), notSent: true });
    }
    await this.notFound(row, attempt, state, began, ended);
  }

  /** All groups of the filter, or undefined when the list is not complete: then it proves nothing, and the row was given back. */
  private async look(client: EciClient, filter: TagFilter, row: EffectRow): Promise<readonly FoundGroup[] | undefined> {
    const answer = await listAll(client, filter);
    if (answer.kind === 'done') {
      // Whether several tag filters mean "and" is not documented: every tag is compared here.
      return answer.value.filter(({ identity }) => {
        return (
          identity?.fleet === filter.fleet &&
          identity.clusterId === filter.clusterId &&
          identity.podUid === filter.podUid &&
          (filter.attempt === undefined || identity.attempt === filter.attempt)
        );
      });
    }
    if (answer.kind === 'refused' && answer.class === 'THROTTLED') {
      this.metrics.throttled.inc({ action: 'describe' });
      await this.parts.queue.laneThrottled(row.lane);
    }
    await this.releases.release(row, { afterMs: this.releases.pause(row.attempts, TRY_AGAIN), notSent: true });
    return undefined;
  }

  /** One of them is the attempt's group; should there be more, the others must not live. */
  private async adopt(row: EffectRow, attempt: number, groups: readonly FoundGroup[]): Promise<void> {
    const [chosen, ...others] = groups.toSorted((a, b) => Number(isFinal(a)) - Number(isFinal(b)));
    if (!chosen) return;
    const commands: ContainerGroupCommand[] = [
      {
        type: 'RecordFound',
        attempt: chosen.identity?.attempt ?? attempt,
        containerGroupId: chosen.snapshot.containerGroupId,
      },
      { type: 'Observe', snapshot: chosen.snapshot },
      ...others.map(({ snapshot, identity }): ContainerGroupCommand => ({
        type: 'RecordTwin',
        containerGroupId: snapshot.containerGroupId,
        status: snapshot.status,
        ...(identity?.attempt !== undefined && { attempt: identity.attempt }),
      })),
    ];
    await this.parts.streams.execute(row.streamId, commands, { actor: ACTOR, claim: claimOf(row) });
  }

  private async notFound(
    row: EffectRow,
    attempt: number,
    state: ContainerGroupState,
    began: number,
    ended: number,
  ): Promise<void> {
    const { streams, clock } = this.parts;
    const known = progressOf(row.data);
    // A pod that ran before we knew of it: nobody of ours ever called for it.
    const closedAt = attempt === 0 ? Date.parse(state.intent?.acceptedAt ?? '') : known.closedAt;
    if (closedAt === undefined) {
      await streams.execute(row.streamId, [], {
        actor: ACTOR,
        effects: () => [{ op: 'remove', kind: 'Create', key: row.key, unlessClaimed: false }],
      });
      const closes = clock.now() + CALL_DEADLINE_MS;
      await this.later(row, closes + 1_000 - clock.now(), { closedAt: closes });
      return;
    }
    if (began <= closedAt) return this.later(row, closedAt + 1_000 - clock.now(), { closedAt });
    if (!known.first) return this.later(row, APART_MS, { closedAt, first: [began, ended] });
    const [firstBeganAt, firstEndedAt] = known.first;
    if (began - firstEndedAt < 60_000) {
      return this.later(row, firstEndedAt + APART_MS - clock.now(), { closedAt, first: [firstBeganAt, firstEndedAt] });
    }
    await streams.execute(
      row.streamId,
      {
        type: 'RecordAbsent',
        attempt,
        evidence: { firstBeganAt, firstEndedAt, secondBeganAt: began, secondEndedAt: ended },
        lastCallEndedAt: closedAt,
      },
      { actor: ACTOR, claim: claimOf(row) },
    );
  }

  private later(row: EffectRow, afterMs: number, data: JsonObject): Promise<void> {
    return this.releases.release(row, { afterMs: Math.max(1_000, afterMs), notSent: true, data });
  }
}

const isFinal = ({ snapshot }: FoundGroup): boolean => isFinalStatus(snapshot.status);

interface Progress {
  readonly closedAt?: number;
  readonly first?: readonly [number, number];
}

function progressOf(data: JsonObject): Progress {
  const { closedAt, first } = data;
  return {
    ...(typeof closedAt === 'number' && { closedAt }),
    ...(Array.isArray(first) && { first: [Number(first[0]), Number(first[1])] as const }),
  };
}
