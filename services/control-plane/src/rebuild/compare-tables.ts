import type { PoolClient } from 'pg';
import { asSqlClient, PostgresCatalogue } from '#libs/event-store';
import type { Difference } from '../streams/projection.ts';
import type { TablesBeside } from './tables-beside.ts';

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
  tables: TablesBeside,
  client: PoolClient,
  { parked, most }: { readonly parked: ReadonlySet<string>; readonly most: number },
): Promise<Comparison> {
  const serving = await hashes(client, tables.serving);
  const rebuilt = await hashes(client, tables.made);
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
  for await (const pairs of unequalPairs(tables, client, suspects)) {
    // A read model that is wrong from top to bottom need not be folded to its last row to be told so.
    if (found.length > most) break;
    const facts = await new PostgresCatalogue(asSqlClient(client)).abridged(
      pairs.flatMap(({ live, stream_id }) => (live === null ? [] : stream_id)),
    );
    for (const pair of pairs) {
      const { stream_id: streamId, live: serving, shadow: made } = pair;
      const judged = tables.judge({ streamId, serving, made }, facts.get(streamId) ?? []);
      const version = (row: Record<string, unknown> | null): number => Number(row?.['stream_version'] ?? 0);
      if (version(serving) > version(made)) behind.push(streamId);
      if (judged === undefined || parked.has(streamId)) {
        moving += 1;
        servingHash ^= bits(pair.live_hash);
        rebuiltHash ^= bits(pair.shadow_hash);
      } else found.push({ streamId, what: judged });
    }
  }
  found.push(...(await tables.miscounted(client)));
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

async function* unequalPairs(
  tables: TablesBeside,
  client: PoolClient,
  buckets: readonly number[],
): AsyncGenerator<readonly Pair[]> {
  if (buckets.length === 0) return;
  const of = (table: string): string =>
    `(select g.stream_id, to_jsonb(g) as record, hashtextextended(g::text, 0) as hash from ${table} g
       where hashtext(g.stream_id) & ${GROUPS - 1} = any ($1::int[]))`;
  // A cursor: a read model that is wrong from top to bottom must not fill the memory.
  await client.query(
    `declare unequal no scroll cursor for
     select coalesce(l.stream_id, s.stream_id) as stream_id, l.record as live, s.record as shadow, l.hash::text as live_hash, s.hash::text as shadow_hash
       from ${of(tables.serving).replaceAll('$1', `'{${buckets.join(',')}}'`)} l
       full join ${of(tables.made).replaceAll('$1', `'{${buckets.join(',')}}'`)} s on s.stream_id = l.stream_id
      where l.hash is distinct from s.hash`,
  );
  for (;;) {
    const { rows } = await client.query<Pair>(`fetch ${ROWS_AT_ONCE} from unequal`);
    if (rows.length === 0) break;
    yield rows;
  }
}

const bits = (hash: string | null): bigint => BigInt.asUintN(64, BigInt(hash ?? '0'));
const hex = (hash: bigint): string => hash.toString(16).padStart(16, '0');
const total = (groups: ReadonlyMap<number, GroupHash>): bigint =>
  [...groups.values()].reduce((all, { hash }) => all ^ bits(hash), 0n);
