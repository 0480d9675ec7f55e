import { generateKeyPairSync } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { streamIdOf } from '#libs/domain';
import { BEGINNING, createPool, PostgresEventStore, type RecordedEvent } from '#libs/event-store';
import { Metrics, silentLogger } from '#libs/observability';
import { SeededRandom } from '#libs/runtime';
import { createDatabase, createTestDatabase, untilSettled, type TestDatabase } from '#libs/testing';
import { accepted, created, landed, placed, record, running, story, succeeded } from '../../spec/for-specs.ts';
import { AuditKey, AuditKeyRing, AuditSigner } from './audit-key.ts';
import { tamperings, type Draw, type Tampering } from '../../spec/audit/random-sql.ts';
import { readOnlyPool } from './read-only-pool.ts';
import type { FullSeal } from './seal.ts';
import { PostgresSealStore } from './seal-store.ts';
import { Sealer } from './sealer.ts';
import type { Finding } from './verify/finding.ts';
import { publishedSeals } from '../../spec/audit/sealed-log.ts';
import { keysInPostgres, PostgresHistory } from './verify/postgres-history.ts';
import { verify } from './verify/verify.ts';

/**
 * Whatever a superuser does to the store: if deciders, the history or the feed then say something else, `audit verify` fails and names it; if nothing
 * was changed, it passes. `AUDIT_TAMPERINGS=1000` tries more, `AUDIT_SEED=n` begins elsewhere; a failure names its seed.
 */
const COUNT = Number(process.env['AUDIT_TAMPERINGS'] ?? 40);
const SEED = Number(process.env['AUDIT_SEED'] ?? 1);

const newSigner = (): AuditSigner =>
  new AuditSigner(AuditKey.parse(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })));
const signer = newSigner();
const mallory = newSigner();
const HONEST = streamIdOf('audited', 'after');

let base: TestDatabase;
let auditor: string;
let seals: FullSeal[];
let before: View;

beforeAll(async () => {
  base = await createTestDatabase();
  auditor = `auditor_${base.name}`;
  const pool = createPool(base.url, { max: 2 });
  const store = new PostgresEventStore(pool);
  const told = sealer(pool, (seals = []));
  const [a, b, c] = ['a', 'b', 'c'].map((uid) => streamIdOf('audited', uid)) as [string, string, string];
  const flocks: [string, Parameters<typeof story>[0]][] = [
    [a, [accepted('audited', 'a'), placed(), created('eci-a')]],
    [b, [accepted('audited', 'b'), placed(), created('eci-b')]],
    [a, [running('eci-a')]],
    [b, [landed('eci-b', 'cn-hangzhou-b')]],
    [c, [accepted('audited', 'c'), placed()]],
    [a, [succeeded('eci-a')]],
  ];
  for (const [streamId, said] of flocks) {
    await record(store, streamId, story(said));
    await untilSettled(pool);
    await told.step();
  }
  await pool.end();
  await asSuperuser(base, (db) =>
    db.query(`create role "${auditor}" login password 'audit' in role eci_fleet_auditor`),
  );
  before = (await viewOf(base)) as View;
  expect(seals.reduce((sum, { events }) => sum + events, 0)).toBe(11);
}, 120_000);

afterAll(async () => {
  if (auditor) await asSuperuser(base, (db) => db.query(`drop owned by "${auditor}"; drop role "${auditor}"`));
  await base?.drop();
});

/** A sealer as it starts: it remembers nothing. */
function sealer(pool: pg.Pool, made: FullSeal[]): Sealer {
  const store = new PostgresSealStore(pool);
  return new Sealer({
    store: Object.assign(Object.create(store) as PostgresSealStore, {
      append: async (by: string, seal: FullSeal) => {
        made.push(seal);
        return store.append(by, seal);
      },
    }),
    fleet: 'eci-fleet',
    signer,
    owner: crypto.randomUUID(),
    leaseMs: 0,
    logger: silentLogger,
    metrics: new Metrics(),
  });
}

