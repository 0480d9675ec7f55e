import type { PoolClient } from 'pg';
import type { SqlClient } from '#libs/event-store';
import type { Pair, TablesBeside } from '../rebuild/tables-beside.ts';
import type { Difference } from '../streams/projection.ts';
import { containerGroupStreams } from '../streams/stored-events.ts';
import { containerGroupRow, type PlacedFact } from './container-group-row.ts';
import type { ContainerGroupRecord } from './container-group.entity.ts';
import { foldStreams } from './fold-streams.ts';
import { recordOf } from './row-columns.ts';
import { differences } from './row-differences.ts';
import { fillRows, LIVE, SHADOW, writeRows } from './write-rows.ts';

/** The read model of container groups, as it is rebuilt. */
export const containerGroupTables: TablesBeside<ContainerGroupRecord> = {
  serving: LIVE.groups,
  made: SHADOW.groups,
  ownOf: containerGroupStreams,
  fold: foldStreams,
  fill: (client, rows) => fillRows(client, SHADOW, rows),
  write: (client, rows) => writeRows(client, SHADOW, rows),
  count,
  judge,
  miscounted,
};

async function count(client: SqlClient): Promise<(client: SqlClient) => Promise<void>> {
  const rows = (await client.query(
    `select cluster_id, life, coalesce(zone, '') as zone, count(*) as groups from ${SHADOW.groups} group by 1, 2, 3`,
  )) as unknown as readonly { cluster_id: string; life: string; zone: string; groups: string }[];
  return async (writing) => {
    await writing.query(`delete from ${SHADOW.counts}`);
    await writing.query(
      `insert into ${SHADOW.counts} (cluster_id, life, zone, groups) select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])`,
      [
        rows.map((row) => row.cluster_id),
        rows.map((row) => row.life),
        rows.map((row) => row.zone),
        rows.map((row) => row.groups),
      ],
    );
  };
}

/** Undefined when nothing is wrong: both rows are folds of their stream, at different versions. */
function judge({ serving, made }: Pair, facts: readonly PlacedFact[]): string | undefined {
  if (serving === null) return 'is missing in the table that serves';
  if (facts.length === 0) return 'is a row without any event';
  const row = jsonRecord(serving);
  const version = Number(row.streamVersion);
  if (version > facts.length || version < 1) return `shows version ${version}, its stream ends with ${facts.length}`;
  if (made !== null && version === Number(made['stream_version']))
    return `differs in ${differences(jsonRecord(made), row).join(', ') || 'its text'} at version ${version}`;
  const wrong = differences(containerGroupRow(facts.slice(0, version)), row);
  return wrong.length === 0 ? undefined : `differs in ${wrong.join(', ')} at version ${version}`;
}

const TIMES = new Set([
  'requested_at',
  'created_at',
  'landed_at',
  'running_at',
  'stop_requested_at',
  'ended_at',
  'updated_at',
]);

/** A row as JSON tells it, with its times as times and its version as text again. */
function jsonRecord(row: Readonly<Record<string, unknown>>): ContainerGroupRecord {
  return recordOf(
    Object.fromEntries(
      Object.entries(row).map(([column, value]) => [
        column,
        value !== null && TIMES.has(column)
          ? new Date(String(value))
          : column === 'stream_version'
            ? String(value as number)
            : value,
      ]),
    ),
  );
}

async function miscounted(client: PoolClient): Promise<readonly Difference[]> {
  const { rows } = await client.query<{
    cluster_id: string;
    life: string;
    zone: string;
    kept: string;
    counted: string;
  }>(
    `select n.cluster_id, n.life, n.zone, coalesce(k.groups, 0) as kept, coalesce(r.groups, 0) as counted
       from (select cluster_id, life, zone from fleet.container_group_count union select cluster_id, life, coalesce(zone, '') from fleet.container_group) n
       left join fleet.container_group_count k using (cluster_id, life, zone)
       left join (select cluster_id, life, coalesce(zone, '') as zone, count(*) as groups from fleet.container_group group by 1, 2, 3) r
         using (cluster_id, life, zone)
      where coalesce(k.groups, 0) <> coalesce(r.groups, 0)`,
  );
  return rows.map(({ cluster_id, life, zone, kept, counted }) => ({
    what: `the live view counts ${kept} groups of cluster ${cluster_id} with life ${life}${zone ? ` in ${zone}` : ''}, the rows are ${counted}`,
  }));
}
