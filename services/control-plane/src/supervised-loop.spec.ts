import { Logger, Metrics, type LogFields } from '#libs/observability';
import { SeededRandom, VirtualClock } from '#libs/runtime';
import { expect, it } from 'vitest';
import { SupervisedLoop } from './supervised-loop.ts';

class Heard extends Logger {
  readonly lines: string[] = [];
  debug(): void {}
  info(message: string, { failedForSeconds }: LogFields = {}): void {
    this.lines.push(`${message} after ${String(failedForSeconds)}`);
  }
  warn(message: string): void {
    this.lines.push(message);
  }
  error(message: string): void {
    this.lines.push(message);
  }
  child(): Logger {
    return this;
  }
}

it('says a failure that lasts at once and then once a minute, since when, and that it is over', async () => {
  const clock = new VirtualClock();
  const logger = new Heard();
  let away = true;
  const loop = new SupervisedLoop({
    name: 'test',
    clock,
    random: new SeededRandom(1),
    logger,
    metrics: new Metrics(),
    idleMs: 1_000,
    step: () => (away ? Promise.reject(new Error('it is away')) : Promise.resolve('idle')),
  });
  const since = new Date(clock.now()).toISOString();

  loop.start();
  await clock.advance(0);
  await clock.advance(600_000);
  expect(logger.lines.length).toBeGreaterThanOrEqual(9);
  expect(logger.lines.length).toBeLessThanOrEqual(11);
  expect(loop.trouble()).toBe(`test: it is away (since ${since})`);

  away = false;
  await clock.advance(20_000);
  expect(loop.trouble()).toBeUndefined();
  expect(logger.lines.at(-1)).toMatch(/^a loop works again after 6\d\d$/);

  await loop.stop();
});
