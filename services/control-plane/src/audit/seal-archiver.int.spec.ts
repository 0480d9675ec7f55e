import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { streamIdOf } from '#libs/domain';
import { createPool, PostgresEventStore } from '#libs/event-store';
import { Metrics, silentLogger, type AsideItem } from '#libs/observability';
import { SeededRandom, SystemClock } from '#libs/runtime';
import {
  createTestDatabase,
  eventually,
  temporaryFolder,
  type TemporaryFolder,
  type TestDatabase,
  untilSettled,
} from '#libs/testing';
import { readConfig } from '../config.ts';
import { startControlPlane } from '../control-plane.ts';
import { verifyChain } from '../doctor/verify-chain.ts';
import { accepted, call, newMessaging, placed, record, story, testConfig } from '../../spec/for-specs.ts';
import { AuditKey, AuditSigner } from './audit-key.ts';
import { recomputeDigests } from '../../spec/audit/tampering.ts';
import type { SealArchive } from './seal-archive.ts';
import { SealArchiver } from './seal-archiver.ts';
import { SealFolder } from './seal-folder.ts';
import { makeSeal, type FullSeal } from './seal.ts';
import { sealMessage } from './seal-message.ts';
import { PostgresSealStore } from './seal-store.ts';
import { ChainChanged, Sealer } from './sealer.ts';
import { auditVerifyCommand } from './verify-command.ts';

const key = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
const signer = new AuditSigner(AuditKey.parse(key));
const OWNER = 'one';

let database: TestDatabase;
let pool: pg.Pool;
let store: PostgresSealStore;
let folder: TemporaryFolder;
let archive: SealFolder;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 4 });
  store = new PostgresSealStore(pool);
  folder = temporaryFolder('seals');
  archive = new SealFolder(folder.path);
});
afterEach(async () => {
  await pool?.end();
  await database?.drop();
  await folder?.remove();
});

let number = 0;
/** Seals of one pod each. */
async function sealed(by: Sealer, seals = 1): Promise<void> {
  for (let n = 0; n < seals; n++) {
    const uid = `p${++number}`;
    await record(new PostgresEventStore(pool), streamIdOf('kept', uid), story([accepted('kept', uid), placed()]));
    // Anybody's open transaction hides events for a while.
    await eventually(
      async () => {
        await by.step();
        const { rows } = await pool.query<{ done: boolean }>(
          'select exists (select from es.seal where strpos(entries, $1) > 0) as done',
          [`:${uid}"`],
        );
        return rows[0]!.done;
      },
      { what: 'it is sealed', deadlineMs: 20_000 },
    );
  }
}

const sealer = (owner = OWNER, kept?: SealArchive): Sealer =>
  new Sealer({
    store,
    fleet: 'eci-fleet',
    signer,
    archive: kept,
    owner,
    leaseMs: 60_000,
    logger: silentLogger,
    metrics: new Metrics(),
  });

const archiver = (to: SealArchive = archive, owner = OWNER, metrics = new Metrics()): SealArchiver =>
  new SealArchiver({ store, archive: to, owner, clock: new SystemClock(), logger: silentLogger, metrics });

async function keepAll(by: SealArchiver): Promise<void> {
  while ((await by.step()) === 'busy');
}

const files = async (): Promise<string[]> =>
  (await readdir(folder.path, { recursive: true })).filter((name) => name.endsWith('.json')).sort();
const pathOf = (sequence: number): string =>
  join(folder.path, '000000000', `${String(sequence).padStart(12, '0')}.json`);

async function asSuperuser(work: (db: pg.Client) => Promise<unknown>): Promise<void> {
  const db = new pg.Client({ connectionString: database.url });
  await db.connect();
  try {
    await db.query('set session_replication_role = replica');
    await work(db);
  } finally {
    await db.end();
  }
}

async function verified(...args: string[]): Promise<{ code: number; out: string }> {
  const out: string[] = [];
  const code = await auditVerifyCommand.run(args, {
    environment: { DATABASE_URL: database.url, FLEET_AUDIT_KEY: JSON.stringify(key) },
    print: (line) => out.push(line),
    complain: () => undefined,
    signal: new AbortController().signal,
  });
  return { code, out: out.join('\n') };
}

