import { silentLogger } from '#libs/observability';
import { SeededRandom, VirtualClock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { SetAside } from './set-aside.ts';

describe('a round over many items', () => {
  const items = ['a', 'b', 'c'];
  let clock: VirtualClock;
  let told: { failed: number; aside: number };
  let round: SetAside<string>;
  let done: string[];

  beforeEach(() => {
    clock = new VirtualClock();
    done = [];
    const onAside = (failed: number, aside: number): void => void (told = { failed, aside });
    round = new SetAside({ clock, random: new SeededRandom(1), logger: silentLogger, onAside });
  });

  const run = (bad: string | undefined, error: unknown, over: readonly string[] = items): Promise<void> =>
    round.each(
      over,
      (item) => item,
      (item) => {
        if (item === bad) return Promise.reject(error as Error);
        done.push(item);
        return Promise.resolve();
      },
    );

  it.each(items)('goes on beside %s that fails, tries it later, and is healed when it works', async (bad) => {
    await run(bad, new Error('poisoned'));
    expect(done).toEqual(items.filter((item) => item !== bad));
    expect(told).toEqual({ failed: 1, aside: 1 });
    expect(round.due()).toEqual([]);
    await clock.advance(2_000);
    expect(round.due()).toEqual([bad]);
    await run(undefined, undefined, round.due());
    expect(done).toContain(bad);
    expect(told).toEqual({ failed: 0, aside: 0 });
  });

  it('tries one that always fails again and again, ever more seldom', async () => {
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
    expect(told.aside).toBe(1);
  });

  it('blames no item when the database is away', async () => {
    const away = Object.assign(new Error('terminating connection'), { code: '57P01' });
    await expect(run('b', away)).rejects.toBe(away);
    expect(told).toEqual({ failed: 0, aside: 0 });
    expect(done).toEqual(['a', 'c']);
  });
});
