import type { Pool } from 'pg';
import { streamIdOf } from '#libs/domain';
import { OVER_BUDGET } from '../clusters/cluster-row.ts';
import type { ClusterFacts, LaneFacts, OverBudget, OverdueWork, ReaderFacts } from './facts.ts';
import type { CountFacts } from './oracles/o5-read-models.ts';
import { OVERDUE_MS } from './oracles/o1-intents.ts';
import { inSnapshot } from './snapshot.ts';

/** Rows of one kind of finding that are read; more of the same says no more. */
const MOST = 1_000;

/** The database's time, epoch ms: what is due and overdue is judged by it. */
export async function databaseNow(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ now: Date }>('select es.now() as now');
  return rows[0]!.now.getTime();
}

export async function overdueWork(pool: Pool, now: number): Promise<readonly OverdueWork[]> {
  const before = new Date(now - OVERDUE_MS);
  const effects = await pool.query<{
    stream_id: string;
    kind: string;
    key: string;
    lane: string;
    run_at: Date;
    attempts: number;
  }>('select stream_id, kind, key, lane, run_at, attempts from es.effect where run_at < $1 order by run_at limit $2', [
    before,
    MOST,
  ]);
  const timers = await pool.query<{ stream_id: string; name: string; due_at: Date }>(
    'select stream_id, name, run_at as due_at from es.timer where run_at < $1 order by run_at limit $2',
    [before, MOST],
  );
  return [
    ...effects.rows.map(({ stream_id, kind, key, lane, run_at, attempts }): OverdueWork => ({
      table: 'effect',
      streamId: stream_id,
      kind,
      key,
      lane,
      dueAt: run_at.toISOString(),
      attempts,
    })),
    ...timers.rows.map(({ stream_id, name, due_at }): OverdueWork => ({
      table: 'timer',
      streamId: stream_id,
      kind: 'timer',
      key: name,
      dueAt: due_at.toISOString(),
      attempts: 0,
    })),
  ];
}

export async function lanesOf(pool: Pool): Promise<readonly LaneFacts[]> {
  const { rows } = await pool.query<Omit<LaneFacts, 'factorMovedAt'> & { factor_moved_at: Date }>(
    'select lane, rate, burst, tokens, factor, factor_moved_at from es.lane order by lane',
  );
  return rows.map(({ factor_moved_at, ...lane }) => ({ ...lane, factorMovedAt: factor_moved_at.toISOString() }));
}

export async function readersOf(pool: Pool): Promise<readonly ReaderFacts[]> {
  const { rows } = await pool.query<ReaderFacts>(
    `select name, events::int as events, seconds, parked_streams::int as "parkedStreams" from es.subscription_lag() order by name`,
  );
  return rows;
}

/** Clusters that have joined and are not unregistered, with what their last inventory left open and is open still. */
export async function clustersOf(pool: Pool): Promise<readonly ClusterFacts[]> {
  const { rows } = await pool.query<{
    id: string;
    key_generation: number;
    session_renewed_at: Date | null;
    completed_at: Date | null;
    unknown_pods: string[] | null;
    missing_pods: string[] | null;
  }>(
    `select c.id, c.key_generation, c.session_renewed_at, i.completed_at, i.unknown_pods, i.missing_pods
       from fleet.cluster c left join fleet.inventory_last i on i.cluster_id = c.id
      where c.joined_at is not null and c.unregistered_at is null order by c.id`,
  );
  return Promise.all(
    rows.map(async (row): Promise<ClusterFacts> => {
      const unknown = row.unknown_pods ?? [];
      const { rows: found } = await pool.query<{ stream_id: string }>(
        'select stream_id from es.stream where stream_id = any ($1)',
        [unknown.map((uid) => streamIdOf(row.id, uid))],
      );
      const known = new Set(found.map(({ stream_id }) => stream_id));
      return {
        clusterId: row.id,
        keyGeneration: row.key_generation,
        ...(row.session_renewed_at && { renewedAt: row.session_renewed_at.toISOString() }),
        ...(row.completed_at && {
          inventory: {
            completedAt: row.completed_at.toISOString(),
            unknownPods: unknown.filter((uid) => !known.has(streamIdOf(row.id, uid))),
            missingPods: row.missing_pods ?? [],
          },
        }),
      };
    }),
  );
}

/** Clusters that sent more than they may, and are not unregistered. */
export async function overBudget(pool: Pool): Promise<readonly OverBudget[]> {
  const { rows } = await pool.query<{ id: string; deferred: string; deferred_since: Date }>(
    `select c.id, o.deferred, o.deferred_since from fleet.cluster c cross join lateral (${OVER_BUDGET}) o
      where o.deferred > 0 and c.unregistered_at is null order by c.id`,
  );
  return rows.map(({ id, deferred, deferred_since }) => ({
    clusterId: id,
    waiting: Number(deferred),
    since: deferred_since.toISOString(),
  }));
}

/** Streams among these that exist. */
export async function existingStreams(pool: Pool, ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const { rows } = await pool.query<{ stream_id: string }>(
    'select stream_id from es.stream where stream_id = any ($1)',
    [ids],
  );
  return new Set(rows.map(({ stream_id }) => stream_id));
}

/** What of the read model cannot be seen stream by stream; one snapshot. */
export async function readModelFacts(
  pool: Pool,
): Promise<{ readonly withoutStream: readonly string[]; readonly counts: readonly CountFacts[] }> {
  return inSnapshot(pool, async (client) => {
    const { rows: strays } = await client.query<{ stream_id: string }>(
      `select g.stream_id from fleet.container_group g left join es.stream s on s.stream_id = g.stream_id
        where s.stream_id is null limit $1`,
      [MOST],
    );
    const { rows: counts } = await client.query<{
      cluster_id: string;
      life: string;
      zone: string;
      kept: string;
      counted: string;
    }>(
      `select coalesce(k.cluster_id, r.cluster_id) as cluster_id, coalesce(k.life, r.life) as life, coalesce(k.zone, r.zone) as zone,
              coalesce(k.groups, 0) as kept, coalesce(r.groups, 0) as counted
         from fleet.container_group_count k
         full join (select cluster_id, life, coalesce(zone, '') as zone, count(*) as groups from fleet.container_group group by 1, 2, 3) r
           on (k.cluster_id, k.life, k.zone) = (r.cluster_id, r.life, r.zone)
        where coalesce(k.groups, 0) <> coalesce(r.groups, 0) limit $1`,
      [MOST],
    );
    return {
      withoutStream: strays.map(({ stream_id }) => stream_id),
      counts: counts.map(({ cluster_id, life, zone, kept, counted }) => ({
        clusterId: cluster_id,
        life,
        zone,
        kept: Number(kept),
        counted: Number(counted),
      })),
    };
  });
}
