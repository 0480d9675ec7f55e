import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '#libs/testing';
import { postgresUnderTest, type PostgresUnderTest } from '../spec/contract/postgres.ts';
import { event } from '../spec/contract/under-test.ts';
import type { EffectChange } from './event-store.ts';

let under: PostgresUnderTest;
beforeEach(async () => void (under = await postgresUnderTest(await createTestDatabase())));
afterEach(() => under.close());

const STREAMS = Array.from({ length: 8 }, (_, index) => `s:${index}`);
const CALLS = 120;

/** What release 0.1.0 sends: JSON texts to `es.append`. Nothing but effect rows, which every call puts again. */
async function appendAsBefore(streams: readonly { readonly id: string; readonly expected: number }[]): Promise<void> {
  const heads = streams.map(({ id, expected }, i) => ({ s: i + 1, stream_id: id, expected, events: 0, effects: true }));
  const effects = streams.map((_, i) => ({
    ...{ s: i + 1, op: 'put', kind: 'Place', key: '', lane: 'l', tenant: 't' },
    ...{ priority: 0, after_ms: 0, data: {} },
  }));
  const values = [JSON.stringify(heads), '[]', JSON.stringify({ effects })];
  await under.pool.query('select * from es.append($1, $2, $3, null, 0)', values);
}

const effect: EffectChange = {
  ...{ op: 'put', kind: 'Place', key: '', lane: 'l', tenant: 't', priority: 0, afterMs: 0, data: {} },
};

describe('appends of this release and of the one before', () => {
  it('write the same streams at the same time without waiting for each other in a circle', async () => {
    await under.store.append(STREAMS.map((streamId) => ({ streamId, expected: 0, events: [event()] })));
    // Three streams in any order and overlap, the same each time this runs.
    const chosen = (call: number): string[] => [0, 3, 5].map((step) => STREAMS[(call * 7 + step * (call % 3)) % 8]!);
    const results = await Promise.allSettled(
      Array.from({ length: CALLS }, async (_, call) => {
        const ids = [...new Set(chosen(call))];
        if (call % 2 === 0) await appendAsBefore(ids.map((id) => ({ id, expected: 1 })));
        else
          await under.store.append(ids.map((streamId) => ({ streamId, expected: 1, events: [], effects: [effect] })));
      }),
    );

    expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
    const { rows } = await under.pool.query('select count(*)::int as effects from es.effect');
    expect(rows).toEqual([{ effects: STREAMS.length }]);
  });

  it('conflict with each other as two of one release do', async () => {
    const follow = { streamId: 's:1', expected: 1, events: [event()] };
    await under.store.append([{ ...follow, expected: 0 }]);
    await under.store.append([follow]);

    const heads = JSON.stringify([{ s: 1, stream_id: 's:1', expected: 1, events: 0, effects: false }]);
    const { rows } = await under.pool.query<{ outcome: string }>(
      `select outcome from es.append($1, '[]', null, null, 0)`,
      [heads],
    );
    expect(rows).toEqual([{ outcome: 'conflict' }]);
    expect(await under.store.append([follow])).toEqual([{ ok: false, streamId: 's:1', reason: 'conflict' }]);
  });
});
