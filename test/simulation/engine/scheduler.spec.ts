import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '#libs/runtime';
import { Process } from './process.ts';
import { NoRest, Scheduler } from './scheduler.ts';

describe('a run that does not come to rest', () => {
  it('is ended when events without delay follow one another for ever', async () => {
    const scheduler = new Scheduler(new SeededRandom(1));
    const again = (): void => void scheduler.after(0, again);
    again();

    await expect(scheduler.run(scheduler.now + 1_000)).rejects.toThrow(NoRest);
  });

  it('is ended when one step begins calls for ever, with a clock that does not wait', async () => {
    const scheduler = new Scheduler(new SeededRandom(1));
    const { clock } = new Process({ name: 'p', scheduler, random: new SeededRandom(2), faults: () => undefined });
    const spin = async (): Promise<void> => {
      for (;;) await clock.sleep(1_000, AbortSignal.abort());
    };
    scheduler.after(0, () => void spin());

    await expect(scheduler.run(scheduler.now + 10)).rejects.toThrow('calls in one step');
  });

  it('is let alone when it only lasts', async () => {
    const scheduler = new Scheduler(new SeededRandom(1));
    let ticks = 0;
    const tick = (): void => {
      ticks += 1;
      scheduler.after(1, tick);
    };
    tick();

    expect(await scheduler.run(scheduler.now + 20_000)).toBe(true);
    expect(ticks).toBe(20_001);
  });
});

describe('a run that is over', () => {
  it('lets go of every signal, of processes that died in their sleep as well: Node would keep the world of each run', async () => {
    // given
    const scheduler = new Scheduler(new SeededRandom(1));
    const processOf = (name: string) =>
      new Process({ name, scheduler, random: new SeededRandom(2), faults: () => undefined });
    const [sleeper, dead, early, stopped] = ['sleeper', 'dead', 'early', 'stopped'].map(processOf) as [
      Process,
      Process,
      Process,
      Process,
    ];
    const stop = new AbortController();
    const signals = [sleeper, dead, early].map(() => AbortSignal.any([new AbortController().signal, stop.signal]));
    void sleeper.clock.sleep(3_600_000, signals[0]);
    void dead.clock.sleep(3_600_000, signals[1]);
    void early.clock.sleep(10, signals[2]);
    const own = new AbortController();
    void stopped.clock.sleep(3_600_000, own.signal);
    own.abort();
    dead.crash();
    await scheduler.run(scheduler.now + 1_000);
    expect(signals.map((signal) => getEventListeners(signal, 'abort').length)).toEqual([1, 1, 0]);

    // when
    scheduler.close();

    // then
    for (const signal of [...signals, own.signal]) expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
