import type { Pool } from 'pg';
import {
  BEGINNING,
  CursorOfAnotherLog,
  decodeCursor,
  encodeCursor,
  InvalidCursor,
  type Cursor,
  type EventStore,
  type RecordedEvent,
} from '#libs/event-store';
import { invalid, Problem, problemType } from '../http/problem.ts';

interface CursorColumns {
  readonly generation: number;
  readonly transaction_id: string;
  readonly position: string;
}

/** Whether the text is a cursor that the feed gave. */
export function isFeedCursor(text: string): boolean {
  try {
    decodeCursor(text);
    return true;
  } catch (error) {
    if (error instanceof InvalidCursor) return false;
    throw error;
  }
}

/** Reads the log for people: pages from a cursor, the newest events, and places to begin at. */
export class EventFeed {
  private readonly store: EventStore;
  private readonly pool: Pool;

  constructor(parts: { readonly store: EventStore; readonly pool: Pool }) {
    this.store = parts.store;
    this.pool = parts.pool;
  }

  /** Events after a cursor: `undefined` = from the first, `now` = none yet, only the place. */
  async page(
    after: string | undefined,
    limit: number,
  ): Promise<{ readonly events: readonly RecordedEvent[]; readonly next: string }> {
    if (after === 'now') return { events: [], next: encodeCursor(await this.head()) };
    try {
      const { events, next } = await this.store.readAll(after === undefined ? BEGINNING : decodeCursor(after), limit);
      return { events, next: encodeCursor(next) };
    } catch (error) {
      if (error instanceof InvalidCursor) throw invalid([{ parameter: 'after', detail: error.message }]);
      if (error instanceof CursorOfAnotherLog) {
        throw new Problem({
          status: 410,
          type: problemType('cursor-of-another-log'),
          title: 'Log was replaced',
          detail: error.message,
        });
      }
      throw error;
    }
  }

  /** The newest events, newest first. */
  async newest(limit: number): Promise<readonly RecordedEvent[]> {
    const { rows } = await this.pool.query<{ stream_id: string; version: string }>(
      `select stream_id, version from es.event where transaction_id < es.horizon() order by transaction_id desc, position desc limit $1`,
      [limit],
    );
    const streams = await this.store.loadMany(rows.map((row) => row.stream_id));
    return rows.flatMap(
      (row) => streams.get(row.stream_id)?.find((event) => event.version === Number(row.version)) ?? [],
    );
  }

  /** How far the read model has come, as a cursor of the feed. */
  async projected(): Promise<string> {
    const { rows } = await this.pool.query<CursorColumns>(
      `select generation, last_transaction_id::text as transaction_id, last_position::text as position from es.subscription where name = 'project'`,
    );
    return encodeCursor(rows[0] ? cursorOf(rows[0]) : BEGINNING);
  }

  /** Behind the last event that every reader may see. */
  private async head(): Promise<Cursor> {
    const { rows } = await this.pool.query<CursorColumns>(
      `select (select generation from es.log) as generation, transaction_id::text as transaction_id, position::text as position
         from es.event where transaction_id < es.horizon() order by es.event.transaction_id desc, es.event.position desc limit 1`,
    );
    return rows[0] ? cursorOf(rows[0]) : BEGINNING;
  }
}

const cursorOf = (row: CursorColumns): Cursor => ({
  generation: row.generation,
  transactionId: row.transaction_id,
  position: row.position,
});
