import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '#libs/observability';
import {
  createTestDatabase,
  eventually,
  startEciSimulator,
  temporaryFolder,
  type EciSimulatorRig,
  type TemporaryFolder,
  type TestDatabase,
} from '#libs/testing';
import { migrate } from '#migrations';
import { COMMANDS } from '../command-line/commands.ts';
import { runCommand } from '../command-line/run-command.ts';
import type { Environment } from '#libs/configuration';
import { startFleet, type Fleet } from '../../spec/for-fleet-specs.ts';
import { call, MASTER_KEY, newTokenKey, type Answer } from '../../spec/for-specs.ts';

/** Accounts against whoever may call the API: on real PostgreSQL, with a host that waits for what it should never be sent. */

const SIMULATED = { accessKeyId: 'LTAI-spec', accessKeySecret: 'canary-simulated-secret' };
const STRANGER = { accessKeyId: 'LTAI-other', accessKeySecret: 'canary-other-secret' };
const SECRETS = {
  ECI_ACCESS_KEY: 'canary-own-id',
  ECI_SECRET_KEY: 'canary-own-secret',
  PGPASSWORD: 'canary-pg-password',
  OLD_ID: SIMULATED.accessKeyId,
  OLD_SECRET: SIMULATED.accessKeySecret,
};

let folder: TemporaryFolder;
let simulator: EciSimulatorRig;
let listener: Server;
let port: number;
const received: string[] = [];
const logged: string[] = [];
let environment: Environment;
let database: TestDatabase;
let fleet: Fleet;
let pool: pg.Pool;

/** Rows as version 0.2.0 wrote them when it was asked to. */
const OLD_ROWS = (): readonly { id: string; credential: unknown; endpoint: string | null; source?: string }[] => [
  { id: 'old', credential: fromEnvironment('OLD_ID', 'OLD_SECRET'), endpoint: simulator.endpoint },
  {
    id: 'thief',
    credential: fromEnvironment('ECI_SECRET_KEY', 'ECI_SECRET_KEY'),
    endpoint: `http://127.0.0.1:${port}`,
  },
  // One that the configuration has still, and one that left it.
  {
    id: 'default',
    credential: fromEnvironment('ECI_ACCESS_KEY', 'ECI_SECRET_KEY'),
    endpoint: null,
    source: 'configuration',
  },
  {
    id: 'left',
    credential: { kind: 'file', path: join(folder.path, 'secret.json') },
    endpoint: null,
    source: 'configuration',
  },
  { id: 'master', credential: fromEnvironment('FLEET_MASTER_KEY', 'FLEET_MASTER_KEY'), endpoint: null },
];

const fromEnvironment = (id: string, secret: string) => ({
  kind: 'environment',
  accessKeyIdVariable: id,
  accessKeySecretVariable: secret,
});

