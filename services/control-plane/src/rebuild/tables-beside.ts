import type { PoolClient } from 'pg';
import type { AbridgedEvent, SqlClient } from '#libs/event-store';
import type { Difference } from '../streams/projection.ts';

/** Rows of streams, and those whose events cannot be folded. */
export interface Folded<Row> {
  readonly rows: readonly Row[];
  readonly failed: readonly FailedStream[];
  readonly events: number;
}

export interface FailedStream {
  readonly streamId: string;
  /** Its last event. */
  readonly version: number;
  readonly error: string;
}

/** A stream whose row differs; null: there is none. Rows as JSON tells them. */
export interface Pair {
  readonly streamId: string;
  readonly serving: Readonly<Record<string, unknown>> | null;
  readonly made: Readonly<Record<string, unknown>> | null;
}

/**
 * Tables of a projection that are made anew beside those that serve, and then take their place. That of its rows has one for each stream, with
 * `stream_id` and `stream_version`. Functions `fleet.*_rebuild` of the database make and swap them.
 */
export interface TablesBeside<Row = unknown> {
  readonly serving: string;
  readonly made: string;
  /** Its streams among these places, each once, in order of first appearance. */
  ownOf(places: readonly { readonly streamId: string }[]): readonly string[];
  /** By the events as they are in the transaction of `client`. */
  fold(client: SqlClient, streamIds: readonly string[]): Promise<Folded<Row>>;
  /** Rows that are not there yet; what is counted of them follows with {@link count}. */
  fill(client: SqlClient, rows: readonly Row[]): Promise<void>;
  /** Rows that may be there, and what is counted of them. */
  write(client: SqlClient, rows: readonly Row[]): Promise<void>;
  /** Counts what was filled, which may take long; returns what writes the counts anew, which does not. */
  count(client: SqlClient): Promise<(client: SqlClient) => Promise<void>>;
  /** What is wrong in a row that serves, by the events of its stream; undefined: nothing, it stands at another version than the one that was made. */
  judge(pair: Pair, events: readonly AbridgedEvent[]): string | undefined;
  /** What the tables that serve say of themselves in two places, and not alike. */
  miscounted(client: PoolClient): Promise<readonly Difference[]>;
}
