import { MAX_INVENTORY_CHUNKS } from '#libs/contracts';
import { createPool } from '#libs/event-store';
import { createTestDatabase } from '#libs/testing';
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MAX_INVENTORY_BYTES, type InventoryPod } from './ports.ts';
import { PostgresInventories } from './postgres-inventories.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let pool: pg.Pool;
let now = Date.parse('2026-01-01T00:00:00Z');
/** Characters of what PostgreSQL answered. */
let answered = 0;
const clock = { now: () => now } as ConstructorParameters<typeof PostgresInventories>[0]['clock'];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 2 });
  const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<pg.QueryResult>;
  pool.query = (async (...args: unknown[]) => {
    const result = await query(...args);
    answered += JSON.stringify(result.rows).length;
    return result;
  }) as typeof pool.query;
});
afterEach(() => pool.query('delete from fleet.inventory_chunk'));
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const inventories = (): PostgresInventories => new PostgresInventories({ pool, clock });
const pod = (uid: string, text = ''): InventoryPod => ({ uid, phase: 'Running', waitingFor: text });

async function atRest(clusterId: string): Promise<{ readonly parts: number; readonly bytes: number }> {
  const { rows } = await pool.query<{ parts: number; bytes: string }>(
    'select count(*)::integer as parts, coalesce(sum(octet_length(pods::text)), 0) as bytes from fleet.inventory_chunk where cluster_id = $1',
    [clusterId],
  );
  return { parts: rows[0]?.parts ?? 0, bytes: Number(rows[0]?.bytes) };
}

describe('parts of inventories', () => {
  it('make the whole once all are there, in any order, however often each comes', async () => {
    for (const chunk of [2, 0, 2]) {
      const part = { clusterId: 'k1', inventoryId: 'a', chunk, chunks: 3, pods: [pod(`u${chunk}`)] };
      expect(await inventories().keep(part)).toEqual({ state: 'incomplete' });
    }
    const last = { clusterId: 'k1', inventoryId: 'a', chunk: 1, chunks: 3, pods: [pod('u1')] };
    expect(await inventories().keep(last)).toEqual({ state: 'complete', pods: [pod('u0'), pod('u1'), pod('u2')] });
  });

  it('are not loaded while the set is not complete', async () => {
    const text = 'x'.repeat(50_000);
    answered = 0;
    for (let chunk = 0; chunk < 40; chunk++)
      await inventories().keep({ clusterId: 'k1', inventoryId: 'a', chunk, chunks: 41, pods: [pod('u', text)] });
    expect(answered).toBeLessThan(text.length);
  });

  it('rest within the bounds of their cluster, whatever it sends', async () => {
    const part = fc.record({
      inventoryId: fc.constantFrom('a', 'b', 'c'),
      chunk: fc.integer({ min: 0, max: 3 }),
      chunks: fc.constantFrom(4, 5, MAX_INVENTORY_CHUNKS),
      size: fc.constantFrom(0, 1000, MAX_INVENTORY_BYTES / 3, MAX_INVENTORY_BYTES),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 6 }), async (parts) => {
        for (const { inventoryId, chunk, chunks, size } of parts) {
          const pods = [pod('u', 'x'.repeat(size))];
          await inventories().keep({ clusterId: 'noisy', inventoryId, chunk, chunks, pods });
          const { rows } = await pool.query(
            "select distinct inventory_id, chunks from fleet.inventory_chunk where cluster_id = 'noisy'",
          );
          expect(rows.length).toBeLessThanOrEqual(1);
          expect((await atRest('noisy')).bytes).toBeLessThanOrEqual(MAX_INVENTORY_BYTES);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('of a set that grows too large are refused, and say so', async () => {
    const pods = [pod('u', 'x'.repeat(MAX_INVENTORY_BYTES / 2))];
    const part = { clusterId: 'k1', inventoryId: 'a', chunks: 3, pods };
    expect(await inventories().keep({ ...part, chunk: 0 })).toEqual({ state: 'incomplete' });
    expect(await inventories().keep({ ...part, chunk: 1 })).toEqual({ state: 'too-large' });
    expect((await atRest('k1')).parts).toBe(1);
  });

  it('of one cluster leave those of another alone', async () => {
    for (const clusterId of ['k1', 'k2'])
      await inventories().keep({ clusterId, inventoryId: clusterId, chunk: 0, chunks: 2, pods: [pod('u')] });
    expect((await atRest('k1')).parts).toBe(1);
    const remembered = { inventoryId: 'other', completedAt: now, unknownPods: [], missingPods: [], keyGeneration: 0 };
    await inventories().remember('k1', remembered);
    expect((await atRest('k1')).parts).toBe(0);
    expect((await atRest('k2')).parts).toBe(1);
  });

  it('are forgotten by age', async () => {
    await inventories().keep({ clusterId: 'gone', inventoryId: 'a', chunk: 0, chunks: 2, pods: [pod('u')] });
    expect(await inventories().forgetOldParts()).toBe(0);
    now += 3_600_001;
    expect(await inventories().forgetOldParts()).toBe(1);
    expect((await atRest('gone')).parts).toBe(0);
  });
});
