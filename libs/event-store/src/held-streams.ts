import type { AbridgedEvent } from './catalogue.ts';
import type { JsonObject } from './event-store.ts';
import type { SqlClient } from './sql-client.ts';
import { isStorable } from './storable.ts';

/** An event with the very time of the database at which it was recorded: ISO 8601 UTC with microseconds. */
export interface TimedEvent extends AbridgedEvent {
  readonly recordedAt: string;
}

interface Row {
  readonly stream_id: string;
  readonly version: string;
  readonly type: string;
  readonly schema_version: number;
  readonly data: JsonObject;
  readonly decided_at: string;
  readonly recorded_at: string;
}

/**
 * Keeps these streams as they are until the transaction of `sql` ends: who appends to one of them waits. What is read of them after this is all that
 * there is, so that of several who write rows of a stream the last one has seen the most.
 */
export async function holdStreams(sql: SqlClient, streamIds: readonly string[]): Promise<void> {
  await sql.query('select es.hold_streams($1)', [streamIds.filter(isStorable)]);
}

/** Events of these types, by stream and in order of version; streams without any are absent. */
export async function eventsOfTypes(
  sql: SqlClient,
  streamIds: readonly string[],
  types: readonly string[],
): Promise<ReadonlyMap<string, readonly TimedEvent[]>> {
  const rows = (await sql.query(
    `select e.stream_id, e.version, e.type, e.schema_version, e.data, e.metadata ->> 'decidedAt' as decided_at,
            to_char(e.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as recorded_at
       from es.load($1) e where e.type = any ($2) order by e.stream_id, e.version`,
    [streamIds.filter(isStorable), types],
  )) as unknown as readonly Row[];
  return Map.groupBy(
    rows.map((row): TimedEvent => ({
      streamId: row.stream_id,
      version: Number(row.version),
      type: row.type,
      schemaVersion: row.schema_version,
      data: row.data,
      metadata: { decidedAt: row.decided_at },
      recordedAt: row.recorded_at,
    })),
    ({ streamId }) => streamId,
  );
}
