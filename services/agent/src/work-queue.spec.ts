import { describe, expect, it } from 'vitest';
import { SeededRandom, VirtualClock } from '#libs/runtime';
import { WorkQueue } from './work-queue.ts';

function queueWith(work: (key: string) => Promise<number | void>, concurrency = 2) {
  const clock = new VirtualClock();
  const errors: [string, number][] = [];
  const queue = new WorkQueue({
    clock,
    random: new SeededRandom(1),
    concurrency,
    work,
    onError: (key, _, failures) => errors.push([key, failures]),
  });
  return { clock, queue, errors };
}

describe('the work queue', () => {
  it('works on one key at a time and looks again when it changed meanwhile', async () => {
    let active = 0;
    let runs = 0;
    const gate = Promise.withResolvers<void>();
    const { clock, queue } = queueWith(async () => {
      runs += 1;
      active += 1;
      expect(active).toBe(1);
      await gate.promise;
      active -= 1;
    });
    queue.resume();

    queue.add('a');
    queue.add('a');
    queue.add('a');
    gate.resolve();
    await clock.advance(0);

    expect(runs).toBe(2);
    expect(queue.size).toBe(0);
  });

  it('takes the youngest beside the oldest, when asked to', async () => {
    const order: string[] = [];
    const clock = new VirtualClock();
    const queue = new WorkQueue({
      clock,
      random: new SeededRandom(1),
      concurrency: 1,
      youngestToo: true,
      work: async (key) => void order.push(key),
      onError: () => undefined,
    });
    for (const key of ['1', '2', '3', '4', '5', '6']) queue.add(key);
    queue.drop('5');
    queue.add('urgent', true);
    queue.resume();
    await clock.advance(0);

    expect(order).toEqual(['urgent', '1', '6', '2', '4', '3']);
    for (let round = 0; round < 1_000; round++) queue.add(`later-${round}`);
    await clock.advance(0);
    expect(queue.size).toBe(0);
    expect(new Set(order).size).toBe(order.length);
  });

  it('takes urgent keys first', async () => {
    const order: string[] = [];
    const { clock, queue } = queueWith(async (key) => void order.push(key), 1);

    queue.add('old-1');
    queue.add('old-2');
    queue.add('new', true);
    queue.resume();
    await clock.advance(0);

    expect(order).toEqual(['new', 'old-1', 'old-2']);
  });

  it('comes back after a failure, later each time, and after a pause that was asked for', async () => {
    const at: number[] = [];
    const { clock, queue, errors } = queueWith(async () => {
      at.push(clock.now());
      if (at.length < 4) throw new Error('not yet');
      if (at.length === 4) return 5_000;
    });
    queue.resume();

    queue.add('a');
    await clock.advance(0);
    await clock.advance(60_000);

    expect(errors).toEqual([
      ['a', 1],
      ['a', 2],
      ['a', 3],
    ]);
    expect(at).toHaveLength(5);
    expect(at[4]! - at[3]!).toBe(5_000);
  });

  it('begins nothing while paused, and ends when it is stopped', async () => {
    const order: string[] = [];
    const { clock, queue } = queueWith(async (key) => void order.push(key));

    queue.add('a');
    await clock.advance(1_000);
    expect(order).toEqual([]);
    await queue.stop();
    queue.resume();
    await clock.advance(1_000);

    expect(order).toEqual([]);
  });
});
