import type { SqlClient } from '#libs/event-store';
import type { ContainerGroupRecord } from './container-group.entity.ts';
import { ROW_COLUMNS } from './row-columns.ts';

/** The tables of the read model, or those that are filled to take their place. */
interface RowTables {
  readonly groups: 'fleet.container_group' | 'fleet.container_group_shadow';
  readonly counts: 'fleet.container_group_count' | 'fleet.container_group_count_shadow';
}

export const LIVE: RowTables = { groups: 'fleet.container_group', counts: 'fleet.container_group_count' };
export const SHADOW: RowTables = {
  groups: 'fleet.container_group_shadow',
  counts: 'fleet.container_group_count_shadow',
};

/** Rows of one statement: its arrays stay in the low megabytes. */
const ROWS_PER_STATEMENT = 2_000;

const COLUMNS = ROW_COLUMNS.map(({ column }) => column).join(', ');
// unnest would take an array of arrays apart, so an array column travels as text.
const GIVEN = ROW_COLUMNS.map(({ type }, i) => `$${i + 1}::${type === 'text[]' ? 'text' : type}[]`).join(', ');
const VALUES = ROW_COLUMNS.map(({ column, type }) => (type === 'text[]' ? `${column}::text[]` : column)).join(', ');
const NEWER = ROW_COLUMNS.filter(({ column }) => column !== 'stream_id')
  .map(({ column }) => `${column} = excluded.${column}`)
  .join(', ');

/** Writes rows that are not there yet, each once, and counts nothing: for a table that is filled from nothing. */
export async function fillRows(
  client: SqlClient,
  { groups }: RowTables,
  rows: readonly ContainerGroupRecord[],
): Promise<void> {
  for (const part of parts(rows)) {
    await client.query(
      `insert into ${groups} (${COLUMNS}) select ${VALUES} from unnest(${GIVEN}) as given (${COLUMNS})`,
      valuesOf(part),
    );
  }
}

/** Writes rows anew, and moves the counts by what changed. In the caller's transaction; one writer at a time. */
export async function writeRows(
  client: SqlClient,
  tables: RowTables,
  rows: readonly ContainerGroupRecord[],
): Promise<void> {
  for (const part of parts(rows)) {
    const before = await client.query(
      `with before as (select cluster_id, life, zone from ${tables.groups} where stream_id = any ($1::text[])),
            written as (
              insert into ${tables.groups} (${COLUMNS}) select ${VALUES} from unnest(${GIVEN}) as given (${COLUMNS})
              on conflict (stream_id) do update set ${NEWER}
            )
       select * from before`,
      valuesOf(part),
    );
    await recount(client, tables, before, part);
  }
}

function* parts(rows: readonly ContainerGroupRecord[]): Generator<readonly ContainerGroupRecord[]> {
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT)
    yield rows.slice(start, start + ROWS_PER_STATEMENT);
}

function valuesOf(rows: readonly ContainerGroupRecord[]): unknown[] {
  return ROW_COLUMNS.map(({ field, type }) => {
    switch (type) {
      case 'text[]':
        return rows.map((row) => arrayLiteral(row[field] as readonly string[]));
      case 'timestamptz':
        // ISO text: the driver's own form of a Date asks for the time zone of the process, and costs ten times as much.
        return rows.map((row) => (row[field] as Date | null)?.toISOString() ?? null);
      default:
        return rows.map((row) => row[field]);
    }
  });
}

function arrayLiteral(items: readonly string[]): string {
  return `{${items.map((item) => `"${item.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

type Counted = readonly [clusterId: string, life: string, zone: string];

async function recount(
  client: SqlClient,
  { counts }: RowTables,
  before: readonly Record<string, unknown>[],
  after: readonly ContainerGroupRecord[],
): Promise<void> {
  const change = new Map<string, { readonly key: Counted; by: number }>();
  const add = (key: Counted, by: number): void => {
    const text = JSON.stringify(key);
    change.set(text, { key, by: (change.get(text)?.by ?? 0) + by });
  };
  for (const row of before) add([String(row['cluster_id']), String(row['life']), textOf(row['zone'])], -1);
  for (const row of after) add([row.clusterId, row.life, row.zone ?? ''], 1);
  const changed = [...change.values()].filter(({ by }) => by !== 0);
  if (changed.length === 0) return;
  const columns = [0, 1, 2].map((i) => changed.map(({ key }) => key[i]));
  await client.query(
    `insert into ${counts} as c (cluster_id, life, zone, groups)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
     on conflict (cluster_id, life, zone) do update set groups = c.groups + excluded.groups`,
    [...columns, changed.map(({ by }) => by)],
  );
  // A count of none is no row, as after a rebuild.
  await client.query(`delete from ${counts} where groups = 0 and cluster_id = any ($1::text[])`, [
    [...new Set(changed.map(({ key }) => key[0]))],
  ]);
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
