import { Logger, Metrics, type LogFields } from '#libs/observability';
import { SeededRandom, VirtualClock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { SetAside } from './set-aside.ts';

/** Keeps what was said. */
class Heard extends Logger {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = [];
  debug = (): void => undefined;
  info = (message: string, fields: LogFields = {}): void => void this.lines.push({ level: 'info', message, fields });
  warn = (message: string, fields: LogFields = {}): void => void this.lines.push({ level: 'warn', message, fields });
  error = (message: string, fields: LogFields = {}): void => void this.lines.push({ level: 'error', message, fields });
  child = (): Logger => this;
}

describe('a round over many items', () => {
  const items = ['a', 'b', 'c'];
  let clock: VirtualClock;
  let metrics: Metrics;
  let logger: Heard;
  let round: SetAside<string>;
  let done: string[];

  beforeEach(() => {
    clock = new VirtualClock();
    done = [];
    metrics = new Metrics();
    logger = new Heard();
    round = new SetAside({ loop: 'the loop', clock, random: new SeededRandom(1), logger, metrics });
  });

  const run = (bad: string | undefined, error: unknown, over: readonly string[] = items): Promise<readonly string[]> =>
    round.each(
      over,
      (item) => item,
      (item) => {
        if (item === bad) return Promise.reject(error as Error);
        done.push(item);
        return Promise.resolve();
      },
    );
  const figures = async (): Promise<readonly string[]> =>
    (await metrics.text()).split('\n').filter((line) => line.startsWith('eci_fleet'));

  it.each(items)('goes on beside %s that fails, tries it later, and is healed when it works', async (bad) => {
    const others = items.filter((item) => item !== bad);
    expect(await run(bad, new Error('poisoned'))).toEqual(others);
    expect(done).toEqual(others);
    expect(round.list()).toEqual([
      { loop: 'the loop', item: bad, reason: 'poisoned', since: new Date(clock.now()).toISOString(), failures: 1 },
    ]);
    expect(await figures()).toEqual([
      'eci_fleet_set_aside_total{loop="the loop"} 1',
      'eci_fleet_aside{loop="the loop"} 1',
    ]);
    expect(round.due()).toEqual([]);
    expect(round.dueInMs()).toBeGreaterThan(0);
    await clock.advance(2_000);
    expect(round.due()).toEqual([bad]);
    await run(undefined, undefined, round.due());
    expect(done).toContain(bad);
    expect(round.list()).toEqual([]);
    expect(await figures()).toContain('eci_fleet_aside{loop="the loop"} 0');
    expect(logger.lines.map(({ level, fields }) => [level, fields['item']])).toEqual([
      ['warn', bad],
      ['info', bad],
    ]);
  });

  it('tries one that always fails again and again, ever more seldom, and says so once a minute', async () => {
    let tries = 0;
    for (let second = 0; second < 600; second++) {
      await round.each(
        ['a'],
        (item) => item,
        () => Promise.reject(new Error(`poisoned ${(tries += 1)}`)),
      );
      await clock.advance(1_000);
    }
    expect(tries).toBeGreaterThan(10);
    expect(tries).toBeLessThan(200);
    expect(round.list()).toMatchObject([{ item: 'a', failures: tries, reason: `poisoned ${tries}` }]);
    expect(logger.lines.length).toBeGreaterThanOrEqual(6);
    expect(logger.lines.length).toBeLessThanOrEqual(10);
  });

  it('blames no item when the database is away', async () => {
    const away = Object.assign(new Error('terminating connection'), { code: '57P01' });
    await expect(run('b', away)).rejects.toBe(away);
    expect(round.list()).toEqual([]);
    expect(done).toEqual(['a', 'c']);
  });

  it('forgets an item that nobody brings again', async () => {
    await run('b', new Error('poisoned'));
    await clock.advance(1_000_000);
    await run(undefined, undefined, ['a', 'c']);
    expect([round.list(), round.due()]).toEqual([[], []]);
    expect(await figures()).toContain('eci_fleet_aside{loop="the loop"} 0');
  });

  it('says nothing of what a parser quoted', async () => {
    await run('b', new SyntaxError('Unexpected token in "top secret"'));
    expect(round.list()).toMatchObject([{ item: 'b', reason: 'what was read cannot be parsed' }]);
    expect(JSON.stringify([logger.lines, round.list()])).not.toContain('top secret');
  });
});
