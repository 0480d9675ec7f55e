import { expect, it } from 'vitest';
import { InProcessLog, InProcessMessaging } from '#libs/messaging';
import { Metrics } from '#libs/observability';
import { SystemClock, VirtualClock } from '#libs/runtime';
import { ConsumerLag } from './consumer-lag.ts';

it('grows while a batch is in work, and is what was left when it is done', async () => {
  const clock = new VirtualClock(Date.now() + 60_000);
  const metrics = new Metrics();
  const lag = new ConsumerLag({ clock, metrics });
  // The log stamps messages with its own time, a minute before the reader's.
  const log = new InProcessMessaging(new InProcessLog(new SystemClock()));
  await log.ensureTopics([{ name: 't', partitions: 1 }]);
  await log.publish('t', [{ key: 'k', value: Buffer.from('1') }]);
  let release: () => void = () => {};
  const begun = new Promise<void>((resolve) => {
    void lag.measured(log).consume({
      topics: ['t'],
      group: 'g',
      handle: () => {
        resolve();
        return new Promise((done) => (release = done));
      },
    });
  });
  const shown = async (): Promise<number> => {
    lag.refresh();
    return Number(/eci_fleet_kafka_lag_seconds\{topic="t",partition="0"\} (\S+)/.exec(await metrics.text())?.[1]);
  };

  await begun;
  const first = await shown();
  expect(first).toBeGreaterThan(55);
  await clock.advance(30_000);
  expect(await shown()).toBeCloseTo(first + 30, 0);

  release();
  await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(500_000);
  expect(await shown()).toBeCloseTo(first + 30, 0);
  expect(await metrics.text()).toContain('eci_fleet_kafka_message_age_seconds_count{topic="t"} 1');
  await log.close();
});
