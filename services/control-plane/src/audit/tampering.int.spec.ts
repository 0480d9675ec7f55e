import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topics } from '#libs/contracts';
import { parseStreamId, streamIdOf } from '#libs/domain';
import { createPool, digestOf, PostgresEventStore, type EventMetadata, type JsonObject } from '#libs/event-store';
import {
  createDatabase,
  createTestDatabase,
  eventually,
  temporaryFolder,
  type TestDatabase,
  type TemporaryFolder,
} from '#libs/testing';
import { startControlPlane } from '../control-plane.ts';
import {
  accepted,
  created,
  landed,
  newMessaging,
  placed,
  record,
  running,
  story,
  succeeded,
  testConfig,
} from '../for-specs.ts';
import { AuditKey, AuditSigner } from './audit-key.ts';
import { makeSeal, type FullSeal, type SealSigner } from './seal.ts';
import { entriesText, RECORDED_AT } from './seal-store.ts';
import { auditKeysCommand } from './keys-command.ts';
import { auditVerifyCommand } from './verify-command.ts';

/** What lies outside PostgreSQL: the key, the auditor's copy of the public keys, and the feed. */
const key = JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
let folder: TemporaryFolder;
let feed: string;
let publicKeys: string;
let base: TestDatabase;
const streams = ['a', 'b', 'c'].map((uid) => streamIdOf('audited', uid));

beforeAll(async () => {
  folder = temporaryFolder('audit');
  feed = join(folder.path, 'feed.jsonl');
  publicKeys = join(folder.path, 'keys.json');
  base = await createTestDatabase();
  const messaging = newMessaging();
  const lines: string[] = [];
  const plane = await startControlPlane(await testConfig(base.url, { FLEET_ROLES: 'publish', FLEET_AUDIT_KEY: key }), {
    messaging,
  });
  const reader = await messaging.consume({
    topics: [topics('eci-fleet').events],
    group: 'auditor',
    handle: ({ messages }) => {
      for (const { value } of messages) lines.push(Buffer.from(value ?? []).toString('utf8'));
      return Promise.resolve();
    },
  });
  const pool = createPool(base.url, { max: 2 });
  const store = new PostgresEventStore(pool);
  const sealed = (events: number) =>
    eventually(
      async () => {
        const { rows } = await pool.query<{ events: number }>(
          'select coalesce(sum(events), 0)::int as events from es.seal where sequence <= (select sequence from es.seal_published)',
        );
        return rows[0]!.events === events && lines.filter((line) => line.includes('container-group')).length >= events;
      },
      { what: `${events} events are sealed and published`, deadlineMs: 30_000 },
    );
  // Three seals at least: events come in three flocks.
  await record(store, streams[0]!, story([accepted('audited', 'a'), placed(), created('eci-a')]));
  await sealed(3);
  await record(
    store,
    streams[1]!,
    story([accepted('audited', 'b'), placed(), created('eci-b'), landed('eci-b', 'cn-hangzhou-b')]),
  );
  await record(store, streams[0]!, story([running('eci-a')]));
  await sealed(8);
  await record(store, streams[2]!, story([accepted('audited', 'c'), placed()]));
  await record(store, streams[0]!, story([succeeded('eci-a')]));
  await sealed(11);
  await reader.stop();
  await plane.stop();
  await messaging.close();
  await pool.end();
  await writeFile(feed, `${lines.join('\n')}\n`);
  await writeFile(publicKeys, (await fleet(base, auditKeysCommand, [])).out);
}, 120_000);

afterAll(async () => {
  await base?.drop();
  await folder?.remove();
});

