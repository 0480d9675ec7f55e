import { generateKeyPairSync } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPool, PostgresEventStore, type NewEvent } from '#libs/event-store';
import { createLogger, Metrics, silentLogger } from '#libs/observability';
import { createTestDatabase, untilSettled, type TestDatabase } from '#libs/testing';
import { AuditKey, AuditKeyRing, AuditSigner } from './audit-key.ts';
import type { FullSeal } from './seal.ts';
import { ChainChanged, Sealer } from './sealer.ts';
import { PostgresSealStore } from './seal-store.ts';
import { keysInPostgres, PostgresHistory } from './verify/postgres-history.ts';
import { verify, type Verified } from './verify/verify.ts';

const LEASE_MS = 60_000;
const signer = new AuditSigner(AuditKey.parse(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })));

let database: TestDatabase;
let pool: pg.Pool;
let owner: pg.Pool;
let events: PostgresEventStore;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 8 });
  owner = new pg.Pool({ connectionString: database.url, max: 2 });
  owner.on('error', () => undefined);
  events = new PostgresEventStore(pool);
});
afterEach(async () => {
  await Promise.all([pool?.end(), owner?.end()]);
  await database?.drop();
});

let number = 0;
async function append(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 100) {
    const streams = Array.from({ length: Math.min(left, 100) }, () => ({
      streamId: `s:${++number}`,
      expected: 0,
      events: [event(number)],
    }));
    await events.append(streams);
  }
  await untilSettled(owner);
}

function event(n: number): NewEvent {
  return {
    eventId: crypto.randomUUID(),
    type: 'Happened',
    schemaVersion: 1,
    data: { n },
    metadata: { actor: 'test', decidedAt: '2026-03-01T10:00:00.000Z' },
  };
}

function sealer(name: string, more: Partial<ConstructorParameters<typeof Sealer>[0]> = {}): Sealer {
  return new Sealer({
    store: new PostgresSealStore(pool),
    fleet: 'test',
    signer,
    owner: name,
    leaseMs: LEASE_MS,
    logger: silentLogger,
    metrics: new Metrics(),
    maxEvents: 10,
    ...more,
  });
}

async function sealAll(by: Sealer): Promise<void> {
  while ((await by.step()) === 'busy');
}

async function verified(trusted = [signer.publicKey]): Promise<Verified> {
  return verify({
    history: await PostgresHistory.open(pool),
    trusted: new AuditKeyRing(trusted),
    untrusted: new AuditKeyRing(await keysInPostgres(pool)),
  });
}

const sequences = async (): Promise<number[]> =>
  (await pool.query<{ sequence: string }>('select sequence from es.seal order by sequence')).rows.map((row) =>
    Number(row.sequence),
  );

