import type { Pool, PoolClient } from 'pg';
import { changedSince, HELD_DIGEST, holdNumber, type HoldState } from './hold-state.ts';
import { inTransaction } from '../transaction.ts';

/** Some by the UIDs of their pods, or everything that is held and not decided yet, and then the hold ends. Never the one for want of the other. */
type WhichStops =
  | { readonly only: readonly string[]; readonly stated?: string }
  | {
      readonly all: true;
      /** Entity tag of the state that was decided on; without it the state as it is. */
      readonly stated?: string;
    };

export interface HoldDecision {
  readonly clusterId: string;
  readonly verdict: 'release' | 'deny';
  readonly which: WhichStops;
  /** As the operator calls himself. */
  readonly by: string;
  /** Who let him in, as the event's actor; default: as he calls himself. */
  readonly actor?: string;
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

  /** Throws a problem when the hold is not as it was stated. */
  async decide(decision: HoldDecision): Promise<Decided> {
    const { clusterId, verdict, which, reason } = decision;
    const by = `operator:${decision.by}`;
    const { actor = by } = decision;
    const only = 'only' in which ? which.only : undefined;
    return inTransaction(this.pool, async (client) => {
      // The guard locks this row, too: it decides before us, or knowing what was decided here.
      await client.query('select 1 from fleet.mass_delete_guard where cluster_id = $1 for update', [clusterId]);
      // Stops that are held from here on are not part of this decision: they wait for the next.
      const undecided = await this.undecided(client, clusterId);
      if (which.stated !== undefined) {
        const changed = changedSince(which.stated, clusterId, await this.state(client, clusterId, undecided));
        if (changed) throw changed;
      }
      const { rows } = await client.query<{ pod_uid: string }>(
        `update fleet.held_stop set wanted = $2, wanted_by = $3, wanted_reason = $4, wanted_actor = $6
          where cluster_id = $1 and pod_uid = any ($5)
            and not ($2 = 'deny' and denied_at is not null)
         returning pod_uid`,
        [clusterId, verdict, by, reason ?? null, only ?? undecided, actor],
      );
      const decided = new Set(rows.map((row) => row.pod_uid));
      const notHeld = (only ?? []).filter((uid) => !decided.has(uid));
      const ended = only === undefined ? await this.end(client, { clusterId, verdict, by, actor, reason }) : undefined;
      return { stops: decided.size, notHeld, ...(ended === undefined ? {} : { ended }) };
    });
  }

  /** Pods whose stops nobody has decided on; they stay as they are until the decision. */
  private async undecided(client: PoolClient, clusterId: string): Promise<readonly string[]> {
    const { rows } = await client.query<{ pod_uid: string }>(
      'select pod_uid from fleet.held_stop where cluster_id = $1 and wanted is null order by pod_uid for update',
      [clusterId],
    );
    return rows.map((row) => row.pod_uid);
  }

  private async state(client: PoolClient, clusterId: string, undecided: readonly string[]): Promise<HoldState> {
    const { rows } = await client.query<{ hold: string | null; held: number; denied: number; digest: string }>(
      `select (select id from fleet.hold where cluster_id = $1 and ended_at is null) as hold,
              (count(*) filter (where denied_at is null))::int as held, (count(*) filter (where denied_at is not null))::int as denied,
              ${HELD_DIGEST} as digest
         from fleet.held_stop where cluster_id = $1 and pod_uid = any ($2)`,
      [clusterId, undecided],
    );
    const [row] = rows as [(typeof rows)[number]];
    return { ...row, hold: holdNumber(row.hold) };
  }

  /** From now on stops are counted anew: what was decided is not held against those that follow. */
  private async end(
    client: PoolClient,
    decision: {
      readonly clusterId: string;
      readonly verdict: 'release' | 'deny';
      readonly by: string;
      readonly actor: string;
      readonly reason: string | undefined;
    },
  ): Promise<string | undefined> {
    const { clusterId, verdict, by, actor, reason } = decision;
    const { rows } = await client.query<{ id: string }>(
      `update fleet.hold set ended_at = es.now(), decision = $2, decided_by = $3, decided_reason = $4, decided_actor = $5
        where cluster_id = $1 and ended_at is null returning id`,
      [clusterId, verdict, by, reason ?? null, actor],
    );
    if (rows[0] === undefined) return undefined;
    await client.query('update fleet.mass_delete_guard set counted_from = es.now() where cluster_id = $1', [clusterId]);
    return rows[0].id;
  }
}
