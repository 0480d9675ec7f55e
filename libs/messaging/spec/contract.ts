/** What every adapter of the port must do. Run by `in-process.spec.ts` and `kafka.int.spec.ts`. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  bytes,
  MemoryOffsets,
  message,
  startReader,
  text,
  within,
  type Reader,
  type ReaderOptions,
  type Rig,
} from './contract-reader.ts';
import type { Batch, Messaging, MessagingEvent } from '../src/messaging.ts';

let topicCount = 0;

/** Partitions of which the last word is that they wait. */
function failing(events: readonly MessagingEvent[]): number[] {
  const last = new Map<number, boolean>();
  for (const event of events) {
    if (event.kind === 'batch-failed') last.set(event.partition, true);
    if (event.kind === 'goes-on') last.set(event.partition, false);
  }
  return [...last].flatMap(([partition, waits]) => (waits ? [partition] : []));
}

export function messagingContract(name: string, make: () => Promise<Rig>): void {
  describe(`messaging contract: ${name}`, () => {
    let rig: Rig;
    let producer: Messaging;

    beforeAll(async () => {
      rig = await make();
      producer = rig.messaging();
    });
    afterAll(async () => {
      await producer?.close();
      await rig?.close();
    });

    async function topic(options: { partitions?: number; compacted?: boolean } = {}): Promise<string> {
      const fresh = `contract-${process.pid}-${Date.now().toString(36)}-${topicCount++}`;
      const made = await producer.ensureTopics([{ name: fresh, partitions: options.partitions ?? 1, ...options }]);
      expect(made).toEqual([fresh]);
      return fresh;
    }

    const reader = (topics: readonly string[], options: ReaderOptions = {}): Promise<Reader> =>
      startReader(rig, topics, options);

    it('makes topics once and says which were new', async () => {
      const existing = await topic();
      expect(await producer.ensureTopics([{ name: existing, partitions: 1 }])).toEqual([]);
    });

    it('delivers every message with key, value, headers and time, in order for each key', async () => {
      const name = await topic({ partitions: 3 });
      const r = await reader([name]);
      const sent = Array.from({ length: 300 }, (_, i) => ({
        key: `k${i % 7}`,
        value: bytes(`${i}`),
        headers: { traceparent: `t${i}`, ümlaut: 'größe' },
      }));
      const before = Date.now();
      await Promise.all([
        producer.publish(name, sent.slice(0, 100)),
        producer.publish(name, sent.slice(100, 200)),
        producer.publish(name, sent.slice(200)),
      ]);
      await vi.waitFor(() => expect(r.messages).toHaveLength(300), within);
      for (let key = 0; key < 7; key++) {
        const got = r.messages.filter((each) => each.key === `k${key}`);
        expect(got.map((each) => text(each.value))).toEqual(
          sent.filter((each) => each.key === `k${key}`).map((each) => text(each.value)),
        );
        expect(new Set(got.map((each) => each.partition)).size).toBe(1);
      }
      expect(new Set(r.messages.map((each) => each.partition)).size).toBeGreaterThan(1);
      expect(r.messages.find((each) => text(each.value) === '5')?.headers).toEqual({
        traceparent: 't5',
        ümlaut: 'größe',
      });
      // Broker and test share a machine, so their clocks agree.
      expect(r.messages[0]?.timestamp).toBeGreaterThanOrEqual(before - 5_000);
      await r.leave();
    });

    it('takes many calls at once, again and again', async () => {
      const name = await topic({ partitions: 2 });
      const r = await reader([name]);
      for (let round = 0; round < 5; round++) {
        const calls = Array.from({ length: 40 }, (_, i) =>
          producer.publish(name, [message(`k${i % 5}`, `${round}/${i}`)], 5_000),
        );
        await Promise.all(calls);
      }
      await vi.waitFor(() => expect(r.messages).toHaveLength(200), within);
      await r.leave();
    });

    it('splits into batches of at most maxBatch whose offsets join without a gap', async () => {
      const name = await topic();
      await producer.publish(
        name,
        Array.from({ length: 25 }, (_, i) => message('k', `${i}`)),
      );
      const r = await reader([name], { maxBatch: 10 });
      await vi.waitFor(() => expect(r.messages).toHaveLength(25), within);
      expect(Math.max(...r.batches.map((batch) => batch.messages.length))).toBeLessThanOrEqual(10);
      expect(r.batches[0]?.from).toBe('0');
      for (const [i, batch] of r.batches.entries()) if (i > 0) expect(batch.from).toBe(r.batches[i - 1]?.next);
      expect(r.batches.at(-1)?.next).toBe('25');
      await r.leave();
    });

    it('redelivers a batch that was refused, keeps the order, and lets other partitions go on', async () => {
      const name = await topic({ partitions: 2 });
      let poisoned = '';
      let refusals = 0;
      const r = await reader([name], {
        handle: (batch) => {
          if (batch.messages.some((each) => each.key === poisoned) && refusals < 3) {
            refusals += 1;
            return Promise.reject(new Error('PostgreSQL is away'));
          }
          return Promise.resolve();
        },
      });
      // Two keys that live in different partitions.
      await producer.publish(
        name,
        Array.from({ length: 16 }, (_, i) => message(`probe${i}`, 'probe')),
      );
      await vi.waitFor(() => expect(r.messages).toHaveLength(16), within);
      const first = r.messages.find((each) => each.partition === 0)?.key ?? '';
      const second = r.messages.find((each) => each.partition === 1)?.key ?? '';
      poisoned = first;
      await producer.publish(name, [message(first, 'a'), message(first, 'b'), message(second, 'c')]);
      await vi.waitFor(() => expect(r.values()).toContain('c'), within);
      await vi.waitFor(() => expect(r.values()).toContain('b'), within);
      expect(refusals).toBe(3);
      expect(r.values().filter((value) => value === 'a' || value === 'b')).toEqual(['a', 'b']);
      expect(r.values().filter((value) => value === 'c')).toEqual(['c']);
      const failures = r.events.flatMap((event) => (event.kind === 'batch-failed' ? [event.failures] : []));
      expect(failures).toEqual([1, 2, 3]);
      expect(failing(r.events)).toEqual([]);
      await r.leave();
    });

    it('lets nobody wait for a handler that is slow with other partitions', async () => {
      const name = await topic({ partitions: 6 });
      const slow = new Set<number>();
      const gate = Promise.withResolvers<void>();
      const r = await reader([name], {
        handle: async (batch) => {
          if (!batch.messages.some(({ key }) => key === 'slow')) return;
          slow.add(batch.partition);
          await gate.promise;
        },
      });
      // given a batch that is in work
      await producer.publish(name, [message('slow', 'slow')]);
      await vi.waitFor(() => expect(slow.size).toBe(1), within);
      // when messages come, one after another, to all partitions
      const keys = Array.from({ length: 24 }, (_, i) => `k${i}`);
      const others = (): string[] => r.messages.filter(({ partition }) => !slow.has(partition)).map(({ key }) => key);
      for (const round of [1, 2, 3]) {
        await producer.publish(
          name,
          keys.map((key) => message(key, `${round}`)),
        );
        // then those of the other partitions are handled meanwhile
        await vi.waitFor(() => expect(others().length).toBeGreaterThanOrEqual(round * 12), within);
      }
      expect(r.values()).not.toContain('slow');
      gate.resolve();
      await vi.waitFor(() => expect(r.messages).toHaveLength(1 + 3 * keys.length), within);
      // and what had to wait came together
      const late = r.batches.filter(({ partition }) => slow.has(partition));
      expect(late.length).toBeLessThanOrEqual(3);
      await r.leave();
    });

    it('keeps what waits within bounds, and loses and doubles none of it, when a handler is slow or refuses', async () => {
      const name = await topic({ partitions: 2 });
      const value = new Uint8Array(300_000);
      let refusals = 0;
      const gate = Promise.withResolvers<void>();
      const r = await reader([name], {
        handle: async ({ messages }) => {
          await gate.promise;
          if (messages.some(({ key }) => key === 'k20') && refusals++ < 2) throw new Error('PostgreSQL is away');
        },
      });
      for (let i = 0; i < 120; i++) await producer.publish(name, [{ key: `k${i}`, value }]);
      gate.resolve();
      await vi.waitFor(() => expect(r.messages).toHaveLength(120), within);
      expect(new Set(r.messages.map(({ key }) => key)).size).toBe(120);
      for (const partition of [0, 1]) {
        const offsets = r.messages.filter((each) => each.partition === partition).map(({ offset }) => Number(offset));
        expect(offsets).toEqual(offsets.map((_, index) => index));
      }
      await r.leave();
    });

    it('never has two batches of one partition in progress, and waits for a slow handler', async () => {
      const name = await topic();
      let inProgress = 0;
      let most = 0;
      const gate = Promise.withResolvers<void>();
      const r = await reader([name], {
        maxBatch: 1,
        handle: async () => {
          most = Math.max(most, ++inProgress);
          await gate.promise;
          inProgress -= 1;
        },
      });
      await producer.publish(name, [message('k', '1'), message('k', '2')]);
      await vi.waitFor(() => expect(inProgress).toBe(1), within);
      await producer.publish(name, [message('k', '3')]);
      expect(r.messages).toHaveLength(0);
      gate.resolve();
      await vi.waitFor(() => expect(r.values()).toEqual(['1', '2', '3']), within);
      expect(most).toBe(1);
      await r.leave();
    });

    it('continues after a restart where the offset store says, not where it had read', async () => {
      const name = await topic();
      const store = new MemoryOffsets();
      const first = await reader([name], { store });
      await producer.publish(name, [message('k', '1'), message('k', '2')]);
      await vi.waitFor(() => expect(first.messages).toHaveLength(2), within);
      await first.leave();
      // As if the transaction of message 2 had been rolled back.
      store.rows.set(`${name}/0`, { epoch: store.rows.get(`${name}/0`)?.epoch ?? 0, offset: '1' });
      await producer.publish(name, [message('k', '3')]);
      const second = await reader([name], { store });
      await vi.waitFor(() => expect(second.values()).toEqual(['2', '3']), within);
      expect(second.epochs).toEqual([]);
      await second.leave();
    });

    it('retries a store that is away', async () => {
      const name = await topic();
      const store = new MemoryOffsets();
      store.failLoads = 2;
      const r = await reader([name], { store });
      await producer.publish(name, [message('k', '1')]);
      await vi.waitFor(() => expect(r.values()).toEqual(['1']), within);
      await r.leave();
    });

    it('says that a partition goes on when its store is back, though nothing is to be read', async () => {
      const name = await topic({ partitions: 3 });
      const store = new MemoryOffsets();
      store.failLoads = 5;
      const r = await reader([name], { store });
      await vi.waitFor(() => expect(store.rows.size).toBe(3), within);
      expect(r.events.filter((event) => event.kind === 'batch-failed')).toHaveLength(5);
      await vi.waitFor(() => expect(failing(r.events)).toEqual([]), within);
      await r.leave();
    });

    it('says that a failing partition goes on when another reader has it', async () => {
      const name = await topic({ partitions: 2 });
      const store = new MemoryOffsets();
      const failed = await reader([name], {
        store,
        group: name,
        handle: () => Promise.reject(new Error('PostgreSQL is away')),
      });
      await producer.publish(
        name,
        Array.from({ length: 16 }, (_, i) => message(`k${i}`, `${i}`)),
      );
      await vi.waitFor(() => expect(failing(failed.events)).toHaveLength(2), within);
      const other = await reader([name], { store, group: name });
      await vi.waitFor(() => expect(other.messages.length).toBeGreaterThan(0), within);
      await vi.waitFor(() => expect(failing(failed.events)).toHaveLength(1), within);
      expect(other.messages.map(({ partition }) => partition)).not.toContain(failing(failed.events)[0]);
      await failed.leave();
      await vi.waitFor(() => expect(new Set(other.values()).size).toBe(16), within);
      await other.leave();
    });

    it('begins a new epoch at first sight and when the log ends below the stored offset', async () => {
      const name = await topic();
      const store = new MemoryOffsets();
      const first = await reader([name], { store });
      await producer.publish(name, [message('k', '1')]);
      await vi.waitFor(() => expect(first.values()).toEqual(['1']), within);
      expect(first.epochs).toEqual([`${name}/0@1`]);
      await first.leave();
      // A store restored from a backup of a log that no longer exists.
      store.rows.set(`${name}/0`, { epoch: 1, offset: '900' });
      const second = await reader([name], { store });
      await vi.waitFor(() => expect(second.values()).toEqual(['1']), within);
      expect(second.epochs).toEqual([`${name}/0@2`]);
      expect(second.batches[0]).toMatchObject({ epoch: 2, from: '0', next: '1' });
      await second.leave();
    });

    it('begins a new epoch when a topic was made anew, for a reader that comes later', async () => {
      const name = await topic();
      const store = new MemoryOffsets();
      const first = await reader([name], { store });
      await producer.publish(name, [message('k', '1')]);
      await vi.waitFor(() => expect(first.values()).toEqual(['1']), within);
      await first.leave();
      await producer.deleteTopic(name);
      const maker = rig.messaging();
      await vi.waitFor(async () => expect(await maker.ensureTopics([{ name, partitions: 1 }])).toEqual([name]), within);
      await maker.publish(name, [message('k', 'new 1'), message('k', 'new 2')]);
      const second = await reader([name], { store, messaging: maker });
      await vi.waitFor(() => expect(second.values()).toEqual(['new 1', 'new 2']), within);
      expect(second.epochs).toEqual([`${name}/0@2`]);
      await second.leave();
      await maker.close();
    });

    it('takes no log for a new one because another reader went on in it while the store was asked', async () => {
      const name = await topic();
      const store = new MemoryOffsets();
      const first = await reader([name], { store });
      await vi.waitFor(() => expect(store.rows.get(`${name}/0`)).toEqual({ epoch: 1, offset: '0' }), within);
      await first.leave();
      const asked = Promise.withResolvers<void>();
      store.meanwhile = async () => {
        await producer.publish(name, [message('k', '1'), message('k', '2')]);
        store.rows.set(`${name}/0`, { epoch: 1, offset: '2' });
        asked.resolve();
      };
      const r = await reader([name], { store });
      await asked.promise;
      await producer.publish(name, [message('k', '3')]);
      await vi.waitFor(() => expect(r.values()).toContain('3'), within);
      expect(r.values()).toEqual(['3']);
      expect(r.epochs).toEqual([]);
      await r.leave();
    });

    it('reads a topic that was made anew while the store was asked, and begins one epoch for it', async () => {
      const name = await topic();
      const store = new MemoryOffsets();
      await producer.publish(name, [message('k', '1'), message('k', '2')]);
      store.rows.set(`${name}/0`, { epoch: 1, offset: '2' });
      const maker = rig.messaging();
      const asked = Promise.withResolvers<void>();
      store.meanwhile = async () => {
        await maker.deleteTopic(name);
        await vi.waitFor(
          async () => expect(await maker.ensureTopics([{ name, partitions: 1 }])).toEqual([name]),
          within,
        );
        asked.resolve();
      };
      const r = await reader([name], { store });
      await asked.promise;
      await maker.publish(name, [message('k', 'new')]);
      await vi.waitFor(() => expect(r.values()).toEqual(['new']), within);
      expect(store.rows.get(`${name}/0`)).toEqual({ epoch: 2, offset: '1' });
      await r.leave();
      await maker.close();
    });

    it('shares partitions inside a group and takes over from a member that leaves', async () => {
      const name = await topic({ partitions: 4 });
      const store = new MemoryOffsets();
      const [a, b] = [await reader([name], { store, group: name }), await reader([name], { store, group: name })];
      let round = 0;
      const sent: string[] = [];
      const handled = (): string[] => [...a.values(), ...b.values()];
      const send = async (): Promise<void> => {
        round += 1;
        const messages = Array.from({ length: 20 }, (_, i) => message(`k${i}`, `${round}/${i}`));
        sent.push(...messages.map((each) => text(each.value)));
        await producer.publish(name, messages);
        await vi.waitFor(() => expect(new Set(handled())).toEqual(new Set(sent)), within);
      };
      await vi.waitFor(async () => {
        await send();
        expect(a.messages.length).toBeGreaterThan(0);
        expect(b.messages.length).toBeGreaterThan(0);
      }, within);
      await a.leave();
      await send();
      // The store refuses a second handling, so nothing may be there twice.
      expect(handled()).toHaveLength(sent.length);
      await b.leave();
    });

    it('finishes the batch in progress before stop resolves, and aborts its signal', async () => {
      const name = await topic();
      const entered = Promise.withResolvers<Batch>();
      const gate = Promise.withResolvers<void>();
      const r = await reader([name], {
        handle: async (batch) => {
          entered.resolve(batch);
          await gate.promise;
        },
      });
      await producer.publish(name, [message('k', '1')]);
      const batch = await entered.promise;
      expect(batch.signal.aborted).toBe(false);
      let stopped = false;
      const leaving = r.leave().then(() => (stopped = true));
      await vi.waitFor(() => expect(batch.signal.aborted).toBe(true), within);
      expect(stopped).toBe(false);
      gate.resolve();
      await leaving;
      expect(r.values()).toEqual(['1']);
      expect(r.offsets.rows.get(`${name}/0`)?.offset).toBe('1');
    });

    it('reads a compacted topic from the beginning at each start, with tombstones, and knows when it has caught up', async () => {
      const name = await topic({ compacted: true });
      await producer.publish(name, [message('a', '1'), message('b', '1')]);
      await producer.publish(name, [message('a', '2'), { key: 'b', value: null }]);
      for (const _start of [1, 2]) {
        const r = await reader([name], { store: 'none' });
        await r.consumer.caughtUp();
        const state = new Map(r.messages.map((each) => [each.key, text(each.value)]));
        expect(state).toEqual(
          new Map([
            ['a', '2'],
            ['b', '∅'],
          ]),
        );
        const place = { topic: name, partition: 0 };
        expect(r.events).toEqual([
          { kind: 'behind', ...place },
          { kind: 'caught-up', ...place },
        ]);
        await producer.publish(name, [message('a', '2')]);
        await vi.waitFor(() => expect(r.values().slice(-1)).toEqual(['2']), within);
        await r.leave();
      }
    });

    it('two readers without a store both read everything', async () => {
      const name = await topic();
      await producer.publish(name, [message('k', '1')]);
      const readers = [await reader([name], { store: 'none' }), await reader([name], { store: 'none' })];
      for (const r of readers) await vi.waitFor(() => expect(r.values()).toEqual(['1']), within);
      for (const r of readers) await r.leave();
    });

    it('a reader without a store repeats a refused batch and does not begin again', async () => {
      const name = await topic();
      await producer.publish(
        name,
        Array.from({ length: 4 }, (_, i) => message('k', `${i}`)),
      );
      let refuse = true;
      const r = await reader([name], {
        store: 'none',
        maxBatch: 2,
        handle: (batch) => {
          if (text(batch.messages[0]?.value ?? null) === '2' && refuse) {
            refuse = false;
            return Promise.reject(new Error('API server is away'));
          }
          return Promise.resolve();
        },
      });
      await vi.waitFor(() => expect(r.values()).toEqual(['0', '1', '2', '3']), within);
      await r.leave();
    });

    it('waits for a topic that does not exist yet, as a reader and as a writer', async () => {
      const name = `${await topic()}-later`;
      const r = await reader([name], { store: 'none' });
      const published = producer.publish(name, [message('k', '1')]);
      await producer.ensureTopics([{ name, partitions: 1 }]);
      await published;
      await vi.waitFor(() => expect(r.values()).toEqual(['1']), within);
      await r.consumer.caughtUp();
      await r.leave();
    });

    it('refuses to publish to a topic that stays absent, and goes on with others', async () => {
      const present = await topic();
      const absent = expect(producer.publish(`${present}-absent`, [message('k', '1')], 1_000)).rejects.toMatchObject({
        code: 'no-topic',
      });
      await producer.publish(present, [message('k', '1')]);
      await absent;
    });

    it('refuses a message that is too large, and takes one that is not', async () => {
      const name = await topic();
      await expect(producer.publish(name, [{ key: 'k', value: new Uint8Array(1_100_000) }])).rejects.toMatchObject({
        code: 'too-large',
      });
      const large = Array.from({ length: 3 }, (_, i) => ({ key: 'k', value: new Uint8Array(900 * 1024).fill(i) }));
      const r = await reader([name]);
      await producer.publish(name, large);
      await vi.waitFor(() => expect(r.messages.map((each) => each.value?.[0])).toEqual([0, 1, 2]), within);
      await r.leave();
    });

    it('says it is healthy while it works', async () => {
      const name = await topic();
      const messaging = rig.messaging();
      const r = await reader([name], { messaging });
      await r.consumer.caughtUp();
      expect(messaging.healthy()).toBe(true);
      await messaging.close();
      await expect(messaging.publish(name, [message('k', '1')], 1_000)).rejects.toMatchObject({ code: 'closed' });
    });

    it('caughtUp rejects when the consumer is stopped first', async () => {
      const r = await reader([`never-made-${process.pid}`], { store: 'none' });
      const waiting = expect(r.consumer.caughtUp()).rejects.toMatchObject({ code: 'closed' });
      await r.leave();
      await waiting;
    });
  });
}
