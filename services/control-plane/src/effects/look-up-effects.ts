import {
  attemptInDoubt,
  EFFECT_ACTIONS,
  isFinalStatus,
  LOOK_UP_STEP_MS,
  lookedUp,
  parseStreamId,
  placeOf,
  waitedMs,
  type ContainerGroupCommand,
  type ContainerGroupState,
  type LookedUp,
} from '#libs/domain';
import type { EciClient, FoundGroup, TagFilter } from '#libs/eci';
import type { EffectRow } from '#libs/event-store';
import { claimOf, EffectHandler, LEASE_MS, type Releases } from './held-effect.ts';
import type { EachRow } from './each-row.ts';
import { loadStates } from './loaded-row.ts';
import { CallerSight } from '../evidence/may-see.ts';
import type { EffectMetrics } from './metrics.ts';
import { ACTOR, type EffectParts } from './ports.ts';

const TRY_AGAIN = { baseMs: 2_000, capMs: 30_000 };

/**
 * LookUp rows: settle an attempt whose outcome is not known. A group with its four tags is adopted. When none is found, first the Create row is
 * taken away, so that no further call can go out, and its last call is given time to end; then two complete look-ups over a minute apart, both
 * begun after that, prove absence. Progress lies in the row's data, so that any replica goes on with it ({@link lookedUp}).
 */
export class LookUpEffects extends EffectHandler {
  readonly kind = 'LookUp';
  readonly action = EFFECT_ACTIONS.LookUp;
  readonly concurrency = 40;
  readonly leaseMs = LEASE_MS;
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
    const { streams, clients, fleet } = this.parts;
    const attempt = Number(row.key);
    const ids = parseStreamId(row.streamId);
    const mine = attempt === 0 ? state.attempt === undefined : state.attempt?.number === attempt;
    if (!ids || !mine || !attemptInDoubt(state)) {
      await streams.execute(row.streamId, [], { actor: ACTOR, claim: claimOf(row) });
      return;
    }
    const progress = lookedUp(row, attempt);
    if (progress.pause !== undefined)
      return this.releases.wait(row, progress.pause, LOOK_UP_STEP_MS, { refundToken: true });
    const { accountId, region } = placeOf(state);
    const client = await clients.for(accountId, region);
    const filter: TagFilter = { fleet, ...ids, ...(attempt > 0 && { attempt }) };
    const lookedAt = this.parts.clock.now();
    const askedAt = this.parts.clock.monotonic();
    const groups = await this.look(client, filter, row);
    if (!groups) return;
    if (groups.length > 0) return this.adopt(row, attempt, groups);
    if (!(await this.sight.maySee({ accountId, region }, client, askedAt))) {
      // The cloud shows no group of ours at all, as it does to callers without permission: this one may exist. The row keeps its progress.
      this.parts.logger.warn('a look-up found nothing, nor does the cloud show any other group: it proves nothing', {
        streamId: row.streamId,
        attempt,
      });
      return this.releases.release(row, { afterMs: this.releases.pause(row.attempts, TRY_AGAIN), notSent: true });
    }
    await this.notFound(row, attempt, progress.proven, lookedAt);
  }

  /** All groups of the filter, or undefined when the list is not complete: then it proves nothing, and the row was given back. */
  private async look(client: EciClient, filter: TagFilter, row: EffectRow): Promise<readonly FoundGroup[] | undefined> {
    const answer = await client.listAll(filter);
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
      // No sight of it is known: it is found now.
      { type: 'Observe', snapshot: chosen.snapshot, knew: 0 },
      ...others.map(({ snapshot, identity }): ContainerGroupCommand => ({
        type: 'RecordTwin',
        containerGroupId: snapshot.containerGroupId,
        status: snapshot.status,
        ...(snapshot.createdAt !== undefined && { createdAt: snapshot.createdAt }),
        ...(snapshot.finishedAt !== undefined && { finishedAt: snapshot.finishedAt }),
        ...(identity?.attempt !== undefined && { attempt: identity.attempt }),
      })),
    ];
    await this.parts.streams.execute(row.streamId, commands, { actor: ACTOR, claim: claimOf(row) });
  }

  private async notFound(row: EffectRow, attempt: number, proven: LookedUp, lookedAt: number): Promise<void> {
    const { streams } = this.parts;
    if (proven === 'nothing') {
      await streams.execute(row.streamId, [], {
        actor: ACTOR,
        effects: () => [{ op: 'remove', kind: 'Create', key: row.key, unlessClaimed: false }],
      });
      return this.releases.wait(row, 'closingMs', LOOK_UP_STEP_MS);
    }
    if (proven === 'no more calls') {
      return this.releases.wait(row, 'absentMs', LOOK_UP_STEP_MS, { data: { callsEnded: true, firstAt: lookedAt } });
    }
    const { firstAt } = row.data;
    await streams.execute(
      row.streamId,
      {
        type: 'RecordAbsent',
        attempt,
        evidence: {
          firstAt: typeof firstAt === 'number' ? firstAt : lookedAt,
          secondAt: lookedAt,
          apartMs: waitedMs(row, 'absentMs'),
          // Both by the database's clock; the second is a little ahead, so that the row seems rather too old than too young.
          ageMs: Date.parse(row.claimedUntil) - Date.parse(row.putAt),
        },
      },
      { actor: ACTOR, claim: claimOf(row) },
    );
  }
}

const isFinal = ({ snapshot }: FoundGroup): boolean => isFinalStatus(snapshot.status);
