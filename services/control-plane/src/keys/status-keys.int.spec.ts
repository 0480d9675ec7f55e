import { createSecretKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import { createPool } from '#libs/event-store';
import { checkMac, withMac } from '#libs/messaging';
import { VirtualClock } from '#libs/runtime';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '#libs/testing';
import { endAgentKey } from '../clusters/standings.ts';
import { inTransaction } from '../transaction.ts';
import { CannotUnwrap, MasterKey } from './master-key.ts';
import { QUIET_MS, StatusKeys, UNPROVEN_SPEAKER } from './status-keys.ts';

const HOUR = 3_600_000;
const WEEK = 7 * 24 * HOUR;
const MIGRATIONS = new URL('../../../../migrations/sql/', import.meta.url);
const OURS = '0091_status_keys.sql';
const TOPIC = 'f.cluster.k.v1';
const masterKey = new MasterKey(new Uint8Array(32).fill(9));
let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  // As the product connects: what others' connections are called must be visible to it.
  pool = createPool(database.url, { max: 4 });
  await addClusters(pool);
});

afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

const addClusters = (to: pg.Pool): Promise<unknown> =>
  to.query(
    `insert into fleet.account (id, name, credential, source, created_at, updated_at) values ('a', 'a', '{}', 'api', now(), now());
     insert into fleet.cluster (id, name, account_id, registered_at, joined_at) select 'k' || n, 'k', 'a', now(), now() from generate_series(1, 9) n`,
  );

const noon = (): VirtualClock => new VirtualClock(Date.UTC(2026, 5, 1, 12));
const keysAt = (clock: VirtualClock): StatusKeys => new StatusKeys({ pool, masterKey, clock });
const kidOf = async (keys: StatusKeys, clusterId: string): Promise<string> =>
  (await keys.signing([clusterId])).get(clusterId)!().kid;
const isDue = async (keys: StatusKeys, clusterId: string) => (await keys.due(clusterId))[0];

async function fill(keys: StatusKeys, clusterId: string, clock: VirtualClock): Promise<void> {
  await keys.filled(clusterId, await kidOf(keys, clusterId), clock.now());
}

describe('status keys', () => {
  it('are the same for every replica, and for the agent', async () => {
    const clock = noon();
    const said = await Promise.all(Array.from({ length: 6 }, () => kidOf(keysAt(clock), 'k1')));
    const { keys } = await keysAt(clock).forAgent('k1', 0);
    // Several may be made at the same moment; the agent has all of them, and all replicas go on with the newest.
    expect(keys.map(({ kid }) => kid)).toEqual(expect.arrayContaining(said));
    const newest = keys.at(-1)!;
    expect(await kidOf(keysAt(clock), 'k1')).toBe(newest.kid);

    const signing = (await keysAt(clock).signing(['k1'])).get('k1')!();
    const message = { headers: {}, ...withMac(TOPIC, { key: 'u1', value: null }, signing) };
    expect(checkMac(TOPIC, message, () => createSecretKey(newest.key))).toBe('valid');
  });

  it('rest wrapped, each in its own row', async () => {
    const keys = keysAt(noon());
    await kidOf(keys, 'k2');
    const { keys: given } = await keys.forAgent('k2', 0);
    const { rows } = await pool.query<{ all: string }>(
      `select string_agg(encode(wrapped, 'hex'), ' ') as all from fleet.status_key`,
    );
    for (const { key } of given) expect(rows[0]!.all).not.toContain(Buffer.from(key).toString('hex'));

    await kidOf(keys, 'k3');
    await pool.query(
      `update fleet.status_key set wrapped = (select wrapped from fleet.status_key where cluster_id = 'k2' limit 1) where cluster_id = 'k3'`,
    );
    const signing = await keysAt(noon()).signing(['k3', 'k2']);
    expect(() => signing.get('k3')!()).toThrow(CannotUnwrap);
    // And the others are spoken to.
    expect(signing.get('k2')!().kid).toBe(given.at(-1)!.kid);
    await pool.query(`delete from fleet.status_key where cluster_id = 'k3'`);
  });

  it('begin with everything said anew, sign for a week, and are given for an hour after the next one has done so', async () => {
    const clock = noon();
    const keys = keysAt(clock);
    expect(await isDue(keys, 'k4')).toEqual({ id: 'k4', rotate: false });
    const first = await kidOf(keys, 'k4');

    // One at a time says everything anew; one that dies at it is followed by another.
    expect(await keys.beginFilling('k4', first)).toBe(true);
    expect(await keysAt(clock).beginFilling('k4', first)).toBe(false);
    expect(await isDue(keys, 'k4')).toBeUndefined();
    await clock.advance(6 * 60_000);
    expect(await isDue(keys, 'k4')).toEqual({ id: 'k4', rotate: false });
    await fill(keys, 'k4', clock);
    expect(await isDue(keys, 'k4')).toBeUndefined();

    await clock.advance(WEEK);
    expect(await isDue(keys, 'k4')).toEqual({ id: 'k4', rotate: true });
    await keys.make('k4');
    const second = await kidOf(keys, 'k4');
    expect(second).not.toBe(first);
    expect((await keys.forAgent('k4', 0)).keys.map(({ kid }) => kid)).toEqual([first, second]);

    // Until the next one has said everything anew, whatever time that takes, the one before is there.
    await clock.advance(24 * HOUR);
    await keys.destroyOld();
    expect((await keys.forAgent('k4', 0)).keys).toHaveLength(2);
    await fill(keys, 'k4', clock);
    await keys.destroyOld();
    expect((await keys.forAgent('k4', 0)).keys).toHaveLength(2);
    await clock.advance(HOUR + 1);
    await keys.destroyOld();
    expect((await keys.forAgent('k4', 0)).keys.map(({ kid }) => kid)).toEqual([second]);
  });

  it('end with the key of the agent, at once and everywhere', async () => {
    const clock = noon();
    const [here, there] = [keysAt(clock), keysAt(clock)];
    const before = await kidOf(there, 'k5');
    await inTransaction(pool, (client) =>
      endAgentKey(client, { id: 'k5', key_thumbprint: 't' }, new Date(clock.now())),
    );

    expect((await here.forAgent('k5', 0)).keys).toEqual([]);
    const after = await kidOf(there, 'k5');
    expect(after).not.toBe(before);
    expect((await here.forAgent('k5', 1)).keys.map(({ kid }) => kid)).toEqual([after]);
    expect(await isDue(here, 'k5')).toEqual({ id: 'k5', rotate: false });
  });

  it('are made for no cluster that is unregistered', async () => {
    const keys = keysAt(noon());
    await pool.query(`update fleet.cluster set unregistered_at = now() where id = 'k6'`);
    expect((await keys.signing(['k6', 'k7'])).has('k6')).toBe(false);
    expect((await keys.forAgent('k6', 0)).keys).toEqual([]);
    expect(await isDue(keys, 'k6')).toBeUndefined();
  });
});

