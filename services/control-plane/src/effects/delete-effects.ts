import { placeOfGroup, type ContainerGroupState } from '#libs/domain';
import type { DeleteAnswer } from '#libs/eci';
import type { EffectRow } from '#libs/event-store';
import { errorMessage } from '#libs/observability';
import { claimOf, EffectHandler, LEASE_MS, type Releases } from './held-effect.ts';
import type { EffectMetrics } from './metrics.ts';
import { ACTOR, type EffectParts } from './ports.ts';

/** A group may not be visible for a while after its create (ECI docs say nothing; assumed up to a minute). */
const VISIBLE_AFTER_MS = 60_000;

/** Delete rows: ends groups of stopped pods, and late twins. `data.force` asks for ECI's force delete; it is set on request only. */
export class DeleteEffects extends EffectHandler {
  readonly kind = 'Delete';
  private readonly parts: EffectParts;
  private readonly releases: Releases;
  private readonly metrics: EffectMetrics;

  constructor(parts: EffectParts, tools: { releases: Releases; metrics: EffectMetrics }) {
    super();
    this.parts = parts;
    this.releases = tools.releases;
    this.metrics = tools.metrics;
  }

  async run(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<void> {
    const states = await this.parts.streams.loadMany(rows.map((row) => row.streamId));
    const held = await this.parts.queue.confirmClaims(rows, LEASE_MS);
    const keys = new Set(held.map(({ streamId, key }) => `${streamId} ${key}`));
    const results = await Promise.allSettled(
      rows.map(async (row) => {
        try {
          if (keys.has(`${row.streamId} ${row.key}`))
            await this.delete(row, states.get(row.streamId) as ContainerGroupState);
        } finally {
          settled(row);
        }
      }),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private async delete(row: EffectRow, state: ContainerGroupState): Promise<void> {
    const { streams, clock, queue, logger } = this.parts;
    const containerGroupId = row.key;
    const end = { actor: ACTOR, known: state, claim: claimOf(row) };
    const since = knownSince(state, containerGroupId);
    if (since === undefined) {
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
        // A group that was made a moment ago may not be visible yet, unless an earlier delete of ours explains that it is gone.
        if (!row.mayHaveBeenSent && clock.now() - since < VISIBLE_AFTER_MS) return this.later(row, 3_000, false);
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

/** When this stream first knew the group (epoch ms), or undefined when it is not its group or is gone. */
function knownSince(state: ContainerGroupState, containerGroupId: string): number | undefined {
  const twin = state.twins[containerGroupId];
  if (twin) return Date.parse(twin.foundAt);
  const { group } = state;
  return group?.containerGroupId === containerGroupId && !group.gone ? Date.parse(group.since) : undefined;
}
