import type pg from 'pg';

const ROWS_PER_TRANSACTION = 500_000;

/**
 * Rows of the read model, made by SQL: fifty clusters, twenty namespaces, half a year. Nine in ten are history, one in a thousand failed. The table
 * must be empty; its indexes are made when it is full. `pool` belongs to the owner of the tables.
 */
export async function storeRows(pool: pg.Pool, rows: number): Promise<void> {
  const { rows: indexes } = await pool.query<{ name: string; definition: string }>(
    `select i.relname as name, pg_get_indexdef(i.oid) as definition from pg_index x join pg_class i on i.oid = x.indexrelid
      where x.indrelid = 'fleet.container_group'::regclass and not x.indisprimary`,
  );
  for (const { name } of indexes) await pool.query(`drop index fleet.${name}`);
  await pool.query('alter table fleet.container_group drop constraint container_group_pkey');
  // Reading costs the same, and ten million rows are made without writing each of them twice.
  await pool.query('alter table fleet.container_group set unlogged');
  await pool.query(`set maintenance_work_mem = '512MB'`);
  for (let from = 0; from < rows; from += ROWS_PER_TRANSACTION) {
    await pool.query(
      `insert into fleet.container_group
         (stream_id, stream_version, cluster_id, namespace, name, pod_uid, life, phase, closed, pod_object_gone, container_group_id, group_status,
          account_id, region, zone, v_switch_id, spec, cpu, memory_gib, charge_type, attempts, reason, message, pod_ip, images, requested_at, created_at,
          landed_at, running_at, stop_requested_at, ended_at, ended_group_seconds, last_event_type, updated_at)
       select 'container_group:c' || i % 50 || ':' || uid, 8, 'c' || i % 50, 'team-' || i % 20, 'web-' || i % 100000, uid, life,
              case life when 'running' then 'Running' when 'failed' then 'Failed' when 'parked' then 'Pending' else 'Succeeded' end,
              life = 'gone', life = 'gone', 'eci-' || md5('g' || i), case when life = 'running' then 'Running' else 'Succeeded' end,
              'account-' || i % 3, 'cn-' || (array['hangzhou', 'shanghai', 'beijing'])[1 + i % 3], 'zone-' || i % 8, 'vsw-' || i % 16, '2-4Gi', 2, 4,
              'on-demand', 1, null, null, '10.0.0.' || i % 250, array['registry.example/team/web:' || i % 100], at, at, at, at, at, at, 60, 'ContainerGroupGone', at
         from (select i, md5('p' || i)::uuid::text as uid, timestamptz '2026-01-01' + i * interval '1.5 seconds' as at,
                      case when i % 1000 = 7 then 'failed' when i % 100 = 3 then 'parked' when i % 10 = 1 then 'running' else 'gone' end as life
                 from generate_series($1::bigint, $2::bigint - 1) i) x`,
      [from, Math.min(rows, from + ROWS_PER_TRANSACTION)],
    );
  }
  await pool.query('alter table fleet.container_group add constraint container_group_pkey primary key (stream_id)');
  for (const { definition } of indexes) await pool.query(definition);
  await pool.query('vacuum analyze fleet.container_group');
}