async function fleet(
  database: TestDatabase,
  command: typeof auditVerifyCommand,
  args: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await command.run(args, {
    environment: { DATABASE_URL: database.url },
    print: (line) => out.push(line),
    complain: (line) => err.push(line),
    signal: new AbortController().signal,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

interface Report {
  readonly sound: boolean;
  readonly findings: readonly {
    readonly kind: string;
    readonly seal?: number;
    readonly checks: readonly string[];
    readonly event?: {
      readonly streamId: string;
      readonly version: number;
      readonly type: string;
      readonly recordedAt: string;
    };
  }[];
  readonly checked: { readonly seals: number; readonly sealedEvents: number };
}

async function audited(database: TestDatabase, ...args: string[]): Promise<Report & { code: number }> {
  const { code, out } = await fleet(database, auditVerifyCommand, ['--json', ...args]);
  return { code, ...(JSON.parse(out) as Report) };
}

const named = ({ findings }: Report): string[] =>
  findings.flatMap(({ kind, event }) =>
    event ? [`${kind} ${parseStreamId(event.streamId)?.podUid ?? event.streamId} ${event.version} ${event.type}`] : [],
  );

/** A copy of the sealed database in which a superuser, with triggers off, does what they like. */
async function tampered(
  work: (superuser: pg.Client) => Promise<unknown>,
  check: (database: TestDatabase) => Promise<void>,
): Promise<void> {
  const admin = new URL(base.url);
  admin.pathname = '/postgres';
  const database = await createDatabase(admin.href, { template: base.name });
  try {
    const superuser = new pg.Client({ connectionString: database.url });
    await superuser.connect();
    try {
      await superuser.query('set session_replication_role = replica');
      await work(superuser);
    } finally {
      await superuser.end();
    }
    await check(database);
  } finally {
    await database.drop();
  }
}

const CHANGE = `update es.event set data = jsonb_set(data, '{containerGroupId}', '"eci-forged"') where stream_id = '${streams[1]}' and version = 3`;
const DELETE = `delete from es.event where stream_id = '${streams[1]}' and version = 3`;
// A place of its own in the order: two events at one place have no order, and a seal over them no certain digest.
const INSERT = `insert into es.event select recorded_at, position / 2, transaction_id, 'container_group:audited:forged', 1, gen_random_uuid(), type, schema_version, data, metadata, digest
   from es.event where stream_id = '${streams[1]}' and version = 3`;
const NAMED = {
  change: 'changed-event b 3 ContainerGroupCreated',
  delete: 'missing-event b 3 ContainerGroupCreated',
  insert: 'inserted-event forged 1 ContainerGroupCreated',
};

/** Every digest as an honest appender would have computed it for what is stored now. */
async function recomputeDigests(db: pg.Client): Promise<void> {
  const { rows } = await db.query<Record<string, unknown>>('select * from es.event');
  for (const row of rows) {
    const digest = digestOf(row['stream_id'] as string, Number(row['version']), {
      eventId: row['event_id'] as string,
      type: row['type'] as string,
      schemaVersion: row['schema_version'] as number,
      data: row['data'] as JsonObject,
      metadata: row['metadata'] as EventMetadata,
    });
    await db.query('update es.event set digest = $3 where stream_id = $1 and version = $2', [
      row['stream_id'],
      row['version'],
      digest,
    ]);
  }
}

/** Every seal anew over what is stored now, with the same bounds, signed by `signer`. */
async function recomputeSeals(db: pg.Client, signer: SealSigner | undefined, through = Infinity): Promise<void> {
  const old = (
    await db.query<{
      sequence: string;
      from_transaction_id: string;
      from_position: string;
      through_transaction_id: string;
      through_position: string;
      generation: number;
      sealed_at: Date;
    }>('select * from es.seal order by sequence')
  ).rows;
  await db.query('delete from es.seal');
  let previous: FullSeal | undefined;
  for (const row of old) {
    if (Number(row.sequence) > through) return;
    const { rows } = await db.query<{
      stream_id: string;
      version: string;
      type: string;
      recorded_at: string;
      digest: string;
    }>(
      `select e.stream_id, e.version, e.type, ${RECORDED_AT} as recorded_at, encode(e.digest, 'hex') as digest from es.event e
        where (e.transaction_id, e.position) > ($1, $2) and (e.transaction_id, e.position) <= ($3, $4) order by e.transaction_id, e.position`,
      [row.from_transaction_id, row.from_position, row.through_transaction_id, row.through_position],
    );
    const cursor = (transactionId: string, position: string) => ({
      generation: row.generation,
      transactionId,
      position,
    });
    const seal: FullSeal = makeSeal({
      fleet: 'eci-fleet',
      previous,
      from: cursor(row.from_transaction_id, row.from_position),
      through: cursor(row.through_transaction_id, row.through_position),
      entries: rows.map((e) => ({
        streamId: e.stream_id,
        version: Number(e.version),
        type: e.type,
        recordedAt: e.recorded_at,
        digest: e.digest,
      })),
      sealedAt: row.sealed_at.toISOString(),
      signer,
    });
    previous = seal;
    await db.query(
      `insert into es.seal (sequence, fleet, previous, merkle_root, events, generation, from_transaction_id, from_position, through_transaction_id,
         through_position, recorded_from, recorded_to, sealed_at, entries, digest, key_id, signature)
       values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17)`,
      [
        seal.sequence,
        seal.fleet,
        Buffer.from(seal.previous, 'hex'),
        Buffer.from(seal.merkleRoot, 'hex'),
        seal.events,
        seal.from.generation,
        seal.from.transactionId,
        seal.from.position,
        seal.through.transactionId,
        seal.through.position,
        seal.recordedFrom,
        seal.recordedTo,
        seal.sealedAt,
        entriesText(seal.entries),
        Buffer.from(seal.digest, 'hex'),
        seal.keyId ?? null,
        seal.signature ?? null,
      ],
    );
  }
}

const mallory = new AuditSigner(AuditKey.parse(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })));

describe('audit verify on PostgreSQL', () => {
  it('proves an untouched log, with the key, the roots and the events of the feed', async () => {
    const { code, out } = await fleet(base, auditVerifyCommand, ['--public-keys', publicKeys, '--roots', feed]);
    expect(out).toContain('is as it was sealed');
    expect(out).toMatch(/Checked {5}\d+ seals \(1 to \d+\) over 11 events/);
    expect(out).toMatch(/Published {3}\d+ seals \(1 to \d+\) and 11 events compared/);
    expect(out).toContain('Not sealed  no event');
    expect(out).toMatch(/events\/s$/);
    expect(code).toBe(0);
  });

  it.each([
    ['changed', CHANGE, NAMED.change],
    ['deleted', DELETE, NAMED.delete],
    ['inserted', INSERT, NAMED.insert],
  ])('names an event that a superuser has %s', (_, statement, expected) =>
    tampered(
      (db) => db.query(statement),
      async (database) => {
        const report = await audited(database, '--public-keys', publicKeys);
        expect(named(report)).toEqual([expected]);
        expect(report.findings[0]!.event!.recordedAt).toMatch(/^\d{4}-.*Z$/);
        expect(report.findings[0]!.seal).toBeGreaterThan(1);
        expect(report.code).toBe(1);
      },
    ),
  );

  it('names an event whose time of recording was moved, within its month', () =>
    tampered(
      (db) =>
        db.query(
          `update es.event set recorded_at = recorded_at + interval '1 microsecond' where stream_id = '${streams[1]}' and version = 2`,
        ),
      async (database) => expect(named(await audited(database))).toEqual(['changed-event b 2 PlacementChosen']),
    ));

  it.each([
    ['changed', CHANGE, NAMED.change],
    ['deleted', DELETE, NAMED.delete],
    ['inserted', INSERT, NAMED.insert],
  ])('names it when every digest was computed anew: %s', (_, statement, expected) =>
    tampered(
      async (db) => {
        await db.query(statement);
        await recomputeDigests(db);
      },
      async (database) => expect(named(await audited(database))).toEqual([expected]),
    ),
  );

  describe.each([
    ['and left unsigned', undefined],
    ["and signed by the superuser's own key", mallory],
  ])('when every digest and seal was computed anew %s', (_, signer) => {
    it.each([
      ['changed', CHANGE, NAMED.change],
      ['deleted', DELETE, NAMED.delete],
      ['inserted', INSERT, NAMED.insert],
    ])('finds by the key that something is wrong, and by the feed which event was %s', (_how, statement, expected) =>
      tampered(
        async (db) => {
          await db.query(statement);
          await recomputeDigests(db);
          await recomputeSeals(db, signer);
          if (signer)
            await db.query('insert into es.audit_key values ($1, $2, now())', [mallory.keyId, mallory.publicKey]);
        },
        async (database) => {
          // Without anything from outside the forgery is perfect: that is what key and feed are for.
          expect((await audited(database)).code).toBe(0);
          const byKey = await audited(database, '--public-keys', publicKeys);
          expect(byKey.code).toBe(1);
          expect(byKey.findings).toMatchObject([{ kind: 'unsigned', seal: 1 }]);
          const byFeed = await audited(database, '--roots', feed);
          expect(byFeed.code).toBe(1);
          expect(named(byFeed)).toEqual([expected]);
        },
      ),
    );
  });

  it('finds events and seals that were cut off at the end, by the feed', () =>
    tampered(
      async (db) => {
        await db.query(`delete from es.event where stream_id = '${streams[2]}'`);
        await db.query(`delete from es.event where stream_id = '${streams[0]}' and version = 5`);
        await db.query(`delete from es.stream where stream_id = '${streams[2]}'`);
        await db.query(`update es.stream set version = 4 where stream_id = '${streams[0]}'`);
        await db.query('delete from es.seal where sequence > 2');
      },
      async (database) => {
        expect((await audited(database, '--public-keys', publicKeys)).code).toBe(0);
        const report = await audited(database, '--public-keys', publicKeys, '--roots', feed);
        expect(named(report).sort()).toEqual([
          'missing-event a 5 ContainerGroupSucceeded',
          'missing-event c 1 PodIntentAccepted',
          'missing-event c 2 PlacementChosen',
        ]);
        expect(report.findings).toContainEqual(expect.objectContaining({ kind: 'missing-seal', seal: 3 }));
      },
    ));

  it('finds events that were cut off before anybody sealed them, by the head of their stream or the feed', () =>
    tampered(
      async (db) => {
        await db.query(`delete from es.event where stream_id = '${streams[0]}' and version = 5`);
        await recomputeSeals(db, undefined, 2);
      },
      async (database) => {
        expect(named(await audited(database))).toEqual(['missing-event a 5 unknown']);
        expect(named(await audited(database, '--roots', feed))).toContain('missing-event a 5 ContainerGroupSucceeded');
      },
    ));

  it('names an event by the feed alone when its seal was not yet made', () =>
    tampered(
      async (db) => {
        await recomputeSeals(db, undefined, 1);
        await db.query(CHANGE);
        await recomputeDigests(db);
      },
      async (database) => {
        const onlyEvents = join(folder.path, `events-${database.name}.jsonl`);
        await writeFile(
          onlyEvents,
          (await readFile(feed, 'utf8'))
            .split('\n')
            .filter((line) => !line.includes('audit.sealed'))
            .join('\n'),
        );
        expect((await audited(database)).code).toBe(0);
        expect(named(await audited(database, '--roots', onlyEvents))).toEqual([NAMED.change]);
      },
    ));

  it('serves an auditor who may only read', () =>
    tampered(
      async (db) => {
        await db.query(`create role "auditor_${base.name}" login password 'audit'`);
        await db.query(`grant eci_fleet_auditor to "auditor_${base.name}"`);
      },
      async (database) => {
        const url = new URL(database.url);
        url.username = `auditor_${base.name}`;
        url.password = 'audit';
        expect((await audited({ ...database, url: url.href }, '--public-keys', publicKeys)).code).toBe(0);
        const client = new pg.Client({ connectionString: database.url });
        await client.connect();
        await client.query(`drop role "auditor_${base.name}"`).finally(() => client.end());
      },
    ));

  it('hands out the public keys, and says which nobody but PostgreSQL vouches for', async () => {
    const { out, err, code } = await fleet(base, auditKeysCommand, []);
    const { keys } = JSON.parse(out) as { keys: Record<string, unknown>[] };
    expect(keys).toEqual([new AuditSigner(AuditKey.parse(JSON.parse(key))).publicKey]);
    expect(out).not.toContain((JSON.parse(key) as { d: string }).d);
    expect(err).toContain('known from PostgreSQL alone');
    expect(code).toBe(0);
  });

  it.each([
    [['--from', 'yesterday'], 'neither a time'],
    [['--feed'], 'KAFKA_BROKERS'],
    [['--feed', '--roots', 'x'], 'exclude each other'],
    [['--save-roots', 'x'], '--save-roots needs --feed'],
    [['--quickly'], 'quickly'],
  ])('says what is wrong with %j', async (args, said) => {
    await expect(fleet(base, auditVerifyCommand, args)).rejects.toThrow(said);
  });
});