describe('whether an agent may believe nothing without a proof', () => {
  it('hangs on everything having been said with one since the last control plane that proves nothing was seen', async () => {
    const own = await createTestDatabase();
    const ownPool = createPool(own.url, { max: 4 });
    const older = new pg.Client({ connectionString: own.url, application_name: UNPROVEN_SPEAKER });
    try {
      await addClusters(ownPool);
      const clock = noon();
      const keys = new StatusKeys({ pool: ownPool, masterKey, clock });
      const isProven = async (): Promise<boolean> => (await keys.forAgent('k1', 0)).proven;

      // given a fleet that has always proven what it says
      expect(await isProven()).toBe(false);
      expect(await keys.unproven()).toBe(9);
      await fill(keys, 'k1', clock);
      expect(await keys.watchSpeakers()).toBe(false);
      expect(await isProven()).toBe(true);
      expect(await keys.unproven()).toBe(8);

      // when an older control plane comes
      await older.connect();
      await clock.advance(1_000);
      expect(await keys.watchSpeakers()).toBe(true);

      // then agents believe again what it says, as long as it is there and a while longer, and nothing is said anew for nothing
      expect(await isProven()).toBe(false);
      expect(await keys.due()).toEqual([]);
      await clock.advance(WEEK);
      await keys.watchSpeakers();
      expect(await keys.due()).toEqual([]);
      await older.end();
      await clock.advance(QUIET_MS - 1);
      await keys.watchSpeakers();
      expect(await keys.due()).toEqual([]);
      expect(await isProven()).toBe(false);

      // and once it has been gone for long enough, everything is said anew, and only then they do not
      await clock.advance(1);
      expect(await isDue(keys, 'k1')).toMatchObject({ id: 'k1' });
      expect(await isProven()).toBe(false);
      await fill(keys, 'k1', clock);
      expect(await isProven()).toBe(true);
    } finally {
      await older.end();
      await ownPool.end();
      await own.drop();
    }
  });

  it('is no after an upgrade of a fleet that has clusters, until it was quiet for long enough', async () => {
    const own = await createEmptyDatabase();
    const admin = new pg.Pool({ connectionString: own.url, max: 1 });
    const ownPool = createPool(own.url, { max: 2 });
    try {
      // given a database as the versions before have left it
      await admin.query('create schema es');
      const files = readdirSync(MIGRATIONS).filter((file) => file.endsWith('.sql'));
      for (const file of files.sort().filter((each) => each < OURS))
        await admin.query(readFileSync(new URL(file, MIGRATIONS), 'utf8'));
      await addClusters(admin);

      // when it is upgraded
      await admin.query(readFileSync(new URL(OURS, MIGRATIONS), 'utf8'));

      // then somebody may have spoken a moment ago
      const clock = new VirtualClock(Date.now());
      const keys = new StatusKeys({ pool: ownPool, masterKey, clock });
      expect(await keys.due()).toEqual([]);
      await clock.advance(QUIET_MS + 60_000);
      expect(await keys.due()).toHaveLength(9);
    } finally {
      await ownPool.end();
      await admin.end();
      await own.drop();
    }
  });
});