describe('the sealer', () => {
  it('chains every event once, in bounded batches, and nothing when there is nothing', async () => {
    const one = sealer('one');
    expect(await one.step()).toBe('idle');
    expect(await sequences()).toEqual([]);
    await append(25);
    await sealAll(one);
    await append(3);
    await sealAll(one);
    await sealAll(one);
    expect(await sequences()).toEqual([1, 2, 3, 4]);
    expect(await verified()).toMatchObject({
      findings: [],
      sealedEvents: 28,
      unsealed: { events: 0 },
      signatures: { good: 4 },
    });
  });

  it('goes on where the one before it was killed, after its lease, and keeps the chain', async () => {
    await append(5);
    await sealAll(sealer('killed'));
    await append(5);
    const next = sealer('next');
    expect(await next.step()).toBe('idle');
    expect(await sequences()).toEqual([1]);
    await owner.query(`select es.set_clock_offset('2 minutes')`);
    await sealAll(next);
    expect(await sequences()).toEqual([1, 2]);
    expect((await verified()).findings).toEqual([]);
  });

  it('is refused when it was paused and somebody else has gone on', async () => {
    await append(5);
    const slow = new PostgresSealStore(pool);
    let pausedBefore: (() => Promise<void>) | undefined;
    const paused = sealer('paused', {
      store: Object.assign(Object.create(slow) as PostgresSealStore, {
        append: async (name: string, seal: FullSeal) => {
          await pausedBefore?.();
          return slow.append(name, seal);
        },
      }),
    });
    pausedBefore = async () => {
      await owner.query(`select es.set_clock_offset('2 minutes')`);
      await append(1);
      await sealAll(sealer('successor'));
    };
    expect(await paused.step()).toBe('idle');
    expect(await sequences()).toEqual([1]);
    // Awake again, and its turn again: what it knew is old, and that is no reproach to anybody.
    pausedBefore = undefined;
    await owner.query(`select es.set_clock_offset('4 minutes')`);
    await append(1);
    await sealAll(paused);
    expect(await verified()).toMatchObject({ findings: [], sealedEvents: 7 });
  });

  it('never forks the chain: three that seal at once, lose leases, crash before and after their commits', async () => {
    const store = new PostgresSealStore(pool);
    let crashes = 0;
    // Leases of no time at all: every step takes the lease from whoever has it.
    const flaky = (name: string): Sealer =>
      sealer(name, {
        leaseMs: 0,
        maxEvents: 3,
        store: Object.assign(Object.create(store) as PostgresSealStore, {
          append: async (by: string, seal: FullSeal) => {
            crashes += 1;
            if (crashes % 5 === 0) throw new Error('killed before the commit');
            const done = await store.append(by, seal);
            if (crashes % 7 === 0) throw new Error('killed after the commit');
            return done;
          },
        }),
      });
    const sealers = ['a', 'b', 'c'].map(flaky);
    for (let round = 0; round < 12; round++) {
      await append(4);
      await Promise.allSettled(sealers.map((each) => each.step()));
    }
    await sealAll(sealer('last', { leaseMs: 0 }));
    const result = await verified();
    expect(result).toMatchObject({ findings: [], sealedEvents: 48, unsealed: { events: 0 } });
    expect(await sequences()).toEqual(Array.from({ length: result.seals }, (_, i) => i + 1));
    expect(crashes).toBeGreaterThan(7);
  });

  it('puts no key under a seal of no key or of another, unless it is told which seal, and records that', async () => {
    const other = new AuditSigner(AuditKey.parse(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })));
    await append(2);
    const first = sealer('first', { signer: undefined });
    await sealAll(first);
    await first.leave();
    for (const key of [signer, other]) {
      await append(2);
      const before = (await new PostgresSealStore(pool).newest())!;
      const metrics = new Metrics();
      for (const acceptFrom of [undefined, '22'.repeat(32)]) {
        const refusing = sealer('refusing', { signer: key, acceptFrom, metrics });
        await expect(refusing.step()).rejects.toThrow(`FLEET_AUDIT_ACCEPT_FROM=${before.digest}`);
        await expect(refusing.step()).rejects.toThrow(ChainChanged);
        await refusing.leave();
      }
      expect(await metrics.text()).toContain('eci_fleet_audit_chain_changed 1');
      // A crash between looking and writing forgets nothing: the next try says it again.
      const store = new PostgresSealStore(pool);
      let crashes = 1;
      const told = sealer('told', {
        signer: key,
        acceptFrom: before.digest,
        store: Object.assign(Object.create(store) as PostgresSealStore, {
          append: (by: string, seal: FullSeal) =>
            crashes-- > 0 ? Promise.reject(new Error('killed before the commit')) : store.append(by, seal),
        }),
      });
      await expect(told.step()).rejects.toThrow('killed');
      await sealAll(told);
      await append(1);
      await sealAll(told);
      await told.leave();
      const [accepting, after] = await Promise.all([store.seal(before.sequence + 1), store.newest()]);
      expect([before.accepted, accepting!.accepted, after!.accepted]).toEqual([undefined, true, undefined]);
    }
    expect((await keysInPostgres(pool)).map(({ kid }) => kid)).toEqual([signer.keyId, other.keyId]);
    expect(await verified([signer.publicKey, other.publicKey])).toMatchObject({
      findings: [],
      sealedEvents: 8,
      signatures: { good: 4, unsigned: 1, accepted: [{ first: 1, last: 1 }] },
    });
    // Who has the newer key alone sees seals that it was told to follow.
    expect(await verified([other.publicKey])).toMatchObject({
      findings: [],
      signatures: { good: 2, accepted: [{ first: 1, last: 3 }] },
    });
  });

  it('goes on without a key where it is taken away', async () => {
    await append(2);
    const one = sealer('one');
    await sealAll(one);
    await one.leave();
    await append(2);
    await sealAll(sealer('two', { signer: undefined }));
    expect((await verified()).findings).toMatchObject([{ kind: 'unsigned', seal: 2 }]);
  });

  it('says once that nobody signs', async () => {
    const lines: string[] = [];
    const logger = createLogger({
      level: 'warn',
      service: 'spec',
      destination: { write: (line) => void lines.push(line) },
    });
    const by = sealer('one', { signer: undefined, logger });
    for (let i = 0; i < 3; i++) {
      await append(1);
      await sealAll(by);
    }
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('FLEET_AUDIT_KEY');
    expect(await verified([])).toMatchObject({ findings: [], signatures: { unsigned: 3 } });
  });

  it.each([
    ['changed the newest seal', `update es.seal set sealed_at = sealed_at - interval '1 hour'`],
    ['removed it', 'delete from es.seal'],
    ['moved its checkpoint back', `update es.subscription set last_position = 0, last_transaction_id = '0'`],
  ])('does not put its name under a chain after somebody %s', async (_, statement) => {
    await append(3);
    const one = sealer('one');
    await sealAll(one);
    await append(3);
    const superuser = await owner.connect();
    await superuser.query('set session_replication_role = replica');
    await superuser.query(statement);
    superuser.release(true);
    await expect(one.step()).rejects.toThrow(ChainChanged);
    await one.leave();
    await expect(sealer('two').step()).rejects.toThrow(ChainChanged);
  });

  it('remembers what it has seen when all seals are gone and the checkpoint with them', async () => {
    await append(3);
    const one = sealer('one');
    await sealAll(one);
    const superuser = await owner.connect();
    await superuser.query('set session_replication_role = replica');
    await superuser.query('delete from es.seal');
    await superuser.query(`update es.subscription set last_position = 0, last_transaction_id = '0'`);
    superuser.release(true);
    await expect(one.step()).rejects.toThrow('which we have seen');
  });

  it('leaves no way round it to the application', async () => {
    await append(3);
    await sealAll(sealer('one'));
    for (const statement of [
      'update es.seal set events = 1',
      'delete from es.seal',
      'truncate es.seal',
      'insert into es.seal select * from es.seal',
    ])
      await expect(pool.query(statement)).rejects.toThrow('permission denied');
    await expect(owner.query('delete from es.seal')).rejects.toThrow('never changed');
    const store = new PostgresSealStore(pool);
    const from = (await store.lease('one', LEASE_MS))!;
    await append(1);
    const { entries, through } = await store.unsealed(from, 10);
    const newest = (await store.newest())!;
    await expect(
      store.append('one', { ...newest, from, through, entries, sequence: 2, previous: '22'.repeat(32) }),
    ).rejects.toThrow('seal 2 does not follow seal 1');
    expect(await store.lease('one', LEASE_MS)).toEqual(from);
  });
});
