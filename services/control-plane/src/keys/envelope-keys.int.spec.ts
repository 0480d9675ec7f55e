import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import { VirtualClock } from '#libs/runtime';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { endAgentKey } from '../clusters/standings.ts';
import { inTransaction } from '../transaction.ts';
import { EnvelopeKeys, type EnvelopeKey } from './envelope-keys.ts';
import { MasterKey } from './master-key.ts';

const HOUR = 3_600_000;
const masterKey = new MasterKey(new Uint8Array(32).fill(9));
let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 4 });
  await pool.query(
    `insert into fleet.account (id, name, credential, source, created_at, updated_at) values ('a', 'a', '{}', 'api', now(), now());
     insert into fleet.cluster (id, name, account_id, registered_at) select 'k' || n, 'k', 'a', now() from generate_series(1, 9) n`,
  );
});

afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

/** Of a cluster whose agent has the first key. */
const keysOf = async (keys: EnvelopeKeys, clusterId: string): Promise<readonly EnvelopeKey[]> =>
  (await keys.forCluster(clusterId, 0)) ?? [];
const keysAt = (clock: VirtualClock) => new EnvelopeKeys({ pool, masterKey, clock });
const usable = (keys: readonly EnvelopeKey[], at: number) =>
  keys.filter((k) => Date.parse(k.notBefore) <= at && Date.parse(k.notAfter) > at);

describe('envelope keys', () => {
  it('are new every day, and always overlap', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 5, 1, 23, 59));
    const keys = keysAt(clock);
    const kids = new Set<string>();
    for (let hour = 0; hour < 24 * 5; hour++) {
      const current = await keysOf(keys, 'k1');
      const now = clock.now();
      expect(usable(current, now).length).toBeGreaterThanOrEqual(1);
      // An agent that hears nothing more for a day, or whose clock is off by hours, still has a key.
      expect(usable(current, now + 24 * HOUR).length).toBeGreaterThanOrEqual(1);
      expect(usable(current, now - 3 * HOUR).length).toBeGreaterThanOrEqual(1);
      const newest = usable(current, now).at(-1)!;
      kids.add(newest.kid);
      expect(now - Date.parse(newest.notBefore)).toBeLessThanOrEqual(24 * HOUR);
      await clock.advance(HOUR);
    }
    expect(kids.size).toBeGreaterThanOrEqual(5);
  });

  it('are the same for every replica that asks at once', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 5, 1, 12));
    const answers = await Promise.all(Array.from({ length: 6 }, () => keysOf(keysAt(clock), 'k2')));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  it('are found by name until no message sealed with them can be in the log', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 5, 1, 12));
    const keys = keysAt(clock);
    const today = usable(await keysOf(keys, 'k3'), clock.now()).at(-1)!;
    expect((await keys.find('k3', today.kid))?.export()).toEqual(Buffer.from(today.key));
    expect(await keys.find('k4', today.kid)).toBeUndefined();
    expect(await keys.find('k3', 'no-such-kid')).toBeUndefined();

    await clock.advance(Date.parse(today.notAfter) - clock.now() + 25 * HOUR);
    await keys.destroyExpired();
    expect((await keys.find('k3', today.kid))?.export()).toEqual(Buffer.from(today.key));
    await clock.advance(6 * HOUR);
    expect(await keys.destroyExpired()).toBeGreaterThan(0);
    expect(await keys.find('k3', today.kid)).toBeUndefined();
  });

  it('end with the key of the agent: for good, here at once, elsewhere within seconds', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 5, 1, 12));
    const [here, there] = [keysAt(clock), keysAt(clock)];
    const { kid } = (await keysOf(here, 'k5'))[0]!;
    expect(await there.find('k5', kid)).toBeDefined();

    await inTransaction(pool, (client) =>
      endAgentKey(client, { id: 'k5', key_thumbprint: 't' }, new Date(clock.now())),
    );
    here.forget('k5');

    expect(await here.find('k5', kid)).toBeUndefined();
    expect(await here.forCluster('k5', 0)).toBeUndefined();
    await clock.advance(11_000);
    expect(await there.find('k5', kid)).toBeUndefined();
  });

  it('of the next key are known elsewhere at once, though names that were made up cost little', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 5, 1, 12));
    const [here, there] = [keysAt(clock), keysAt(clock)];
    expect(await there.find('k6', 'made-up')).toBeUndefined();
    const { kid, key } = (await keysOf(here, 'k6'))[0]!;
    await clock.advance(101);
    expect((await there.find('k6', kid))?.export()).toEqual(Buffer.from(key));
  });

  it('are made for no cluster that is unregistered, and for no key that has ended', async () => {
    const keys = keysAt(new VirtualClock(Date.UTC(2026, 5, 1, 12)));
    await pool.query(`update fleet.cluster set unregistered_at = now() where id = 'k7'`);
    expect(await keys.forCluster('k7', 0)).toBeUndefined();
    expect(await keys.forCluster('k8', 1)).toBeUndefined();
    const { rows } = await pool.query(`select from fleet.envelope_key where cluster_id in ('k7', 'k8')`);
    expect(rows).toHaveLength(0);
  });
});
