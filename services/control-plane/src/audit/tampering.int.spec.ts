import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topics } from '#libs/contracts';
import { parseStreamId, streamIdOf } from '#libs/domain';
import { createPool, PostgresEventStore } from '#libs/event-store';
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
} from '../../spec/for-specs.ts';
import { AuditKey, AuditSigner } from './audit-key.ts';
import { recomputeDigests, recomputeSeals } from '../../spec/audit/tampering.ts';
import { auditKeysCommand } from './keys-command.ts';
import { auditVerifyCommand } from './verify-command.ts';

/** What lies outside PostgreSQL: the key, the auditor's copy of the public keys, and the feed. */
const key = JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
let folder: TemporaryFolder;
let feed: string;
let publicKeys: string;
let base: TestDatabase;
/** Events before those of the pods: that the account was added. They are not on the feed. */
const ACCOUNTS = 1;
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
        return (
          rows[0]!.events === events + ACCOUNTS &&
          lines.filter((line) => line.includes('container-group')).length >= events
        );
      },
      { what: `${events} events are sealed and published`, deadlineMs: 30_000 },
    );
  await sealed(0);
  // Three more seals at least: events come in three flocks.
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
   from es.event where stream_id = '${streams[1]}' and version = 3;
   insert into es.stream select 'container_group:audited:forged', 1, last_transaction_id, last_recorded_at, opened_at, closed_at
   from es.stream where stream_id = '${streams[1]}'`;
/** With its head, so that nothing within PostgreSQL tells of it. */
const CUT_OFF = `delete from es.event where stream_id = '${streams[1]}' and version = 4;
   update es.stream s set version = 3, last_recorded_at = (select max(recorded_at) from es.event e where e.stream_id = s.stream_id) where stream_id = '${streams[1]}'`;
const NAMED = {
  change: 'changed-event b 3 ContainerGroupCreated',
  delete: 'missing-event b 3 ContainerGroupCreated',
  cutOff: 'missing-event b 4 ContainerGroupLanded',
  insert: 'inserted-event forged 1 ContainerGroupCreated',
};

const mallory = new AuditSigner(AuditKey.parse(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })));

describe('audit verify on PostgreSQL', () => {
  it('proves an untouched log, with the key, the roots and the events of the feed', async () => {
    const { code, out } = await fleet(base, auditVerifyCommand, ['--public-keys', publicKeys, '--roots', feed]);
    expect(out).toContain('is as it was sealed');
    expect(out).toMatch(/Checked {5}\d+ seals \(1 to \d+\) over 12 events/);
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
      // Nobody comes upon it any more: it lies outside of the times that its stream's head gives.
      async (database) =>
        expect(named(await audited(database))).toEqual([
          'changed-event b 2 PlacementChosen',
          'hidden-event b 2 PlacementChosen',
        ]),
    ));

  describe('for an event of the far future (T1)', () => {
    /** One more event at the end of stream b, as an appender would have written it, but for the number of its transaction. */
    const append = async (db: pg.Client, transaction: string): Promise<void> => {
      await db.query(`
        insert into es.event select recorded_at, position + 1000, ${transaction}, stream_id, 5, gen_random_uuid(), type, schema_version, data, metadata, digest
          from es.event where stream_id = '${streams[1]}' and version = 4;
        update es.stream set version = 5 where stream_id = '${streams[1]}'`);
      await recomputeDigests(db);
    };

    it.each([
      ['of a number that no server will ever reach', `'9000000000000000000'`],
      ['that has not begun yet', `(pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000)::text::xid8`],
    ])('names one with a transaction %s', (_, transaction) =>
      tampered(
        (db) => append(db, transaction),
        async (database) => {
          const pool = createPool(database.url, { max: 1 });
          const decided = (await new PostgresEventStore(pool).loadMany([streams[1]!])).get(streams[1]!);
          await pool.end();
          expect(decided, 'deciders read it').toHaveLength(5);
          const report = await audited(database, '--public-keys', publicKeys);
          expect(named(report)).toEqual(['impossible-event b 5 ContainerGroupLanded']);
          expect(report.code).toBe(1);
        },
      ),
    );

    it('lets an honest event wait that an older transaction keeps from being sealed', () =>
      tampered(
        (db) => db.query('select 1'),
        async (database) => {
          const [old, pool] = [new pg.Client({ connectionString: database.url }), createPool(database.url, { max: 2 })];
          await old.connect();
          try {
            await old.query('begin; select pg_current_xact_id()');
            await record(
              new PostgresEventStore(pool),
              streamIdOf('audited', 'late'),
              story([accepted('audited', 'late')]),
            );
            const { code, out } = await fleet(database, auditVerifyCommand, ['--public-keys', publicKeys]);
            expect(out).toContain('Not sealed  1 event since');
            expect(code).toBe(0);
          } finally {
            await Promise.all([old.end(), pool.end()]);
          }
        },
      ));
  });

  it('finds a chain that was made anew without the key and signed again after it (T2)', () =>
    tampered(
      async (db) => {
        const { rows } = await db.query<{ newest: number }>('select max(sequence)::int as newest from es.seal');
        await db.query(CHANGE);
        await recomputeDigests(db);
        // What a sealer did at its next start that took any chain for a good one.
        const signer = new AuditSigner(AuditKey.parse(JSON.parse(key)));
        await recomputeSeals(db, (sequence) => (sequence === 1 || sequence === rows[0]!.newest ? signer : undefined));
      },
      async (database) => {
        const report = await audited(database, '--public-keys', publicKeys);
        expect(report.findings).toMatchObject([{ kind: 'unsigned', seal: 2 }]);
        expect(report.code).toBe(1);
      },
    ));

  it('finds it from the first seal on where signatures are required since then (T2)', () =>
    tampered(
      async (db) => {
        await db.query(CHANGE);
        await recomputeDigests(db);
        const signer = new AuditSigner(AuditKey.parse(JSON.parse(key)));
        await recomputeSeals(db, (sequence) => (sequence > 2 ? signer : undefined));
      },
      async (database) => {
        const required = ['--public-keys', publicKeys, '--require-signed-since'];
        for (const since of ['1', '2026-01-01'])
          expect(await audited(database, ...required, since)).toMatchObject({
            code: 1,
            findings: [{ kind: 'unsigned', seal: 1 }],
          });
        expect((await audited(database, ...required, '3')).code).toBe(0);
      },
    ));

  it('does not seal on such a chain after a restart (T2)', () =>
    tampered(
      async (db) => {
        await db.query(CHANGE);
        await recomputeDigests(db);
        await recomputeSeals(db, undefined);
        await db.query(
          `update es.subscription set (last_transaction_id, last_position) = (select through_transaction_id, through_position from es.seal order by sequence desc limit 1), owner = null where name = 'audit-seal'`,
        );
      },
      async (database) => {
        const messaging = newMessaging();
        const config = await testConfig(database.url, { FLEET_ROLES: 'publish', FLEET_AUDIT_KEY: key });
        const plane = await startControlPlane(config, { messaging });
        const pool = createPool(database.url, { max: 2 });
        try {
          await record(
            new PostgresEventStore(pool),
            streamIdOf('audited', 'after'),
            story([accepted('audited', 'after')]),
          );
          await eventually(
            async () =>
              (await (await fetch(`${plane.url}/metrics`)).text()).includes('eci_fleet_audit_chain_changed 1'),
            { what: 'the sealer refuses', deadlineMs: 30_000 },
          );
          expect((await audited(database, '--public-keys', publicKeys)).findings).toMatchObject([
            { kind: 'unsigned', seal: 1 },
          ]);
        } finally {
          await plane.stop();
          await Promise.all([messaging.close(), pool.end()]);
        }
      },
    ));

  describe('for a store with two faces (T3)', () => {
    const forge = async (db: pg.Client): Promise<void> => {
      await db.query(INSERT);
      await recomputeDigests(db);
      await db.query(`create role "auditor_${base.name}" login password 'audit' in role eci_fleet_auditor`);
    };
    const asAuditor = async (database: TestDatabase): Promise<Report & { code: number }> => {
      const url = new URL(database.url);
      url.username = `auditor_${base.name}`;
      url.password = 'audit';
      try {
        return await audited({ ...database, url: url.href }, '--public-keys', publicKeys);
      } finally {
        const client = new pg.Client({ connectionString: database.url });
        await client.connect();
        await client
          .query(`drop owned by "auditor_${base.name}"; drop role "auditor_${base.name}"`)
          .finally(() => client.end());
      }
    };
    const hide = (table: string): string =>
      `alter table es.${table} enable row level security;
       create policy face on es.${table} using (pg_has_role(current_user, 'eci_fleet_app', 'member') or stream_id not like '%forged')`;

    it.each([
      ['row security', 'es.event', `${hide('event')}; ${hide('stream')}`],
      [
        'a view in place of a table',
        'es.stream',
        `alter table es.stream rename to stream_2;
         create view es.stream as select * from es.stream_2 where stream_id not like '%forged';
         grant select on es.stream to eci_fleet_auditor`,
      ],
      ['a rule', 'es.event', `create rule face as on insert to es.event do instead nothing`],
      ['an heir', 'es.seal', 'create table es.seal_2 () inherits (es.seal)'],
    ])('names the table that hides an event by %s', (_, table, statement) =>
      tampered(
        async (db) => {
          await forge(db);
          await db.query(statement);
        },
        async (database) => {
          const report = await asAuditor(database);
          expect(report.code).toBe(1);
          expect(report.findings).toContainEqual(expect.objectContaining({ kind: 'changed-table', table }));
        },
      ),
    );

    it('lets no search path or setting of its login put other functions or rows in the place of the true ones', () =>
      tampered(
        async (db) => {
          await forge(db);
          await db.query(`
            create schema face;
            grant usage on schema face to public;
            create function face.encode(bytea, text) returns text language sql immutable as $$ select repeat('0', 64) $$;
            create function face.hidden(text, text) returns boolean language sql immutable as $$ select $1 operator(pg_catalog.=) $2 and $1 not like '%forged' $$;
            create operator face.= (leftarg = text, rightarg = text, function = face.hidden);
            alter role "auditor_${base.name}" set search_path = face, pg_catalog;
            alter role "auditor_${base.name}" set row_security = on`);
        },
        async (database) => {
          const report = await asAuditor(database);
          expect(named(report)).toEqual([NAMED.insert]);
          expect(report.code).toBe(1);
        },
      ));
  });

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
      ['deleted', CUT_OFF, NAMED.cutOff],
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