describe('seals in a folder', () => {
  it('are all there, once each, wherever the process is killed', async () => {
    const random = new SeededRandom(7);
    const one = sealer();
    for (let round = 0; round < 12; round++) {
      await sealed(one, 1 + Math.floor(random.next() * 3));
      // A new process each time; it dies before a file, in the middle of one, or after it.
      const death = random.next();
      const dying: SealArchive = {
        newest: () => archive.newest(),
        keep: async (seal: FullSeal) => {
          if (death < 0.3) throw new Error('killed before');
          await archive.keep(seal);
          if (death < 0.6) {
            const { length } = await readFile(pathOf(seal.sequence));
            await truncate(pathOf(seal.sequence), Math.floor(random.next() * length));
          }
          if (death < 0.8) throw new Error('killed after');
        },
      };
      await keepAll(archiver(dying)).catch(() => undefined);
    }
    await keepAll(archiver());
    const { rows } = await pool.query<{ sequence: string; digest: string }>(
      `select sequence, encode(digest, 'hex') as digest from es.seal order by sequence`,
    );
    expect(rows.length).toBeGreaterThan(12);
    expect(await files()).toHaveLength(rows.length);
    for (const { sequence, digest } of rows) expect((await archive.read(Number(sequence)))?.digest).toBe(digest);
    const { code, out } = await verified('--seals-folder', folder.path);
    expect(out).toContain(`Published   ${rows.length} seals (1 to ${rows.length})`);
    expect(code).toBe(0);
  });

  it('are kept by whoever seals, from where the folder ends', async () => {
    const one = sealer();
    await sealed(one, 2);
    const [first, second] = [archiver(), archiver(archive, 'two')];
    await keepAll(second);
    expect(await files()).toEqual([]);
    await keepAll(first);
    await one.leave();
    await sealed(sealer('two'), 2);
    await keepAll(first);
    expect(await files()).toHaveLength(2);
    await keepAll(second);
    expect(await files()).toHaveLength(4);
  });

  it('remember at a start what a superuser has cut off and would have sealed anew, and name it', async () => {
    const one = sealer();
    await sealed(one, 4);
    await keepAll(archiver());
    await one.leave();
    // The newest two seals go, the checkpoint moves back, and an event below them is changed: a chain that looks whole.
    await asSuperuser(async (db) => {
      await db.query(
        `update es.event set data = data || '{"forged": true}' where stream_id like '%:p${number}' and version = 2`,
      );
      await recomputeDigests(db);
      await db.query(`delete from es.seal where sequence > 2;
        update es.subscription set (last_transaction_id, last_position) =
          (select through_transaction_id, through_position from es.seal where sequence = 2) where name = 'audit-seal'`);
    });
    expect((await verified()).code).toBe(0);
    await untilSettled(pool);
    await expect(sealer('two', archive).step()).rejects.toThrow(ChainChanged);
    const metrics = new Metrics();
    const differing = archiver(archive, 'two', metrics);
    await expect(differing.step()).rejects.toThrow(
      'seal 4 is kept outside of PostgreSQL, and PostgreSQL does not have it',
    );
    expect(differing.setAside()).toMatchObject([{ loop: 'audit-archive', item: 'seal 4', failures: 1 }]);
    expect(await metrics.text()).toContain('eci_fleet_audit_archive_differs 1');
    const { code, out } = await verified('--seals-folder', folder.path);
    expect(out).toMatch(/CHANGED EVENT {2}container_group:kept:p\d+ version 2/);
    expect(out).toContain('MISSING SEAL  seal 4');
    expect(code).toBe(1);
    const chain = await verifyChain({ databaseUrl: database.url, sealsFolder: folder.path }, Date.now());
    expect(chain.findings.map(({ kind }) => kind)).toContain('chain-missing-seal-4');
  });

  it('do not make a key follow what it has not signed', async () => {
    const unsigned = new Sealer({
      store,
      fleet: 'eci-fleet',
      signer: undefined,
      owner: OWNER,
      leaseMs: 60_000,
      logger: silentLogger,
      metrics: new Metrics(),
    });
    await sealed(unsigned);
    await keepAll(archiver());
    await unsigned.leave();
    const id = streamIdOf('kept', 'next');
    await record(new PostgresEventStore(pool), id, story([accepted('kept', 'next')]));
    await untilSettled(pool);
    await expect(sealer('two', archive).step()).rejects.toThrow('FLEET_AUDIT_ACCEPT_FROM');
  });

  it('are said to differ by the readiness of a running process, which stays ready', async () => {
    const one = sealer();
    await sealed(one, 2);
    await keepAll(archiver());
    await one.leave();
    const [first, second] = [(await archive.read(1))!, (await archive.read(2))!];
    const forged = makeSeal({ ...second, previous: first, signer: undefined, accepted: false });
    await writeFile(pathOf(2), `${Buffer.from(sealMessage(forged).value!).toString('utf8')}\n`);
    const messaging = newMessaging();
    const config = await testConfig(database.url, {
      FLEET_ROLES: 'publish',
      FLEET_AUDIT_KEY: JSON.stringify(key),
      FLEET_SEALS_FOLDER: folder.path,
    });
    const plane = await startControlPlane(config, { messaging });
    try {
      await eventually(
        async () => {
          const { status, body } = await call<{ setAside?: AsideItem[] }>(plane.url, 'GET', '/health/ready');
          return (
            status === 200 && body.setAside?.some(({ loop, item }) => loop === 'audit-archive' && item === 'seal 2')
          );
        },
        { what: 'readiness says it', deadlineMs: 30_000 },
      );
    } finally {
      await plane.stop();
      await messaging.close();
    }
    expect((await verified('--seals-folder', folder.path)).code).toBe(1);
  });

  it('need a folder that is there, by an absolute path', async () => {
    await expect(verified('--seals-folder', join(folder.path, 'away'))).rejects.toThrow('ENOENT');
    await expect(verified('--seals-folder', folder.path, '--roots', 'x')).rejects.toThrow('exclude each other');
    expect(() => readConfig({ FLEET_SEALS_FOLDER: 'seals' })).toThrow('FLEET_SEALS_FOLDER: must be an absolute path');
  });
});
