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
