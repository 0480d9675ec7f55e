import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BEGINNING, compareCursors } from './cursor.ts';
import type { Cursor, RecordedEvent } from './event-store.ts';
import { KnownStreams } from './known-streams.ts';
import { LogTail } from './log-tail.ts';

function recorded(streamId: string, version: number, position: number, generation = 1): RecordedEvent {
  return {
    streamId,
    version,
    cursor: { generation, transactionId: String(700 + Math.floor(position / 3)), position: String(position) },
    recordedAt: '2026-01-01T00:00:00.000Z',
    eventId: `${streamId}-${version}-${generation}`,
    type: 'Happened',
    schemaVersion: 1,
    data: {},
    metadata: { actor: 'test', decidedAt: '2026-01-01T00:00:00.000Z' },
  };
}

const stream = (id: string, length: number, generation = 1): RecordedEvent[] =>
  Array.from({ length }, (_, index) => recorded(id, index + 1, index, generation));

describe('known streams', () => {
  it('answer what the database holds, whatever was read, added, forgotten or restored before', () => {
    const step = fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      grows: fc.nat(3),
      feed: fc.boolean(),
      restored: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const known = new KnownStreams(2);
        const database = new Map<string, RecordedEvent[]>();
        let generation = 1;
        for (const { id, grows, feed, restored } of steps) {
          if (restored) generation += 1;
          const before = database.get(id) ?? [];
          // A restore makes the same streams of other events.
          const now = stream(id, restored ? Math.max(1, before.length - grows) : before.length + grows + 1, generation);
          database.set(id, now);
          if (feed) now.slice(before.length).forEach((event) => known.add(event));
          const after = known.version(id);
          const head = { version: now.length, generation };
          const first = known.complete(id, head, now.slice(after));
          const events = first ?? known.complete(id, head, now);
          expect(events?.map((event) => event.eventId)).toEqual(now.map((event) => event.eventId));
        }
      }),
    );
  });

  it('answer no more than the head said, though another reader has added to them meanwhile', () => {
    const known = new KnownStreams(2);
    const now = stream('a', 3);
    known.complete('a', { version: 3, generation: 1 }, now);

    expect(known.complete('a', { version: 2, generation: 1 }, now.slice(0, 2))).toHaveLength(2);
    expect(known.version('a')).toBe(3);
  });
});

describe('the tail of the log', () => {
  const log = stream('a', 60);
  const end = (index: number): Cursor => (index === 0 ? { ...BEGINNING, generation: 1 } : log[index - 1]!.cursor);
  const readAll = (after: Cursor, limit: number): RecordedEvent[] =>
    log.filter(({ cursor }) => compareCursors(cursor, after) > 0).slice(0, limit);

  it('says what a read would say, or nothing', () => {
    const read = fc.record({ at: fc.nat(60), limit: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(fc.array(read, { maxLength: 30 }), (reads) => {
        const tail = new LogTail(15);
        for (const { at, limit } of reads) {
          const known = tail.after(end(at), limit);
          if (known) {
            expect(known.length).toBeGreaterThan(0);
            expect(known).toEqual(readAll(end(at), known.length));
          }
          const from = known?.at(-1)?.cursor ?? end(at);
          tail.add(from, readAll(from, limit));
        }
      }),
    );
  });

  it('knows nothing of another log', () => {
    const tail = new LogTail(15);
    tail.add(end(0), readAll(end(0), 10));

    expect(tail.after({ ...end(5), generation: 2 }, 10)).toBeUndefined();
    expect(tail.after(end(5), 10)).toHaveLength(5);
  });
});
