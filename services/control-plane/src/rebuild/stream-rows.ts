import { eventsOfTypes, type SqlClient, type TimedEvent } from '#libs/event-store';

/** A row without its key `stream_id`: the columns that events alone tell, as JSON tells them; times as ISO 8601 text. */
export type RowValues = Readonly<Record<string, unknown>>;

/** A projection with at most one row for each stream, of few streams. */
export interface RowPerStream {
  readonly name: string;
  /** With its schema; its key is `stream_id`. */
  readonly table: string;
  /** How the ids of its streams begin. */
  readonly streams: string;
  /** Types of the events that its rows are made of. */
  readonly types: readonly string[];
  /** The columns that it writes. */
  readonly columns: readonly string[];
  /** The row by all events of those types, at least one, in order; undefined: there is none. Throws when one cannot be read. */
  rowOf(streamId: string, events: readonly TimedEvent[]): RowValues | undefined;
  /** Columns that people write, and for how long they stay: SQL over the rows `was` and `excluded`. Emptied otherwise, when the row changes. */
  readonly decided?: { readonly columns: readonly string[]; readonly stayWhile: string };
}

/** Writes rows of streams that the transaction holds. */
export async function writeRows(
  rows: RowPerStream,
  transaction: SqlClient,
  streamIds: readonly string[],
): Promise<void> {
  const { table, columns, decided } = rows;
  const events = await eventsOfTypes(transaction, streamIds, rows.types);
  const made = streamIds.flatMap((streamId) => {
    const row = events.has(streamId) ? rows.rowOf(streamId, events.get(streamId)!) : undefined;
    return row ? [{ stream_id: streamId, ...row }] : [];
  });
  const without = new Set(streamIds).difference(new Set(made.map(({ stream_id: streamId }) => streamId)));
  // In one order, which is that of people's decisions.
  await transaction.query(`select 1 from ${table} where stream_id = any ($1) order by stream_id for update`, [
    streamIds,
  ]);
  await transaction.query(`delete from ${table} where stream_id = any ($1)`, [[...without]]);
  const list = (of: string): string => columns.map((column) => `${of}${column}`).join(', ');
  const set = [
    ...columns.map((column) => `${column} = excluded.${column}`),
    ...(decided?.columns.map((column) => `${column} = case when ${decided.stayWhile} then was.${column} end`) ?? []),
  ];
  await transaction.query(
    `insert into ${table} as was (stream_id, ${list('')})
     select stream_id, ${list('')} from jsonb_populate_recordset(null::${table}, $1::jsonb)
     on conflict (stream_id) do update set ${set.join(', ')} where (${list('was.')}) is distinct from (${list('excluded.')})`,
    [JSON.stringify(made)],
  );
}
