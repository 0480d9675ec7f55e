import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { streamIdOf } from '#libs/domain';
import { createPool, PostgresEventStore } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { createTestDatabase, eventually, type TestDatabase } from '#libs/testing';
import { COMMANDS } from '../command-line/commands.ts';
import { runCommand } from '../command-line/run-command.ts';
import type { Environment } from '#libs/configuration';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import {
  accepted,
  created,
  landed,
  newMessaging,
  MASTER_KEY,
  newTokenKey,
  placed,
  record,
  running,
  story,
  testConfig,
} from '../../spec/for-specs.ts';
import type { Examination } from './look.ts';

let database: TestDatabase;
let pool: pg.Pool;
let admin: pg.Pool;
let messaging: Messaging;
let plane: ControlPlane;
let environment: Environment;

const idOf = (uid: string): string => streamIdOf('c1', uid);
const ONLY = ['--only', 'O1,O2,O3,O4,O5,O6,O7,O8,O10', '--quiet-seconds', '0.1'];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 4 });
  admin = new pg.Pool({ connectionString: database.url, max: 1 });
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api,project' }), { messaging });
  environment = {
    DATABASE_URL: database.url,
    FLEET_MASTER_KEY: MASTER_KEY,
    FLEET_TOKEN_KEY: await newTokenKey(),
    ECI_ACCESS_KEY: 'LTAItest',
    ECI_SECRET_KEY: 'canary-access-key-secret',
  };
  const store = new PostgresEventStore(pool);
  for (const uid of ['a', 'b', 'c']) {
    const life = [
      accepted('c1', uid),
      placed(),
      created(`eci-${uid}`),
      landed(`eci-${uid}`, 'zone-b'),
      running(`eci-${uid}`),
    ];
    await record(store, idOf(uid), story(life));
  }
  await eventually(
    async () => (await admin.query('select 1 from fleet.container_group where stream_version = 5')).rowCount === 3,
    { what: 'the read model shows all three' },
  );
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await admin?.end();
  await database?.drop();
});

async function fleet(
  words: readonly string[],
  more: Environment = {},
): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(COMMANDS, words, {
    environment: { ...environment, ...more },
    print: (line) => out.push(line),
    complain: (line) => err.push(line),
    signal: new AbortController().signal,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

const examined = async (): Promise<Examination> =>
  JSON.parse((await fleet(['doctor', '--json', ...ONLY])).out) as Examination;

describe('fleet doctor', () => {
  it('says that all agrees, and what it looked at', async () => {
    const { code, out, err } = await fleet(['doctor', ...ONLY]);
    expect({ code, out }).toEqual({ code: 0, out: 'All that was looked at agrees.' });
    expect(err).toContain('O4 looked at all 3 streams with 15 events');
  });

  it('says what leaves this machine in clear as allowed, which is no finding, and goes nowhere where it is not', async () => {
    const clear = { KAFKA_BROKERS: 'kafka.example:9092' };
    const allowed = await fleet(['doctor', '--only', 'O1', '--quiet-seconds', '0'], {
      ...clear,
      KAFKA_INSECURE: 'true',
    });
    expect(allowed).toMatchObject({ code: 0, err: expect.stringContaining('KAFKA_BROKERS leads to kafka.example') });
    const refused = await fleet(['doctor', '--only', 'O1'], clear);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('KAFKA_BROKERS: kafka.example') });
  });

  it('refuses what it does not understand with 2', async () => {
    expect(await fleet(['doctor', '--only', 'O1,O12'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('not O12'),
    });
    expect(await fleet(['doctor', '--quiet-seconds', 'long'])).toMatchObject({ code: 2 });
    expect(await fleet(['doctor', '--fast'])).toMatchObject({ code: 2 });
  });

  it('finds a cluster that sends more than it may: which, how much waits, and since when', async () => {
    const since = new Date(Date.now() - 3_600_000);
    await admin.query(
      `insert into fleet.cluster (id, name, account_id, registered_at) values ('loud', 'loud', 'default', now()), ('fair', 'fair', 'default', now())`,
    );
    await admin.query(
      `insert into fleet.deferred_intent (cluster_id, subject, deferred_at)
       values ('loud', 'u1', $1), ('loud', 'u2', now()), ('loud', 'inventory', now()), ('fair', 'inventory', now())`,
      [since],
    );
    const { code, out } = await fleet(['doctor', '--quiet-seconds', '0', '--only', 'O14']);
    expect(code).toBe(1);
    expect(out).toMatch(
      /^O14: the cluster sends more than it may; 2 of its pods and inventories wait .*\(cluster loud\)/,
    );
    expect(out).toContain(`since ${since.toISOString()}. Next: `);
    await admin.query('delete from fleet.deferred_intent');
    expect(await fleet(['doctor', '--quiet-seconds', '0', '--only', 'O14'])).toMatchObject({ code: 0 });
  });

  it('finds an event that somebody changed, with 1', async () => {
    await admin.query('alter table es.event disable trigger user');
    await admin.query(`update es.event set data = data || '{"zone": "zone-x"}' where stream_id = $1 and version = 4`, [
      idOf('a'),
    ]);
    await admin.query('alter table es.event enable trigger user');
    const { code, out } = await fleet(['doctor', '--quiet-seconds', '0', '--only', 'O4']);
    expect(code).toBe(1);
    expect(out).toContain(`O4: version 4 does not have its digest any more (stream ${idOf('a')})`);
    const { findings } = await examined();
    expect(findings.map(({ oracle, kind, where }) => [oracle, kind, where.stream])).toEqual([
      ['O4', 'changed-4', idOf('a')],
      // The row still shows what the event said before.
      ['O5', 'differs', idOf('a')],
    ]);
  });

  it('finds a row and a number of the read model that are not what events say', async () => {
    await admin.query(`update fleet.container_group set ended_group_seconds = 99 where stream_id = $1`, [idOf('b')]);
    await admin.query('update fleet.container_group_count set groups = 7');
    const { findings } = await examined();
    expect(
      findings.filter(({ where }) => where.stream !== idOf('a')).map(({ oracle, kind }) => `${oracle} ${kind}`),
    ).toEqual(['O5 differs', 'O5 count-running-zone-b', 'O10 ledger']);
  });

  it('finds a secret of its own configuration in an event, and does not repeat it', async () => {
    const store = new PostgresEventStore(pool);
    const text = `signed with ${environment['ECI_SECRET_KEY']}`;
    await record(store, idOf('c'), story([{ type: 'PodChangeRefused', data: { fields: [text] } }]));
    const { out, code } = await fleet(['doctor', '--only', 'o7', '--quiet-seconds', '0']);
    expect(code).toBe(1);
    expect(out).toContain('the AccessKey secret of credential default');
    expect(out).not.toContain(environment['ECI_SECRET_KEY']);
  });
});
