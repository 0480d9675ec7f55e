import { Logger, type LogFields } from '#libs/observability';
import { VirtualClock } from '#libs/runtime';
import { beforeEach, expect, it } from 'vitest';
import { BrokerVoice, BrokerWatch } from './broker-watch.ts';

class Heard extends Logger {
  readonly lines: { message: string; fields: LogFields }[] = [];
  debug(): void {}
  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ message, fields });
  }
  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ message, fields });
  }
  error(): void {}
  child(): Logger {
    return this;
  }
}

let clock: VirtualClock;
let logger: Heard;
let consume: BrokerWatch;
let publish: BrokerWatch;
let told: string[];

beforeEach(() => {
  clock = new VirtualClock();
  logger = new Heard();
  told = [];
  const voice = new BrokerVoice(clock, logger);
  consume = new BrokerWatch('consume', clock, voice, { onDemand: false, onEvent: ({ kind }) => told.push(kind) });
  publish = new BrokerWatch('publish', clock, voice, { onDemand: true });
});

it('says an hour without a broker in sixty lines, for all parts together', async () => {
  consume.found();
  const since = new Date(clock.now()).toISOString();
  for (let second = 0; second < 3_600; second++) {
    consume.lost('connection refused');
    publish.lost('connection refused');
    await clock.advance(1_000);
  }
  expect(logger.lines.length).toBe(60);
  expect(logger.lines[1]).toMatchObject({
    message: 'wait for Kafka, still away',
    fields: { forSeconds: 60, tries: 121 },
  });
  expect(told.length).toBe(60);
  expect(consume.trouble).toBe(`consume: connection refused (since ${since})`);

  publish.found();
  expect(logger.lines.length).toBe(60);
  consume.found();
  expect(logger.lines.at(-1)).toMatchObject({
    message: 'reached Kafka again',
    fields: { awaySeconds: 3_600, tries: 7_200 },
  });
  expect(told.at(-1)).toBe('broker-back');
  expect([consume.trouble, publish.trouble]).toEqual([undefined, undefined]);
});

it('does not say more of a broker that comes and goes than of one that is away', async () => {
  consume.found();
  for (let second = 0; second < 600; second++) {
    consume.lost('reset');
    await clock.advance(500);
    consume.found();
    await clock.advance(500);
  }
  expect(logger.lines.filter(({ message }) => message.startsWith('wait')).length).toBe(10);
  expect(logger.lines.length).toBe(20);
});

it('is not well before its first contact, unless it speaks only when asked', () => {
  expect([consume.reached, publish.reached]).toEqual([false, true]);
});
