import fc from 'fast-check';
import { SeededRandom } from '#libs/runtime';
import { describe, expect, it } from 'vitest';
import { MemoryOffsets } from '../../../libs/messaging/spec/contract-reader.ts';
import { Process } from '../engine/process.ts';
import { Scheduler } from '../engine/scheduler.ts';
import { SimulatedLog } from './log.ts';
import { SimulatedMessaging } from './messaging.ts';

const TOPIC = 't';
const PARTITIONS = 2;
/** Longer than all waits of a reader together, milliseconds. */
const AT_REST_MS = 60_000;

/** Two members of one group, whose store answers late now and then. */
function start(seed: number) {
  const random = new SeededRandom(seed);
  const scheduler = new Scheduler(random);
  const log = new SimulatedLog(scheduler);
  log.make({ name: TOPIC, partitions: PARTITIONS });
  const store = new MemoryOffsets();
  const members = [1, 2].map((index) => {
    const process = new Process({
      name: `reader ${index}`,
      scheduler,
      random,
      faults: (_, call) =>
        call.startsWith('store.') && random.next() < 0.4 ? { delayMs: Math.floor(random.next() * 4_000) } : undefined,
    });
    const messaging = new SimulatedMessaging({ log, process, random, faults: () => [] });
    void messaging.consume({
      topics: [TOPIC],
      group: 'g',
      offsets: {
        load: (topic, partition) => process.call('store.load', () => store.load(topic, partition)),
        begin: (topic, partition, offset) => process.call('store.begin', () => store.begin(topic, partition, offset)),
      },
      handle: (batch) => process.call('store.append', () => store.move(batch)),
    });
    return { process, messaging };
  });
  const publish = (partition: number): void =>
    log.topic(TOPIC)!.partitions[partition]!.append({ key: 'k', value: null, headers: {}, timestamp: scheduler.now });
  return { scheduler, log, store, members, publish };
}

type Started = ReturnType<typeof start>;

const PAUSED = ({ process, messaging }: Started['members'][number]): void => {
  process.pause();
  messaging.silent();
};
const GOES_ON = ({ process, messaging }: Started['members'][number]): void => {
  process.resume();
  messaging.back();
};

const happenings: Record<string, (all: Started, which: number) => void> = {
  'a message': ({ publish }, which) => publish(which),
  'the log begins anew': ({ log }) => log.beginAnew(),
  'a rebalance': ({ log }) => log.rebalance('g'),
  'a member stops': ({ members }, which) => PAUSED(members[which]!),
  'a member goes on': ({ members }, which) => GOES_ON(members[which]!),
};

describe('readers of the simulated log', () => {
  const step = fc.record({
    afterMs: fc.nat({ max: 4_000 }),
    what: fc.constantFrom('a message', ...Object.keys(happenings)),
    which: fc.nat({ max: 1 }),
  });

  it('come to the end of the log that is there, whatever begins anew, is shared out or waits meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 40 }), async (seed, steps) => {
        const all = start(seed);
        const { scheduler, log, store, members, publish } = all;
        let at = scheduler.now;
        for (const { afterMs, what, which } of steps) {
          at += afterMs;
          scheduler.at(at, () => happenings[what]!(all, which));
        }
        scheduler.at(at, () => members.forEach(GOES_ON));
        // Whoever waits for the next message must still be waiting for it.
        for (let partition = 0; partition < PARTITIONS; partition++)
          scheduler.at(at + AT_REST_MS, () => publish(partition));

        await scheduler.run(at + 2 * AT_REST_MS);

        for (const [partition, { end }] of log.topic(TOPIC)!.partitions.entries())
          expect(store.rows.get(`${TOPIC}/${partition}`)?.offset, `partition ${partition}`).toBe(`${end}`);
      }),
      { numRuns: 200 },
    );
  });
});
