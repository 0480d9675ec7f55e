import { compareCursors } from './cursor.ts';
import type { Cursor, RecordedEvent } from './event-store.ts';

/**
 * The newest events of the log as they were read, without a gap, for all readers of a process: what one has read the others need not fetch again.
 * Nothing can appear later within it: a reader is only shown what is settled.
 */
export class LogTail {
  private readonly max: number;
  private events: RecordedEvent[] = [];
  private begin: Cursor | undefined;
  private end: Cursor | undefined;

  /** `max`: events kept. */
  constructor(max: number) {
    this.max = max;
  }

  /** Events after the cursor, at most `limit`; undefined when they have to be read. Never empty. */
  after(cursor: Cursor, limit: number): readonly RecordedEvent[] | undefined {
    const { begin, end } = this;
    if (!begin || !end || cursor.generation !== end.generation) return undefined;
    if (compareCursors(cursor, begin) < 0 || compareCursors(cursor, end) >= 0) return undefined;
    const first = this.firstAfter(cursor);
    return this.events.slice(first, first + limit);
  }

  /** What was read after a cursor. True when it is news: it follows what is known, or lies beyond it. */
  add(after: Cursor, read: readonly RecordedEvent[]): boolean {
    const last = read.at(-1);
    if (!last) return false;
    const { end } = this;
    const same = end?.generation === last.cursor.generation;
    if (same && compareCursors(last.cursor, end) <= 0) return false;
    if (same && compareCursors(after, end) === 0) {
      this.events.push(...read);
    } else if (same && compareCursors(after, end) < 0) {
      // It overlaps: what is known of it lies before the end.
      this.events.push(...read.filter((event) => compareCursors(event.cursor, end) > 0));
    } else {
      this.events = [...read];
      this.begin = { ...after, generation: last.cursor.generation };
    }
    this.end = last.cursor;
    const over = this.events.length - this.max;
    if (over > 0) {
      this.begin = this.events[over - 1]!.cursor;
      this.events.splice(0, over);
    }
    return true;
  }

  private firstAfter(cursor: Cursor): number {
    let [low, high] = [0, this.events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareCursors(this.events[middle]!.cursor, cursor) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
