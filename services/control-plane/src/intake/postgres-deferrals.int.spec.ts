import { createPool } from '#libs/event-store';
import { createTestDatabase } from '#libs/testing';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { INVENTORY, MAX_DEFERRED } from './ports.ts';
import { PostgresDeferrals } from './postgres-deferrals.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let pool: pg.Pool;
let now = Date.parse('2026-01-01T00:00:00Z');
const clock = { now: () => now } as ConstructorParameters<typeof PostgresDeferrals>[0]['clock'];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 2 });
});
afterEach(() => pool.query('delete from fleet.deferred_intent'));
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const deferrals = (): PostgresDeferrals => new PostgresDeferrals({ pool, clock });
const uids = (count: number, prefix = 'u'): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);
const atRest = async (): Promise<number> => (await pool.query('select from fleet.deferred_intent')).rowCount ?? 0;

describe('what was over a budget', () => {
  it('is asked for once, those first that wait longest', async () => {
    await deferrals().defer('k1', ['u2', 'u2', 'u1']);
    now += 1_000;
    await deferrals().defer('k1', ['u3']);
    await deferrals().defer('k2', ['u9']);
    expect(await deferrals().clusters()).toEqual(['k1', 'k2']);
    const [first, second] = [await deferrals().claim('k1', 2), await deferrals().claim('k1', 2)];
    expect([...first].sort()).toEqual(['u1', 'u2']);
    expect(second).toEqual(['u3']);
    await deferrals().settle('k1', [...first, ...second]);
    expect(await deferrals().clusters()).toEqual(['k2']);
  });

  it('is asked for by another when who claimed it has died', async () => {
    await deferrals().defer('k1', ['u1']);
    expect(await deferrals().claim('k1', 5)).toEqual(['u1']);
    expect(await deferrals().claim('k1', 5)).toEqual([]);
    now += 61_000;
    expect(await deferrals().claim('k1', 5)).toEqual(['u1']);
  });

  it('is asked for at once by anybody when who claimed it could not ask', async () => {
    await deferrals().defer('k1', ['u1', 'u2']);
    await deferrals().defer('k2', ['u1']);
    expect(await deferrals().claim('k2', 5)).toEqual(['u1']);
    expect(await deferrals().claim('k1', 1)).toHaveLength(1);
    await deferrals().release('k1', await deferrals().claim('k1', 5));
    expect(await deferrals().claim('k1', 5)).toHaveLength(1);
    expect(await deferrals().claim('k2', 5)).toEqual([]);
  });

  it('stays when it was deferred again while it was asked for', async () => {
    await deferrals().defer('k1', ['u1', 'u2']);
    const claimed = await deferrals().claim('k1', 5);
    await deferrals().defer('k1', ['u1']);
    await deferrals().settle('k1', claimed);
    expect(await deferrals().claim('k1', 5)).toEqual(['u1']);
  });

  it('has its bounds: of more than that the inventory is asked for, which holds them all', async () => {
    for (let i = 0; i < 3; i++) await deferrals().defer('k1', uids(MAX_DEFERRED / 2 + 1, `${i}-`));
    expect(await atRest()).toBeLessThanOrEqual(MAX_DEFERRED + 1);
    await deferrals().defer('k2', ['u1']);
    expect(await deferrals().claim('k1', 2 * MAX_DEFERRED)).toContain(INVENTORY);
    expect(await deferrals().claim('k2', 5)).toEqual(['u1']);
  });
});
