import type { Pool } from 'pg';
import type { OrphanFacts } from '#libs/domain';
import { Orphans, type Scope } from './ports.ts';

export class PostgresOrphans extends Orphans {
  private readonly pool: Pool;

  constructor(pool: Pool) {
    super();
    this.pool = pool;
  }

  async note({ accountId, region }: Scope, strangers: readonly OrphanFacts[]): Promise<ReadonlyMap<string, number>> {
    if (strangers.length === 0) return new Map();
    const { rows } = await this.pool.query<{ container_group_id: string; age_ms: number }>(
      `insert into fleet.orphan as o (account_id, region, container_group_id, status, cluster_id, pod_uid, namespace, name, attempt, created_at,
                                      spec, cpu, memory_gib, first_seen_at, last_seen_at)
       select $1, $2, x."containerGroupId", x.status, x."clusterId", x."podUid", x.namespace, x.name, x.attempt, x."createdAt",
              x.spec, x.cpu, x."memoryGiB", n.at, n.at
         from json_to_recordset($3) as x ("containerGroupId" text, status text, "clusterId" text, "podUid" text, namespace text, name text,
                attempt integer, "createdAt" timestamptz, spec text, cpu double precision, "memoryGiB" double precision),
              (select es.now() as at) n
        order by x."containerGroupId"
       on conflict (account_id, region, container_group_id) do update
         set status = excluded.status, last_seen_at = excluded.last_seen_at, spec = excluded.spec, cpu = excluded.cpu,
             memory_gib = excluded.memory_gib
       returning o.container_group_id, (extract(epoch from o.last_seen_at - coalesce(o.created_at, o.first_seen_at)) * 1000)::float8 as age_ms`,
      [accountId, region, JSON.stringify(strangers)],
    );
    return new Map(rows.map((row) => [row.container_group_id, row.age_ms]));
  }

  async keepOnly({ accountId, region }: Scope, containerGroupIds: readonly string[]): Promise<void> {
    await this.pool.query(
      'delete from fleet.orphan where account_id = $1 and region = $2 and not (container_group_id = any ($3))',
      [accountId, region, containerGroupIds],
    );
  }
}
