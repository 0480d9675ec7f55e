import type { PoolClient } from 'pg';
import { asSqlClient, PostgresCatalogue } from '#libs/event-store';
import { containerGroupRow, type PlacedFact } from '../container-groups/container-group-row.ts';
import type { ContainerGroupRecord } from '../container-groups/container-group.entity.ts';
import { recordOf } from '../container-groups/row-columns.ts';
import { differences } from '../container-groups/row-differences.ts';

/** One row, or one count, in which the serving tables are wrong. Never holds values: they may be long, and columns say enough. */
export interface Difference {
  readonly what: string;
  readonly streamId?: string;
}

export interface Comparison {
  /** Hashes over all rows that stand at the same version on both sides, 16 hex digits each. */
  readonly serving: string;
  readonly rebuilt: string;
  readonly rows: number;
  /** Rows whose stream went on between the two folds: compared at their own version, and left out of the hashes. */
  readonly moving: number;
  readonly differences: readonly Difference[];
  /** More were found than are listed. */
  readonly more: boolean;
  /** Streams whose new row would show less than the one that serves: to be folded once more. */
  readonly behind: readonly string[];
}

/** Rows are hashed in groups, so that only groups that differ are looked at row by row. */
const GROUPS = 4_096;
const ROWS_AT_ONCE = 500;

interface GroupHash {
  readonly bucket: number;
  readonly rows: string;
  readonly hash: string;
}

interface Pair {
  readonly stream_id: string;
  readonly live: Record<string, unknown> | null;
  readonly shadow: Record<string, unknown> | null;
  readonly live_hash: string | null;
  readonly shadow_hash: string | null;
}

/**
 * Compares the tables that serve with those that were rebuilt, both at one place of the log. `client` reads one snapshot in which both stand
 * there. `parked`: streams whose serving rows are known to lag.
 */
export async function compareTables(
  client: PoolClient,
  { parked, most }: { readonly parked: ReadonlySet<string>; readonly most: number },
): Promise<Comparison> {
  const serving = await hashes(client, 'fleet.container_group');
  const rebuilt = await hashes(client, 'fleet.container_group_shadow');
  let servingHash = total(serving);
  let rebuiltHash = total(rebuilt);
  const rows = [...rebuilt.values()].reduce((sum, group) => sum + Number(group.rows), 0);
  const suspects = [...new Set([...serving.keys(), ...rebuilt.keys()])].filter(
    (bucket) =>
      serving.get(bucket)?.hash !== rebuilt.get(bucket)?.hash ||
      serving.get(bucket)?.rows !== rebuilt.get(bucket)?.rows,
  );
  const found: Difference[] = [];
  const behind: string[] = [];
  let moving = 0;
  for await (const pairs of unequalPairs(client, suspects)) {
    // A read model that is wrong from top to bottom need not be folded to its last row to be told so.
    if (found.length > most) break;
    const facts = await new PostgresCatalogue(asSqlClient(client)).abridged(
      pairs.flatMap(({ live, stream_id }) => (live === null ? [] : stream_id)),
    );
    for (const pair of pairs) {
      const judged = judge(pair, facts.get(pair.stream_id) ?? []);
      const version = (row: Record<string, unknown> | null): number => Number(row?.['stream_version'] ?? 0);
      if (version(pair.live) > version(pair.shadow)) behind.push(pair.stream_id);
      if (judged === undefined || parked.has(pair.stream_id)) {
        moving += 1;
        servingHash ^= bits(pair.live_hash);
        rebuiltHash ^= bits(pair.shadow_hash);
      } else found.push({ streamId: pair.stream_id, what: judged });
    }
  }
  found.push(...(await countDifferences(client)));
  return {
    serving: hex(servingHash),
    rebuilt: hex(rebuiltHash),
    rows,
    moving,
    differences: found.slice(0, most),
    more: found.length > most,
    behind,
  };
}

async function hashes(client: PoolClient, table: string): Promise<ReadonlyMap<number, GroupHash>> {
  const { rows } = await client.query<GroupHash>(
    `select hashtext(stream_id) & ${GROUPS - 1} as bucket, count(*) as rows, bit_xor(hashtextextended(g::text, 0))::text as hash
       from ${table} g group by 1`,
  );
  return new Map(rows.map((row) => [row.bucket, row]));
}

async function* unequalPairs(client: PoolClient, buckets: readonly number[]): AsyncGenerator<readonly Pair[]> {
  if (buckets.length === 0) return;
  const of = (table: string): string =>
    `(select g.stream_id, to_jsonb(g) as record, hashtextextended(g::text, 0) as hash from ${table} g
       where hashtext(g.stream_id) & ${GROUPS - 1} = any ($1::int[]))`;
  // A cursor: a read model that is wrong from top to bottom must not fill the memory.
  await client.query(
    `declare unequal no scroll cursor for
     select coalesce(l.stream_id, s.stream_id) as stream_id, l.record as live, s.record as shadow, l.hash::text as live_hash, s.hash::text as shadow_hash
       from ${of('fleet.container_group').replaceAll('$1', `'{${buckets.join(',')}}'`)} l
       full join ${of('fleet.container_group_shadow').replaceAll('$1', `'{${buckets.join(',')}}'`)} s on s.stream_id = l.stream_id
      where l.hash is distinct from s.hash`,
  );
  for (;;) {
    const { rows } = await client.query<Pair>(`fetch ${ROWS_AT_ONCE} from unequal`);
    if (rows.length === 0) break;
    yield rows;
  }
}

/** Undefined when nothing is wrong: both rows are folds of their stream, at different versions. */
function judge({ live, shadow }: Pair, facts: readonly PlacedFact[]): string | undefined {
  if (live === null) return 'is missing in the table that serves';
  if (facts.length === 0) return 'is a row without any event';
  const row = jsonRecord(live);
  const version = Number(row.streamVersion);
  if (version > facts.length || version < 1) return `shows version ${version}, its stream ends with ${facts.length}`;
  if (shadow !== null && version === Number(shadow['stream_version']))
    return `differs in ${differences(jsonRecord(shadow), row).join(', ') || 'its text'} at version ${version}`;
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

async function countDifferences(client: PoolClient): Promise<readonly Difference[]> {
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

const bits = (hash: string | null): bigint => BigInt.asUintN(64, BigInt(hash ?? '0'));
const hex = (hash: bigint): string => hash.toString(16).padStart(16, '0');
const total = (groups: ReadonlyMap<number, GroupHash>): bigint =>
  [...groups.values()].reduce((all, { hash }) => all ^ bits(hash), 0n);
