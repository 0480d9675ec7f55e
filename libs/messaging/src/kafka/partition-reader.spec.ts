import { SeededRandom, type Clock } from '#libs/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CatchUp } from '../catch-up.ts';
import type { Batch, IncomingMessage } from '../messaging.ts';
import { PartitionReader, type ReaderHost } from './partition-reader.ts';
import { Turns } from './turns.ts';

const ROOM = 1_000;
const message = (offset: number): IncomingMessage => ({
  offset: String(offset),
  key: 'k',
  value: null,
  headers: {},
  timestamp: 0,
});
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A log of one partition, read as kafkajs reads: from where it stands, unless it is paused; a seek counts with the next fetch. */
class FakeKafkajs {
  readonly end: number;
  position = 0;
  paused = true;
  readonly control = {
    pause: () => void (this.paused = true),
    resume: () => void (this.paused = false),
    resumeAt: (offset: bigint) => {
      this.position = Number(offset);
      this.paused = false;
    },
  };

  constructor(end: number) {
    this.end = end;
  }

  fetch(reader: PartitionReader, count: number, size: number): void {
    if (this.paused || this.position >= this.end) return;
    const from = this.position;
    const after = Math.min(this.end, from + count);
    const messages = Array.from({ length: after - from }, (_, index) => message(from + index));
    if (reader.offer({ from: BigInt(from), messages, after: BigInt(after), bytes: size })) this.position = after;
  }
}

function start(log: FakeKafkajs, handle: (batch: Batch) => Promise<void>) {
  let stored = 0;
  const handled: number[] = [];
  const consumption: ReaderHost['consumption'] = {
    topics: ['t'],
    group: 'g',
    maxBatch: 7,
    offsets: {
      load: () => Promise.resolve({ epoch: 1, offset: String(stored) }),
      begin: () => Promise.reject(new Error('the log does not begin anew')),
    },
    handle: async (batch) => {
      await handle(batch);
      // As the transaction of a handler does it.
      if (batch.from !== String(stored)) throw new Error(`the store stands at ${stored}, not at ${batch.from}`);
      stored = Number(batch.next);
      handled.push(...batch.messages.map(({ offset }) => Number(offset)));
    },
  };
  const host: ReaderHost = {
    consumption,
    clock: { now: () => 0, sleep: soon } as unknown as Clock,
    random: new SeededRandom(1),
    catchUp: new CatchUp(consumption),
    turns: new Turns(1),
    room: ROOM,
    ranges: () => Promise.resolve(new Map([[0, { start: 0n, end: BigInt(log.end) }]])),
    trouble: () => undefined,
  };
  return { reader: new PartitionReader(host, 't', 0), handled };
}

describe('a partition', () => {
  const step = fc.record({
    count: fc.integer({ min: 1, max: 20 }),
    size: fc.integer({ min: 1, max: 600 }),
    then: fc.constantFrom('go on', 'go on', 'go on', 'refuse', 'assign', 'wait'),
  });

  it('is handled once each and in order, whatever is fetched, refused and assigned anew meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
        const log = new FakeKafkajs(200);
        let refuse = false;
        let most = 0;
        let inProgress = 0;
        const { reader, handled } = start(log, async () => {
          most = Math.max(most, (inProgress += 1));
          await soon();
          inProgress -= 1;
          if (refuse) {
            refuse = false;
            throw new Error('PostgreSQL is away');
          }
        });
        reader.assign(log.control);
        for (const { count, size, then } of steps) {
          log.fetch(reader, count, size);
          if (then === 'refuse') refuse = true;
          if (then === 'assign') {
            log.paused = true;
            reader.assign(log.control);
          }
          if (then === 'wait') for (let turn = 0; turn < 5; turn++) await soon();
        }
        for (let turn = 0; handled.length < log.end && turn < 3_000; turn++) {
          log.fetch(reader, 20, 100);
          await soon();
        }
        expect(handled).toEqual(Array.from({ length: log.end }, (_, offset) => offset));
        expect(most).toBe(1);
      }),
      { numRuns: 100 },
    );
  });

  it('is not read on while too much waits, and is again when there is room', async () => {
    const log = new FakeKafkajs(1_000);
    const gate = Promise.withResolvers<void>();
    const { reader, handled } = start(log, () => gate.promise);
    reader.assign(log.control);
    while (log.paused) await soon();

    for (let i = 0; i < 50; i++) log.fetch(reader, 5, 200);
    await soon();

    // One batch is in work, and what waits is one fetch above the bound at most.
    expect(log.paused).toBe(true);
    expect(log.position).toBeLessThanOrEqual(5 * (1 + ROOM / 200 + 1));
    gate.resolve();
    while (log.paused) await soon();
    while (handled.length < log.position) await soon();
    expect(handled).toEqual(Array.from({ length: log.position }, (_, offset) => offset));
  });

  it('gives what came while a batch was handled together, as far as a batch may hold it', async () => {
    const log = new FakeKafkajs(11);
    const gate = Promise.withResolvers<void>();
    const sizes: number[] = [];
    const { reader, handled } = start(log, ({ messages }) => {
      sizes.push(messages.length);
      return gate.promise;
    });
    reader.assign(log.control);
    while (log.paused) await soon();

    for (let i = 0; i < 11; i++) log.fetch(reader, 1, 10);
    gate.resolve();
    while (handled.length < 11) await soon();

    expect(sizes).toEqual([1, 7, 3]);
  });
});
