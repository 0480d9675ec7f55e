import type { Batch } from '#libs/messaging';
import { silentLogger } from '#libs/observability';
import { describe, expect, it } from 'vitest';
import { StubbornBatches } from './stubborn-batches.ts';

const batchOf = (...offsets: string[]): Batch => ({
  topic: 't',
  partition: 0,
  epoch: 1,
  from: '5',
  next: '20',
  messages: offsets.map((offset) => ({ offset, key: offset, value: null, headers: {}, timestamp: 0 })),
  signal: new AbortController().signal,
});

/** Handles every batch that holds none of the cursed offsets, and moves its offset like the store: only on from where it stands. */
function handlerThatFails(cursed: readonly string[], error: unknown) {
  const done: string[] = [];
  const given: string[] = [];
  let position = '5';
  const move = ({ from, next }: Batch): void => {
    expect(from).toBe(position);
    position = next;
  };
  return {
    done,
    given,
    position: () => position,
    handle: async (batch: Batch): Promise<void> => {
      if (batch.messages.some(({ offset }) => cursed.includes(offset))) throw error;
      move(batch);
      done.push(...batch.messages.map(({ offset }) => offset));
    },
    giveUpOn: async (batch: Batch): Promise<void> => {
      move(batch);
      given.push(...batch.messages.map(({ offset }) => offset));
    },
  };
}

async function tries(batches: StubbornBatches, batch: Batch, most = 30): Promise<number> {
  for (let time = 1; time <= most; time++) {
    try {
      await batches.handle(batch);
      return time;
    } catch {
      continue;
    }
  }
  return Infinity;
}

describe('a batch that fails for ever', () => {
  it('is gone through message by message after three tries, and the others are done', async () => {
    const handler = handlerThatFails(['9'], new TypeError('a bug'));
    const batches = new StubbornBatches(handler, silentLogger);

    expect(await tries(batches, batchOf('5', '9', '12'))).toBe(3);
    expect(handler.done).toEqual(['5', '12']);
    expect(handler.given).toEqual(['9']);
    expect(handler.position()).toBe('20');
  });

  it.each(['22P05', '22021', '23514', '54000'])(
    'is gone through at once when its data can never be stored (%s)',
    async (code) => {
      const handler = handlerThatFails(['9'], Object.assign(new Error('x'), { code }));

      expect(await tries(new StubbornBatches(handler, silentLogger), batchOf('5', '9', '12'))).toBe(1);
      expect(handler).toMatchObject({ done: ['5', '12'], given: ['9'] });
    },
  );

  it.each([
    Object.assign(new Error('x'), { code: '57P01' }),
    Object.assign(new Error('x'), { code: '40001' }),
    Object.assign(new Error('function does not exist'), { code: '42883' }),
    Object.assign(new Error('x'), { code: 'ECONNREFUSED' }),
    new Error('Connection terminated unexpectedly'),
  ])('is waited with for as long as something is away: %s', async (error) => {
    const handler = handlerThatFails(['9'], error);
    const batches = new StubbornBatches(handler, silentLogger);

    expect(await tries(batches, batchOf('5', '9'))).toBe(Infinity);
    expect(handler.given).toEqual([]);
  });

  it('is not confused with another one', async () => {
    const handler = handlerThatFails(['9'], new TypeError('a bug'));
    const batches = new StubbornBatches(handler, silentLogger);

    expect(await tries(batches, batchOf('5', '9'), 2)).toBe(Infinity);
    expect(await tries(batches, { ...batchOf('9'), from: '6' }, 2)).toBe(Infinity);
    expect(handler.given).toEqual([]);
  });
});
