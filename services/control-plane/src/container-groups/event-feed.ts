import {
  BEGINNING,
  CursorOfAnotherLog,
  decodeCursor,
  encodeCursor,
  InvalidCursor,
  type Catalogue,
  type EventStore,
  type RecordedEvent,
} from '#libs/event-store';
import { invalid, Refusal } from '../answers/refusal.ts';

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
  private readonly catalogue: Catalogue;

  constructor(parts: { readonly store: EventStore; readonly catalogue: Catalogue }) {
    this.store = parts.store;
    this.catalogue = parts.catalogue;
  }

  /** Events after a cursor: `undefined` = from the first, `now` = none yet, only the place. */
  async page(
    after: string | undefined,
    limit: number,
  ): Promise<{ readonly events: readonly RecordedEvent[]; readonly next: string }> {
    if (after === 'now') return { events: [], next: encodeCursor(await this.catalogue.head()) };
    try {
      const { events, next } = await this.store.readAll(after === undefined ? BEGINNING : decodeCursor(after), limit);
      return { events, next: encodeCursor(next) };
    } catch (error) {
      if (error instanceof InvalidCursor) throw invalid([{ parameter: 'after', detail: error.message }]);
      if (error instanceof CursorOfAnotherLog) throw new Refusal('cursor-of-another-log', error.message);
      throw error;
    }
  }

  /** The newest events, newest first. */
  newest(limit: number): Promise<readonly RecordedEvent[]> {
    return this.catalogue.newest(limit);
  }

  /** How far the read model has come, as a cursor of the feed. */
  async projected(): Promise<string> {
    return encodeCursor((await this.catalogue.progressOf('project')) ?? BEGINNING);
  }
}
