import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#libs/runtime';
import { EventPace } from './event-pace.ts';

async function turnsIn(ms: number, busy: boolean): Promise<number> {
  const clock = new VirtualClock();
  const pace = new EventPace({ clock, qps: 50, busy: () => busy });
  let turns = 0;
  for (let i = 0; i < 5_000; i++) void pace.turn().then(() => (turns += 1));
  await clock.advance(ms);
  return turns;
}

describe('the pace of events', () => {
  it('is that of a kubelet: a burst, then so many a second', async () => {
    const turns = await turnsIn(10_000, false);

    expect(turns).toBeGreaterThanOrEqual(590);
    expect(turns).toBeLessThanOrEqual(610);
  });

  it('is a tenth of it while something more important waits', async () => {
    const turns = await turnsIn(10_000, true);

    expect(turns).toBeGreaterThanOrEqual(45);
    expect(turns).toBeLessThanOrEqual(55);
  });

  it('stays low for two seconds after a storm, whose queues are empty now and then, and then comes back', async () => {
    const clock = new VirtualClock();
    let busy = true;
    const pace = new EventPace({ clock, qps: 50, busy: () => busy });
    let turns = 0;
    for (let i = 0; i < 5_000; i++) void pace.turn().then(() => (turns += 1));
    await clock.advance(0);
    await clock.advance(5_000);
    busy = false;
    const before = turns;

    await clock.advance(1_500);
    expect(turns - before).toBeLessThanOrEqual(10);
    await clock.advance(10_000);
    expect(turns - before).toBeGreaterThan(300);
  });
});
