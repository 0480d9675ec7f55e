import { eventsOfTypes, PostgresCatalogue, type SqlClient } from '#libs/event-store';
import { errorMessage } from '#libs/observability';
import type { Difference } from '../streams/projection.ts';
import type { FailedStream } from './tables-beside.ts';
import type { RowPerStream } from './stream-rows.ts';

/** Streams of one statement. */
const PAGE = 200;

interface ComparedRows {
  readonly rows: number;
  readonly events: number;
  readonly differences: readonly Required<Difference>[];
  readonly failed: readonly FailedStream[];
}

/** Streams that take new work, and those that have a row, in the order of their ids. */
export async function* pagesOf({ streams, table }: RowPerStream, client: SqlClient): AsyncGenerator<readonly string[]> {
  const open = await new PostgresCatalogue(client).openStreams(streams);
  const rows = await client.query(`select stream_id from ${table}`);
  const all = [...new Set([...open.keys(), ...rows.map((row) => String(row['stream_id']))])].sort();
  for (let start = 0; start < all.length; start += PAGE) yield all.slice(start, start + PAGE);
}

/** In what the rows of all streams are not what their events tell, in the snapshot of `client`. A stream that cannot be read is one of them. */
export async function differencesOf(rows: RowPerStream, client: SqlClient): Promise<readonly Difference[]> {
  const all: Difference[] = [];
  for await (const page of pagesOf(rows, client)) {
    const { differences, failed } = await compareRows(rows, client, page);
    all.push(...differences, ...failed.map(({ streamId, error }) => ({ streamId, what: `cannot be read: ${error}` })));
  }
  return all;
}

/** The rows of these streams and their events, as `client` sees both. */
export async function compareRows(
  rows: RowPerStream,
  client: SqlClient,
  streamIds: readonly string[],
): Promise<ComparedRows> {
  const { table, columns, types } = rows;
  const events = await eventsOfTypes(client, streamIds, types);
  const made: { readonly stream_id: string }[] = [];
  const failed: FailedStream[] = [];
  for (const [streamId, told] of events) {
    try {
      const row = rows.rowOf(streamId, told);
      if (row) made.push({ stream_id: streamId, ...row });
    } catch (error) {
      failed.push({ streamId, version: told.at(-1)!.version, error: errorMessage(error) });
    }
  }
  // The database compares: what it makes of a value is what stands in a row.
  const differs = columns.map((column) => `case when s.${column} is distinct from m.${column} then '${column}' end`);
  const found = (await client.query(
    `select coalesce(s.stream_id, m.stream_id) as stream_id, s.stream_id is null as missing, m.stream_id is null as needless,
            concat_ws(', ', ${differs.join(', ')}) as columns
       from (select * from ${table} where stream_id = any ($1)) s
       full join jsonb_populate_recordset(null::${table}, $2::jsonb) m on m.stream_id = s.stream_id
      where s.stream_id is null or m.stream_id is null or (${columns.map((column) => `s.${column}`).join(', ')})
            is distinct from (${columns.map((column) => `m.${column}`).join(', ')})
      order by 1`,
    [streamIds, JSON.stringify(made)],
  )) as unknown as readonly { stream_id: string; missing: boolean; needless: boolean; columns: string }[];
  const broken = new Set(failed.map(({ streamId }) => streamId));
  const differences = found
    .filter((row) => !broken.has(row.stream_id))
    .map(({ stream_id: streamId, missing, needless, columns: names }) => ({
      streamId,
      what: missing
        ? `is missing in ${table}`
        : needless
          ? `is a row of ${table} that its events do not tell`
          : `differs in ${names} in ${table}`,
    }));
  return {
    rows: made.length,
    events: [...events.values()].reduce((sum, { length }) => sum + length, 0),
    differences,
    failed,
  };
}
