import {
  EFFECT_ACTIONS,
  isKnownToCloud,
  isWorthWaitingFor,
  notFoundProvesGone,
  placeOfGroup,
  waitedMs,
  wasShown,
  type ContainerGroupState,
} from '#libs/domain';
import type { DeleteAnswer } from '#libs/eci';
import type { EffectRow } from '#libs/event-store';
import { errorMessage } from '#libs/observability';
import type { EachRow } from './each-row.ts';
import { FirstSights } from './first-sights.ts';
import { claimOf, EffectHandler, UNSENT_LEASE_MS, type Releases } from './held-effect.ts';
import { loadStates } from './loaded-row.ts';
import type { EffectMetrics } from './metrics.ts';
import { ACTOR, type EffectParts } from './ports.ts';

/** A group that no read shows yet is looked for again after this, before it is deleted. */
const LOOK_AGAIN_MS = 1_000;
/** A group that a delete answers NotFound for, and that may still appear, is deleted again after this. */
const TRY_AGAIN_MS = 3_000;

/** Delete rows: ends groups of stopped pods, and late twins. `data.force` asks for ECI's force delete; it is set on request only. */
export class DeleteEffects extends EffectHandler {
  readonly kind = 'Delete';
  readonly action = EFFECT_ACTIONS.Delete;
  readonly concurrency = 100;
  readonly leaseMs = UNSENT_LEASE_MS;
  private readonly parts: EffectParts;
  private readonly releases: Releases;
  private readonly metrics: EffectMetrics;
  private readonly rows: EachRow;
  private readonly firstSights: FirstSights;

  constructor(parts: EffectParts, tools: { releases: Releases; metrics: EffectMetrics; rows: EachRow }) {
    super();
    this.parts = parts;
    this.releases = tools.releases;
    this.metrics = tools.metrics;
    this.rows = tools.rows;
    this.firstSights = new FirstSights(parts, tools.metrics);
  }

  async run(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<void> {
    const loaded = await this.rows.load(rows, settled, (some) => loadStates(this.parts.store, some));
    const readable = loaded.map(({ row }) => row);
    const states = await this.firstSights.take(
      readable,
      new Map(loaded.map(({ row, state }) => [row.streamId, state])),
    );
    const due = await this.withoutUnseen(readable, states, settled);
    const confirmed = await this.rows.confirm(due, settled);
    await this.rows.all(confirmed, settled, (row) => this.delete(row, states.get(row.streamId) as ContainerGroupState));
  }

  /** Gives back rows of groups that no read shows yet, until they were waited for. */
  private async withoutUnseen(
    rows: readonly EffectRow[],
    states: ReadonlyMap<string, ContainerGroupState>,
    settled: (row: EffectRow) => void,
  ): Promise<readonly EffectRow[]> {
    const due: EffectRow[] = [];
    for (const row of rows) {
      const state = states.get(row.streamId) as ContainerGroupState;
      const isWaitedFor = isWorthWaitingFor({ shown: wasShown(state, row.key), waitedMs: waitedMs(row, 'unseenMs') });
      if (!isWaitedFor || !isKnown(state, row.key) || row.mayHaveBeenSent) {
        due.push(row);
        continue;
      }
      await this.rows.attempt(row, () => this.releases.wait(row, 'unseenMs', LOOK_AGAIN_MS), { notSent: true });
      settled(row);
    }
    return due;
  }

  private async delete(row: EffectRow, state: ContainerGroupState): Promise<void> {
    const { streams, queue, logger } = this.parts;
    const containerGroupId = row.key;
    const end = { actor: ACTOR, known: state, claim: claimOf(row) };
    if (!isKnown(state, containerGroupId)) {
      await streams.execute(row.streamId, [], end);
      return;
    }
    const { accountId, region } = placeOfGroup(state, containerGroupId);
    const client = await this.parts.clients.for(accountId, region);
    const answer = await client
      .delete(containerGroupId, { force: row.data['force'] === true })
      .catch((error: unknown): DeleteAnswer => ({ kind: 'unknown', reason: errorMessage(error) }));
    switch (answer.kind) {
      case 'done': {
        const { requestId } = answer;
        const causationId = `eci:${requestId}`;
        await streams.execute(
          row.streamId,
          { type: 'RecordDelete', containerGroupId, requestId },
          { ...end, causationId },
        );
        await queue.laneAccepted(row.lane);
        return;
      }
      case 'not-found':
        if (!notFoundProvesGone(isKnownToCloud(state, containerGroupId), waitedMs(row, 'notFoundMs')))
          return this.releases.wait(row, 'notFoundMs', TRY_AGAIN_MS);
        await streams.execute(
          row.streamId,
          {
            type: 'RecordGone',
            containerGroupId,
            evidence: 'the cloud knows no such group: it answered NotFound to our delete',
          },
          end,
        );
        return;
      case 'conflict':
        return this.later(row, this.releases.pause(row.attempts, { baseMs: 2_000, capMs: 15_000 }), true);
      case 'throttled':
        this.metrics.throttled.inc({ action: 'delete' });
        await queue.laneThrottled(row.lane);
        return this.later(row, this.releases.pause(row.attempts, { baseMs: 1_000, capMs: 20_000 }), true);
      case 'refused':
        logger.error('a delete was refused', { streamId: row.streamId, containerGroupId, code: answer.code });
        return this.later(row, this.releases.pause(row.attempts, { baseMs: 5_000, capMs: 60_000 }), true);
      case 'unknown':
        logger.warn('the outcome of a delete is unknown', {
          streamId: row.streamId,
          containerGroupId,
          reason: answer.reason,
        });
        return this.later(row, this.releases.pause(row.attempts, { baseMs: 1_000, capMs: 30_000 }), false);
    }
  }

  private later(row: EffectRow, afterMs: number, notSent: boolean): Promise<void> {
    return this.releases.release(row, { afterMs, notSent });
  }
}

/** A twin, or the stream's group, that is not known to be gone. */
function isKnown({ twins, group }: ContainerGroupState, containerGroupId: string): boolean {
  return twins[containerGroupId] !== undefined || (group?.containerGroupId === containerGroupId && !group.gone);
}