beforeAll(async () => {
  folder = temporaryFolder('accounts');
  const named = join(folder.path, 'named');
  await mkdir(named);
  await writeFile(join(named, 'simulated.json'), JSON.stringify(SIMULATED));
  await writeFile(join(named, 'stranger.json'), JSON.stringify(STRANGER));
  await writeFile(join(folder.path, 'secret.json'), JSON.stringify(SIMULATED));
  const scenario = join(folder.path, 'scenario.json');
  await writeFile(scenario, JSON.stringify({ settings: { latencies: { factor: 0.05 }, buckets: 'unlimited' } }));
  simulator = await startEciSimulator({
    env: {
      ECI_SIMULATOR_SCENARIO: scenario,
      ECI_SIMULATOR_ACCESS_KEY_ID: SIMULATED.accessKeyId,
      ECI_SIMULATOR_ACCESS_KEY_SECRET: SIMULATED.accessKeySecret,
    },
  });
  // A good key of another cloud account.
  await simulator.control('POST', '/credentials', { ...STRANGER, accountId: 'other' });
  const body = JSON.stringify({ Code: 'Forbidden.RAM', Message: 'INTERNAL-RESPONSE-TEXT', RequestId: 'R' });
  listener = createServer((socket) => {
    socket.on('error', () => undefined);
    // Every byte, of TLS and of plain text alike; also a connection without any.
    received.push('(connected)');
    socket.on('data', (bytes) => {
      received.push(bytes.toString('latin1'));
      socket.end(`HTTP/1.1 403 x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  port = (listener.address() as AddressInfo).port;
  environment = {
    ...SECRETS,
    FLEET_MASTER_KEY: MASTER_KEY,
    FLEET_TOKEN_KEY: await newTokenKey(),
    FLEET_CREDENTIALS: JSON.stringify({ gone: { kind: 'file', path: join(folder.path, 'not-there.json') } }),
    FLEET_CREDENTIALS_DIR: named,
    FLEET_ACCOUNT_ENDPOINTS: simulator.endpoint,
    LOG_LEVEL: 'info',
  };
  database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  for (const { id, credential, endpoint, source = 'api' } of OLD_ROWS())
    await client.query(
      `insert into fleet.account (id, name, credential, regions, endpoint, quotas, source, auth_state, auth_message, auth_at, created_at, updated_at)
           values ($1, $1, $2, '{}', $3, '{}', $4, 'refused', 'Forbidden.RAM: INTERNAL-RESPONSE-TEXT', now(), now(), now())`,
      [id, JSON.stringify(credential), endpoint, source],
    );
  // As a database of 0.2.0 comes to this version.
  await client.query(`delete from es.migration where name like '0089%'`);
  await migrate(database.url);
  await client.end();
  fleet = await startFleet('c-old', database, environment, {
    accountId: 'old',
    logger: createLogger({
      level: 'info',
      service: 'spec',
      destination: { write: (line: string) => void logged.push(line) },
    }),
  });
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
});

afterAll(async () => {
  await pool?.end();
  await fleet?.close();
  await simulator?.stop();
  await new Promise((resolve) => listener?.close(resolve));
  await folder?.remove();
});

const add = (body: Record<string, unknown>): Promise<Answer> =>
  call(fleet.plane.url, 'POST', '/api/v1/accounts', { body: { id: 'evil', regions: [], ...body } });
const change = (id: string, body: unknown): Promise<Answer> =>
  call(fleet.plane.url, 'PUT', `/api/v1/accounts/${id}/credential`, { body });
const account = async (id: string): Promise<Record<string, unknown>> =>
  (await call(fleet.plane.url, 'GET', `/api/v1/accounts/${id}`)).body;

async function expectNothingLearned(answer: Answer): Promise<void> {
  expect(answer.status).toBe(400);
  const said = JSON.stringify(answer.body);
  expect(said).not.toMatch(/canary|INTERNAL-RESPONSE|ENOENT|EACCES|not set|cannot be read|JSON/);
  expect((await pool.query(`select 1 from fleet.account where id = 'evil'`)).rowCount).toBe(0);
  expect(received).toEqual([]);
}

describe('an account that somebody asks for', () => {
  it.each<[string, unknown]>([
    ['a file that is there', { kind: 'file', path: '/etc/passwd' }],
    ['a file that is not there', { kind: 'file', path: '/etc/not-there' }],
    ['a device', { kind: 'file', path: '/dev/zero' }],
    ['the environment of the process', { kind: 'file', path: '/proc/self/environ' }],
    ['a folder', { kind: 'folder', path: '/etc' }],
    ["another account's variables", fromEnvironment('ECI_ACCESS_KEY', 'ECI_SECRET_KEY')],
    ['a variable that is set', fromEnvironment('PGPASSWORD', 'PGPASSWORD')],
    ['a variable that is not set', fromEnvironment('NOT_SET', 'NOT_SET')],
    ["the control plane's own secret", fromEnvironment('FLEET_MASTER_KEY', 'FLEET_MASTER_KEY')],
    ['a key', { accessKeyId: 'LTAI', accessKeySecret: 's' }],
    ['a name in an object', { kind: 'name', name: 'simulated' }],
    ['a path', '/etc/passwd'],
    ['a path beside the folder', '../secret'],
    ['a path through the folder', 'simulated/../../secret'],
    ['an encoded path', '..%2fsecret'],
    ['a path that ends early', 'simulated\u0000'],
    ['a file name', 'simulated.json'],
    ['a URL', 'file:///etc/passwd'],
    ['a variable', 'ECI_SECRET_KEY'],
    ['a word of JavaScript', '__proto__'],
    ['nothing', ''],
    ['no text', 7],
    ['many names', ['simulated']],
  ])('names a credential, not %s', async (_, credential) => {
    await expectNothingLearned(await add({ credential }));
    await expectNothingLearned(await change('old', { credential }));
  });

  it('learns nothing of files and variables by the answers', async () => {
    const text = async (credential: unknown): Promise<string> => JSON.stringify((await add({ credential })).body);
    const [there, absent] = [
      { kind: 'file', path: '/etc/passwd' },
      { kind: 'file', path: '/etc/not-there' },
    ];
    expect(await text(there)).toBe(await text(absent));
    expect(await text(fromEnvironment('PGPASSWORD', 'PGPASSWORD'))).toBe(
      await text(fromEnvironment('NOT_SET', 'NOT_SET')),
    );
  });

  it.each([
    () => `http://127.0.0.1:${port}`,
    () => `https://127.0.0.1:${port}`,
    () => `127.0.0.1:${port}`,
    () => `http://localhost:${port}`,
    () => `http://[::1]:${port}`,
    () => `http://2130706433:${port}`,
    () => `http://0x7f.1:${port}`,
    () => `http://127.1:${port}`,
    () => `https://eci.cn-hangzhou.aliyuncs.com@127.0.0.1:${port}`,
    () => `https://eci.cn-hangzhou.aliyuncs.com:443@127.0.0.1:${port}`,
    () => `https://127.0.0.1:${port}/eci.cn-hangzhou.aliyuncs.com`,
    () => `https://127.0.0.1:${port}#.aliyuncs.com`,
    () => `https://127.0.0.1:${port}?.aliyuncs.com`,
    () => `https://127.0.0.1:${port}\\.aliyuncs.com`,
    () => 'http://100.100.100.200',
    () => 'http://169.254.169.254',
    () => 'https://eci.cn-hangzhou.aliyuncs.com.evil.example',
    () => 'https://aliyuncs.com.evil',
    () => 'https://eci.cn-hangzhou.aliyuncs.com.',
    () => 'https://eci.cn-hangzhou.aliyuncs.com:8443',
    () => 'http://eci.cn-hangzhou.aliyuncs.com',
    () => 'https://eci.cn-hangzhou.aIiyuncs.com',
    () => 'https://eci.cn-hangzhou.аliyuncs.com',
    () => 'https://eci.oss-cn-hangzhou.aliyuncs.com',
    () => 'https://mybucket.oss-cn-hangzhou.aliyuncs.com',
    () => 'https://sts.cn-hangzhou.aliyuncs.com',
    () => 'https://eci.xn--cn-hangzhou.aliyuncs.com',
    () => 'ftp://eci.aliyuncs.com',
    () => 'unix:/run/docker.sock',
    () => '',
    () => simulator.endpoint.replace('http:', 'https:'),
    () => simulator.endpoint.replace('127.0.0.1', 'localhost'),
  ])('is called at no endpoint of its choice (%#)', async (endpoint) => {
    await expectNothingLearned(await add({ credential: 'simulated', endpoint: endpoint() }));
    await expectNothingLearned(await change('old', { credential: 'simulated', endpoint: endpoint() }));
  });

  it('is told the same whatever it was that is refused', async () => {
    const answers = [
      await add({ credential: 'nobody' }),
      await add({ credential: 'simulated', endpoint: 'https://evil.example' }),
      await add({ credential: 'nobody', endpoint: 'http://100.100.100.200' }),
      await change('old', { credential: 'nobody' }),
    ];
    for (const answer of answers) await expectNothingLearned(answer);
    const [first, ...others] = answers.map(({ body }) => JSON.stringify({ ...body, instance: undefined }));
    for (const other of others) expect(other).toBe(first);
    expect(JSON.parse(first!)).toMatchObject({
      type: 'urn:eci-fleet:problem:account-refused',
      detail: expect.stringContaining('name a credential that operators have configured'),
    });
    await eventually(() => logged.some((line) => line.includes('no credential of this name')), {
      what: 'the log says why',
    });
  });

  it('is added by name, at an endpoint of the cloud or one that operators list', async () => {
    for (const [id, endpoint] of [
      ['by-name', undefined],
      ['by-vpc', 'https://eci-vpc.cn-hangzhou.aliyuncs.com'],
      ['by-list', simulator.endpoint],
    ] as const) {
      const body = { id, credential: 'simulated', regions: ['cn-hangzhou'], ...(endpoint && { endpoint }) };
      const answer = await call(fleet.plane.url, 'POST', '/api/v1/accounts', { body });
      expect(answer).toMatchObject({ status: 201, body: { id, credential: 'simulated', source: 'api' } });
      expect(answer.body).not.toHaveProperty('change');
    }
  });

  it('of the configuration is changed there', async () => {
    expect(await change('default', { credential: 'simulated' })).toMatchObject({ status: 409 });
    expect(await change('nobody', { credential: 'simulated' })).toMatchObject({ status: 404 });
  });
});

describe('an account of before there were names', () => {
  it('keeps working, and cannot be changed but to a name whose key sees its groups', async () => {
    // given accounts as 0.2.0 wrote them: what a stranger said of a key is gone, those of the configuration are as it has them
    const { body } = await call<{ items: { id: string; credential?: unknown; change?: string[] }[] }>(
      fleet.plane.url,
      'GET',
      '/api/v1/accounts',
    );
    expect(JSON.stringify(body)).not.toContain('INTERNAL-RESPONSE');
    const seen = new Map(body.items.map((item) => [item.id, item]));
    expect(seen.get('default')).toMatchObject({ credential: 'default', source: 'configuration' });
    expect(seen.get('default')).not.toHaveProperty('change');
    // … also for replicas of 0.2.0 beside this one, which go by the row and know no names
    const { rows } = await pool.query(`select credential from fleet.account where id = 'default'`);
    expect(rows).toEqual([{ credential: fromEnvironment('ECI_ACCESS_KEY', 'ECI_SECRET_KEY') }]);
    expect(seen.get('left')).toMatchObject({ credential: { kind: 'file' }, change: [expect.any(String)] });
    expect(await account('old')).toMatchObject({
      credential: { kind: 'environment' },
      change: [expect.stringContaining('names a credential')],
    });

    // when a pod comes, then it runs
    await fleet.run('u1');
    await eventually(() => fleet.statuses.get('u1')?.status?.['phase'] === 'Running', {
      what: 'the pod is Running',
      deadlineMs: 60_000,
    });
    await eventually(
      async () =>
        (await pool.query(`select 1 from fleet.container_group where container_group_id is not null`)).rowCount,
      { what: 'the read model knows the group' },
    );

    // when it is to be changed to a key that is none, or that sees other groups, then nothing is done
    for (const credential of ['gone', 'stranger'])
      await expectNothingLearned(await change('old', { credential, endpoint: simulator.endpoint }));
    expect(await account('old')).toMatchObject({ credential: { kind: 'environment' } });
    await eventually(() => logged.some((line) => line.includes('it sees none of 1 groups')), {
      what: 'the log says why',
    });

    // when it names a credential of the same account, then it is as any other, and its pods are looked after
    expect(await change('old', { credential: 'simulated', endpoint: simulator.endpoint })).toMatchObject({
      status: 200,
      body: { credential: 'simulated', endpoint: simulator.endpoint },
    });
    expect(await account('old')).not.toHaveProperty('change');
    await fleet.stopPod('u1');
    await eventually(() => fleet.statuses.get('u1')?.finalize, { what: 'the pod may be removed', deadlineMs: 60_000 });
    await eventually(async () => ((await account('old'))['auth'] as { state: string }).state === 'accepted', {
      what: 'its key is accepted',
    });
  }, 180_000);

  it('is never called at an endpoint that somebody chose, and its pods say so without a word of that host', async () => {
    // given a cluster of the account that was made to steal
    await pool.query(`update fleet.cluster set account_id = 'thief'`);
    await eventually(
      async () => {
        // when pods come
        await fleet.run(`t-${Date.now()}`);
        const { rows } = await pool.query<{ message: string }>(
          `select message from fleet.container_group where account_id = 'thief' and life = 'parked'`,
        );
        return rows.length > 0 && rows.every(({ message }) => message.includes('may not be used as it is set up'));
      },
      { what: 'its pods wait for the account', deadlineMs: 60_000 },
    );

    // then nothing was sent, and nothing of it is shown
    expect(received).toEqual([]);
    const shown = JSON.stringify([await account('thief'), await account('master'), [...fleet.statuses.values()]]);
    expect(shown).not.toMatch(/canary|INTERNAL-RESPONSE/);
    expect(await account('thief')).toMatchObject({ change: [expect.any(String), expect.stringContaining('endpoint')] });
    expect(await account('master')).toMatchObject({ change: [expect.stringContaining('names no credential')] });
  }, 120_000);

  it('is named by the doctor, with what to do, and with the file that is missing', async () => {
    await call(fleet.plane.url, 'POST', '/api/v1/accounts', {
      body: { id: 'keyless', credential: 'gone', regions: [] },
    });
    const out: string[] = [];
    const code = await runCommand(COMMANDS, ['doctor', '--json', '--only', 'O15', '--quiet-seconds', '0'], {
      environment: { ...environment, DATABASE_URL: database.url },
      print: (line) => out.push(line),
      complain: () => undefined,
      signal: new AbortController().signal,
    });
    const { findings } = JSON.parse(out.join('\n')) as {
      findings: { kind: string; where: { place: string }; what: string }[];
    };
    expect(code).toBe(1);
    expect(findings.map(({ kind, where }) => `${where.place} ${kind}`)).toEqual([
      'keyless no-key',
      'left old-reference',
      'master no-reference',
      'thief old-reference',
      'thief endpoint-not-allowed',
    ]);
    expect(findings[0]?.what).toContain('not-there.json cannot be read (ENOENT)');
    expect(out.join()).not.toMatch(/canary/);
  });

  it('whose key is not there says so to operators, and to nobody else', async () => {
    await pool.query(`update fleet.cluster set account_id = 'keyless'`);
    await pool.query(`update fleet.account set endpoint = $1 where id = 'keyless'`, [simulator.endpoint]);
    await eventually(
      async () => {
        await fleet.run(`k-${Date.now()}`);
        return ((await account('keyless'))['auth'] as { state: string }).state === 'refused';
      },
      { what: 'the account shows that it has no key', deadlineMs: 60_000 },
    );
    const shown = JSON.stringify([await account('keyless'), [...fleet.statuses.values()]]);
    expect(shown).toContain('no credential');
    expect(shown).not.toMatch(/not-there|ENOENT/);
    await eventually(() => logged.some((line) => line.includes('not-there.json cannot be read (ENOENT)')), {
      what: 'the log says which file',
    });
  }, 120_000);

  it('left no secret in the log, and none with the listener', () => {
    expect(received).toEqual([]);
    expect(logged.filter((line) => /canary|INTERNAL-RESPONSE/.test(line))).toEqual([]);
  });
});
