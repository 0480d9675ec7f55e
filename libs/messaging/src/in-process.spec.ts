import { SystemClock, VirtualClock } from '#libs/runtime';
import { describe, expect, it, vi } from 'vitest';
import { InProcessLog, InProcessMessaging } from './index.ts';
import { MemoryOffsets } from '../spec/contract-reader.ts';
import { messagingContract } from '../spec/contract.ts';

messagingContract('in process', () => {
  const log = new InProcessLog(new SystemClock());
  return Promise.resolve({ messaging: () => new InProcessMessaging(log), close: () => Promise.resolve() });
});

const value = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('in-process log', () => {
  it('is a new epoch for a store that knew a former log', async () => {
    const store = new MemoryOffsets();
    const epochs: number[] = [];
    for (const _start of [1, 2, 3]) {
      const messaging = new InProcessMessaging(new InProcessLog(new SystemClock()));
      await messaging.ensureTopics([{ name: 't', partitions: 1 }]);
      await messaging.publish('t', [{ key: 'k', value: value('x') }]);
      let handled = 0;
      await messaging.consume({
        topics: ['t'],
        group: 'g',
        offsets: store,
        handle: (batch) => {
          store.move(batch);
          handled += batch.messages.length;
          return Promise.resolve();
        },
        onNewEpoch: (_topic, _partition, epoch) => epochs.push(epoch),
      });
      await vi.waitFor(() => expect(handled).toBe(1));
      await messaging.close();
    }
    // Each log held one message, so the offset alone (1 = its end) could not have told them apart.
    expect(epochs).toEqual([1, 2, 3]);
  });

  it('keeps the last value of each key of a compacted topic and forgets old tombstones', async () => {
    const clock = new VirtualClock();
    const log = new InProcessLog(clock, { tombstoneRetentionMs: 60_000 });
    const messaging = new InProcessMessaging(log);
    await messaging.ensureTopics([{ name: 't', partitions: 1, compacted: true }]);
    for (let i = 0; i < 5_000; i++) await messaging.publish('t', [{ key: `k${i % 10}`, value: value(`${i}`) }]);
    await messaging.publish('t', [{ key: 'k0', value: null }]);
    const partition = log.topic('t')?.partitions[0];
    const keys = (): string[] => partition?.read(0n, 100).records.map((record) => record.key) ?? [];
    expect(keys()).toHaveLength(10);
    await clock.advance(61_000);
    await messaging.publish('t', [{ key: 'k1', value: value('last') }]);
    expect(keys().toSorted()).toEqual(['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9']);
    await messaging.close();
  });

  it('drops what is older than its retention, and a reader that was away begins a new epoch', async () => {
    const clock = new VirtualClock();
    const log = new InProcessLog(clock);
    const messaging = new InProcessMessaging(log);
    const store = new MemoryOffsets();
    const consume = (handled: string[]) =>
      messaging.consume({
        topics: ['t'],
        group: 'g',
        offsets: store,
        handle: (batch) => {
          store.move(batch);
          handled.push(...batch.messages.map((each) => new TextDecoder().decode(each.value ?? undefined)));
          return Promise.resolve();
        },
      });
    await messaging.ensureTopics([{ name: 't', partitions: 1, retentionMs: 60_000 }]);
    const first: string[] = [];
    const consumer = await consume(first);
    await clock.advance(0);
    await consumer.stop();
    for (let i = 0; i < 1_500; i++) await messaging.publish('t', [{ key: 'k', value: value('old') }]);
    await clock.advance(61_000);
    await messaging.publish('t', [{ key: 'k', value: value('new') }]);
    const second: string[] = [];
    await consume(second);
    await vi.waitFor(() => expect(second).toEqual(['new']));
    expect(store.begun).toEqual(['t/0@1', 't/0@2']);
    await messaging.close();
  });

  it('is not changed by what a caller does with its buffer', async () => {
    const log = new InProcessLog(new SystemClock());
    const messaging = new InProcessMessaging(log);
    await messaging.ensureTopics([{ name: 't', partitions: 1 }]);
    const buffer = value('before');
    await messaging.publish('t', [{ key: 'k', value: buffer }]);
    buffer.fill(0);
    expect(log.topic('t')?.partitions[0]?.read(0n, 1).records[0]?.value).toEqual(value('before'));
  });

  it('refuses a topic without partitions', async () => {
    const messaging = new InProcessMessaging(new InProcessLog(new SystemClock()));
    await expect(messaging.ensureTopics([{ name: 't', partitions: 0 }])).rejects.toThrow(
      /partitions must be 1 or more/,
    );
  });
});