async function asSuperuser(database: TestDatabase, work: (db: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

interface View {
  /** Each stream as deciders and the history load it. */
  readonly streams: ReadonlyMap<string, readonly string[]>;
  /** All events as the feed tells them. */
  readonly feed: readonly string[];
}

const shown = ({ cursor: _, ...event }: RecordedEvent): string => JSON.stringify(event);

/** What readers are told; `unreadable` when they are told nothing. */
async function viewOf(database: TestDatabase): Promise<View | 'unreadable'> {
  const pool = createPool(database.url, { max: 1 });
  try {
    const store = new PostgresEventStore(pool);
    const { rows } = await pool.query<{ stream_id: string }>(
      'select stream_id from es.stream union select stream_id from es.event order by 1',
    );
    const loaded = await store.loadMany(rows.map((row) => row.stream_id).filter((id) => id !== HONEST));
    const { events } = await store.readAll(BEGINNING, 1_000);
    return {
      streams: new Map([...loaded].map(([id, stream]) => [id, stream.map(shown)])),
      feed: events.filter(({ streamId }) => streamId !== HONEST).map(shown),
    };
  } catch {
    return 'unreadable';
  } finally {
    await pool.end();
  }
}

const same = (one: readonly string[] = [], two: readonly string[] = []): boolean =>
  one.length === two.length && one.every((each, index) => each === two[index]);
const beginsWith = (whole: readonly string[] = [], start: readonly string[] = []): boolean =>
  same(whole.slice(0, start.length), start);

/** Streams that say something else than they did. */
function changedStreams(now: View): readonly string[] {
  const ids = new Set([...before.streams.keys(), ...now.streams.keys()]);
  return [...ids].filter((id) => !same(before.streams.get(id), now.streams.get(id)));
}

/** Events came in at the end, and nothing else happened: who may append may append, and it is told as not sealed or as sealed since. */
const isAppend = (now: View): boolean =>
  [...before.streams].every(([id, stream]) => beginsWith(now.streams.get(id), stream)) &&
  beginsWith(now.feed, before.feed);

interface Verdict {
  readonly findings: readonly Finding[];
  /** Why nothing could be verified; names what could not be read. */
  readonly failed?: string;
  /** Rows that were read and hashed. */
  readonly events: number;
}

async function verdictOf(database: TestDatabase, published: boolean): Promise<Verdict> {
  const url = new URL(database.url);
  url.username = auditor;
  url.password = 'audit';
  const pool = readOnlyPool(url.href);
  try {
    const { findings, events } = await verify({
      history: await PostgresHistory.open(pool),
      trusted: new AuditKeyRing([signer.publicKey]),
      untrusted: new AuditKeyRing(await keysInPostgres(pool)),
      ...(published && { published: publishedSeals(seals) }),
    });
    return { findings, events };
  } catch (error) {
    return { findings: [], events: 0, failed: String(error) };
  } finally {
    await pool.end();
  }
}

function drawFrom(seed: number): Draw {
  const random = new SeededRandom(seed);
  const number = (below: number): number => Math.floor(random.next() * below);
  return { number, of: (choices) => choices[number(choices.length)]! };
}

/** Tries one seed; answers what `audit verify` got wrong. */
async function tried(seed: number): Promise<{ readonly done: readonly string[]; readonly wrong: readonly string[] }> {
  const draw = drawFrom(seed);
  const admin = new URL(base.url);
  admin.pathname = '/postgres';
  const database = await createDatabase(admin.href, { template: base.name });
  try {
    const done: Tampering[] = [];
    await asSuperuser(database, async (db) => {
      await db.query('set session_replication_role = replica');
      for (const each of tamperings(draw, mallory)) {
        // What PostgreSQL refuses was not done.
        await db.query('begin');
        const isDone = await each.run(db, draw).then(
          () => true,
          () => false,
        );
        await db.query(isDone ? 'commit' : 'rollback');
        if (isDone) done.push(each);
      }
    });
    const isHarmless = done.every(({ harmless }) => harmless);
    if (draw.number(2) === 0) {
      const sealed = await restarted(database);
      if (isHarmless && !sealed)
        return { done: done.map(({ name }) => name), wrong: ['nothing was changed, and the sealer does not go on'] };
    }
    const wrong = faultsIn(
      await viewOf(database),
      done,
      await verdictOf(database, false),
      await verdictOf(database, true),
      await rowsOf(database),
    );
    return { done: done.map(({ name }) => name), wrong };
  } finally {
    await database.drop();
  }
}

/** The sealer starts anew and an honest event comes in. */
async function restarted(database: TestDatabase): Promise<boolean> {
  const pool = createPool(database.url, { max: 2 });
  try {
    await record(new PostgresEventStore(pool), HONEST, story([accepted('audited', 'after')]));
    const made: FullSeal[] = [];
    const anew = sealer(pool, made);
    await untilSettled(pool);
    for (let tries = 0; tries < 20 && made.length === 0; tries++) await anew.step();
    return made.length > 0;
  } catch {
    // It refuses, or the tables do not take it.
    return false;
  } finally {
    await pool.end();
  }
}

async function rowsOf(database: TestDatabase): Promise<number> {
  let events = 0;
  await asSuperuser(database, async (db) => {
    events = (await db.query<{ n: number }>('select count(*)::int as n from es.event')).rows[0]!.n;
  });
  return events;
}

function faultsIn(
  now: View | 'unreadable',
  done: readonly Tampering[],
  byKey: Verdict,
  byCopy: Verdict,
  rows: number,
): string[] {
  const wrong: string[] = [];
  const passes = (verdict: Verdict): boolean => verdict.failed === undefined && verdict.findings.length === 0;
  const tables = (verdict: Verdict): boolean =>
    verdict.failed?.includes('es.') === true || verdict.findings.some(({ kind }) => kind === 'changed-table');
  for (const verdict of [byKey, byCopy])
    if (passes(verdict) && verdict.events !== rows)
      wrong.push(`passes, and has read ${verdict.events} of ${rows} events`);
  if (done.every(({ harmless }) => harmless)) {
    for (const verdict of [byKey, byCopy])
      if (!passes(verdict)) wrong.push(`nothing was changed, and it says ${JSON.stringify(verdict)}`);
    if (now === 'unreadable' || changedStreams(now).length > 0)
      wrong.push('something was changed by what changes nothing');
    return wrong;
  }
  if (now === 'unreadable') {
    if (passes(byKey)) wrong.push('readers can read nothing, and it passes');
    return wrong;
  }
  const changed = changedStreams(now);
  if ((changed.length === 0 && same(now.feed, before.feed)) || isAppend(now)) return wrong;
  if (passes(byKey) && !done.some(({ cutsOff }) => cutsOff)) wrong.push(`${changed.join(', ')} changed, and it passes`);
  const named = new Set(byCopy.findings.map(({ event }) => event?.streamId));
  if (passes(byCopy)) wrong.push(`${changed.join(', ')} changed, and it passes in spite of the copies of seals`);
  else if (!tables(byCopy))
    for (const id of changed)
      if (!named.has(id) && !beginsWith(now.streams.get(id), before.streams.get(id)))
        wrong.push(`${id} changed and is not named: ${JSON.stringify(byCopy).slice(0, 2_000)}`);
  return wrong;
}

describe('random statements of a superuser', () => {
  it(
    'are found and named where readers are told something else, and are no finding where nothing changed',
    { timeout: 60_000 + COUNT * 10_000 },
    async () => {
      const wrong: string[] = [];
      for (let seed = SEED; seed < SEED + COUNT && wrong.length < 5; seed++) {
        const result = await tried(seed);
        if (result.wrong.length > 0)
          wrong.push(`AUDIT_SEED=${seed}: ${result.done.join('; ')}\n${result.wrong.join('\n')}`);
      }
      expect(wrong.join('\n\n')).toBe('');
    },
  );
});
