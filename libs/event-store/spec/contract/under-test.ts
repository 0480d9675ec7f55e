import { BEGINNING } from '../../src/cursor.ts';
import type { Catalogue } from '../../src/catalogue.ts';
import type { Checkpoints } from '../../src/checkpoints.ts';
import type {
  Cursor,
  EffectChange,
  EffectQueue,
  EventStore,
  GateQueue,
  NewEvent,
  RecordedEvent,
  TimerQueue,
} from '../../src/event-store.ts';
import type { LaneDepth } from '../../src/postgres-effect-queue.ts';

/** An empty store with its queues, and a clock that stands still until a test moves it. */
export interface StoreUnderTest {
  readonly store: EventStore;
  readonly effects: EffectQueue & { depth(): Promise<readonly LaneDepth[]> };
  readonly gates: GateQueue;
  readonly timers: TimerQueue;
  readonly catalogue: Catalogue;
  /** Handlers of the suite write nothing of their own. */
  readonly checkpoints: Checkpoints<unknown>;
  /** Streams that take no new work, by name. */
  closedStreams(): Promise<readonly string[]>;
  /** Milliseconds by which all of its time jumps ahead; negative: back. */
  advance(ms: number): Promise<void>;
  /** Resolves when readers may see every event appended so far: anybody's open transaction may hide them for a while. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

let ids = 0;

/** An event with an id of its own. */
export function event(type = 'SomethingHappened', data: NewEvent['data'] = {}): NewEvent {
  const eventId = `00000000-0000-4000-8000-${(++ids).toString(16).padStart(12, '0')}`;
  return { eventId, type, schemaVersion: 1, data, metadata: { actor: 'test', decidedAt: '2026-01-02T03:04:05.678Z' } };
}

export function put(key: string, more: Partial<Extract<EffectChange, { op: 'put' }>> = {}): EffectChange {
  return { op: 'put', kind: 'Place', key, lane: 'lane', tenant: 'c1', priority: 0, afterMs: 0, data: {}, ...more };
}

/** Changes what a caller was given as far as it lets itself be changed. */
export function spoil(given: object): void {
  for (const [key, value] of Object.entries(given)) {
    if (typeof value === 'object' && value !== null) spoil(value as object);
    Reflect.set(given, key, 'spoilt');
  }
  Reflect.set(given, 'more', 1);
}

/** Every event from `after` on that was appended before the call. */
export async function readAll(
  { store, settled }: Pick<StoreUnderTest, 'store' | 'settled'>,
  after: Cursor = BEGINNING,
  limit = 100,
): Promise<RecordedEvent[]> {
  await settled();
  const all: RecordedEvent[] = [];
  for (let cursor = after; ;) {
    const { events, next } = await store.readAll(cursor, limit);
    all.push(...events);
    if (events.length === 0) return all;
    cursor = next;
  }
}
