import type { Pool, PoolClient } from 'pg';
import { inTransaction } from '../transaction.ts';

export interface HoldDecision {
  readonly clusterId: string;
  readonly verdict: 'release' | 'deny';
  /** UIDs of pods; absent: everything that is held and not decided yet, and the hold ends. */
  readonly only?: readonly string[];
  /** Name of the operator. */
  readonly by: string;
  readonly reason?: string;
}

export interface Decided {
  /** Stops that were decided now; they are carried out within seconds, at the quota of the lane. */
  readonly stops: number;
  /** The hold that ended; absent when only some stops were decided, or none was active. */
  readonly ended?: string;
  /** UIDs that were named and are not held. */
  readonly notHeld: readonly string[];
}

/** Where operators decide about held stops. A decision is rows of one transaction, and is not forgotten once this has returned. */
export class HoldDesk {
  private readonly pool: Pool;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  async decide({ clusterId, verdict, only, by, reason }: HoldDecision): Promise<Decided> {
    const actor = `operator:${by}`;
    return inTransaction(this.pool, async (client) => {
      // The guard's own turn: what it decides next, it decides knowing this.
      await client.query('select 1 from fleet.mass_delete_guard where cluster_id = $1 for update', [clusterId]);
      const { rows } = await client.query<{ pod_uid: string }>(
        `update fleet.held_stop set wanted = $2, wanted_by = $3, wanted_reason = $4
          where cluster_id = $1 and case when $5::text[] is null then wanted is null else pod_uid = any ($5) end
            and not ($2 = 'deny' and denied_at is not null)
         returning pod_uid`,
        [clusterId, verdict, actor, reason ?? null, only ?? null],
      );
      const decided = new Set(rows.map((row) => row.pod_uid));
      const notHeld = (only ?? []).filter((uid) => !decided.has(uid));
      const ended = only === undefined ? await this.end(client, { clusterId, verdict, actor, reason }) : undefined;
      return { stops: decided.size, notHeld, ...(ended === undefined ? {} : { ended }) };
    });
  }

  /** From now on stops are counted anew: what was decided is not held against those that follow. */
  private async end(
    client: PoolClient,
    decision: {
      readonly clusterId: string;
      readonly verdict: 'release' | 'deny';
      readonly actor: string;
      readonly reason: string | undefined;
    },
  ): Promise<string | undefined> {
    const { clusterId, verdict, actor, reason } = decision;
    const { rows } = await client.query<{ id: string }>(
      `update fleet.hold set ended_at = es.now(), decision = $2, decided_by = $3, decided_reason = $4
        where cluster_id = $1 and ended_at is null returning id`,
      [clusterId, verdict, actor, reason ?? null],
    );
    if (rows[0] === undefined) return undefined;
    await client.query('update fleet.mass_delete_guard set counted_from = es.now() where cluster_id = $1', [clusterId]);
    return rows[0].id;
  }
}
