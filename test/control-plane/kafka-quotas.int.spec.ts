import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { topics } from '#libs/contracts';
import { KafkaMessaging, type ProduceQuotasRead } from '#libs/messaging';
import {
  createTestDatabase,
  eventually,
  kafkaConfigs,
  startKafka,
  temporaryFolder,
  topicPrefix,
  type KafkaRig,
  type TemporaryFolder,
  type TestDatabase,
} from '#libs/testing';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../services/control-plane/src/command-line/commands.ts';
import { runCommand } from '../../services/control-plane/src/command-line/run-command.ts';
import type { Environment } from '#libs/configuration';
import { startControlPlane, type ControlPlane } from '../../services/control-plane/src/control-plane.ts';
import type { Examination } from '../../services/control-plane/src/doctor/look.ts';
import { call, MASTER_KEY, TestAgent, testConfig, unregister } from '../../services/control-plane/spec/for-specs.ts';

/** A broker of its own: its default quota, which these specs set, would be everybody's. */

const fleet = `${topicPrefix()}fleet`;
const WANTED = 2_000_000;
const agent = `${fleet}.one`;
const operator = { deadlineMs: 30_000 };

let rig: KafkaRig;
let database: TestDatabase;
let pool: pg.Pool;
let folder: TemporaryFolder;
let environment: Environment;
let plane: ControlPlane | undefined;
let messaging: KafkaMessaging;

const start = async (over: Environment = {}): Promise<void> => {
  await plane?.stop();
  plane = await startControlPlane(await testConfig(database.url, { ...environment, ...over }));
};

beforeAll(async () => {
  rig = await startKafka({ oauth: true });
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
  folder = temporaryFolder('kafka-quotas');
  await writeFile(join(folder.path, 'admin.properties'), 'client.id=administrator\n');
  const { tokens, brokers } = rig.oauth!;
  environment = {
    DATABASE_URL: database.url,
    FLEET_NAME: fleet,
    FLEET_ROLES: 'api',
    FLEET_MASTER_KEY: MASTER_KEY,
    FLEET_TOKEN_KEY: JSON.stringify(tokens.privateJwk),
    FLEET_TOKEN_ISSUER: tokens.issuer,
    FLEET_TOKEN_AUDIENCE: tokens.audience,
    KAFKA_BROKERS: rig.brokers.join(','),
    KAFKA_BROKERS_FOR_AGENTS: brokers.join(','),
    KAFKA_SECURITY_FOR_AGENTS: 'oauthbearer',
    KAFKA_PRODUCE_BYTES_FOR_AGENTS: String(WANTED),
  };
  messaging = new KafkaMessaging({ brokers: rig.brokers, clientId: 'spec', security: { kind: 'plaintext' } });
  await start();
});
afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
  await folder?.remove();
  await rig?.stop();
});

const quotas = (): Promise<ProduceQuotasRead> => messaging.produceQuotas().read();
const quotaOf = async (principal: string): Promise<number | undefined> => (await quotas()).own.get(principal);
const quotaBecomes = (principal: string, value: number | undefined): Promise<unknown> =>
  eventually(async () => (await quotaOf(principal)) === value, { what: `${principal} has ${value}`, ...operator });

async function joinCluster(id: string): Promise<void> {
  const registered = await call<{ joinToken: { token: string } }>(plane!.url, 'POST', '/api/v1/clusters', {
    body: { id },
  });
  const joined = await (
    await TestAgent.create(plane!.url, { fingerprint: `uid-${id}` })
  ).join(registered.body.joinToken.token);
  expect(joined.status).toBe(200);
}

/** What the doctor says of O14. */
async function doctor(over: Environment = {}): Promise<Examination & { readonly code: number }> {
  const out: string[] = [];
  const code = await runCommand(COMMANDS, ['doctor', '--json', '--only', 'O14', '--quiet-seconds', '0'], {
    environment: { ...environment, ...over },
    print: (line) => out.push(line),
    complain: () => undefined,
    signal: new AbortController().signal,
  });
  return { ...(JSON.parse(out.join('')) as Examination), code };
}

const kindsOf = ({ findings }: Examination): string[] =>
  findings.map(({ kind, where }) => `${kind} ${where.cluster ?? where.place}`);
const lookedAt = ({ looked }: Examination): string => looked.map(({ at }) => at).join('\n');

/** Commands of the page for operators, with this fleet's names. */
async function commandsOfThePage(): Promise<string[][]> {
  const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'operators', 'kafka-quotas.md'), 'utf8');
  const blocks = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block!);
  const names: Readonly<Record<string, string>> = {
    '<broker>': rig.brokers[0]!,
    '<fleet>.<cluster>': agent,
    '<fleet>': fleet,
    '<its principal>': 'ANONYMOUS',
    'admin.properties': join(folder.path, 'admin.properties'),
  };
  return blocks.map((block) => {
    const named = Object.entries(names).reduce((text, [from, to]) => text.replaceAll(from, to), block);
    const [program, ...args] = named
      .replaceAll('\\\n', ' ')
      .trim()
      .split(/\s+/)
      .map((word) => word.replaceAll("'", ''));
    expect(program).toBe('kafka-configs.sh');
    expect(named).not.toContain('<');
    return args;
  });
}

describe('quotas of agents at Kafka', () => {
  it('are set for an agent that joins, and taken away when its cluster is unregistered', async () => {
    await joinCluster('two');
    // A broker learns of it a moment after the controller has answered.
    await quotaBecomes(`${fleet}.two`, WANTED);
    expect((await unregister(plane!.url, 'two')).status).toBe(204);
    await quotaBecomes(`${fleet}.two`, undefined);
  });

  it('are missed by the doctor until they are there, and again when somebody takes them away', async () => {
    await joinCluster('one');
    expect(kindsOf(await doctor())).toEqual([]);
    expect(lookedAt(await doctor())).toContain('produce quotas at Kafka of 1 of 1 agents');

    // Nobody repairs it while no replica runs.
    await plane!.stop();
    plane = undefined;
    await messaging.produceQuotas().set(agent, undefined);
    await quotaBecomes(agent, undefined);
    const missed = await doctor();
    expect(kindsOf(missed)).toEqual(['no-quota one']);
    expect(missed.code).toBe(1);

    await messaging.produceQuotas().set(agent, WANTED);
    await quotaBecomes(agent, WANTED);
    expect(kindsOf(await doctor())).toEqual([]);
    await messaging.produceQuotas().set(agent, undefined);
    await quotaBecomes(agent, undefined);
    expect(kindsOf(await doctor())).toEqual(['no-quota one']);

    await start();
    await quotaBecomes(agent, WANTED);
    expect(await doctor()).toMatchObject({ code: 0, findings: [] });
  });

  it('follow the setting, and leave alone what an operator has set for one cluster', async () => {
    await start({ KAFKA_PRODUCE_BYTES_FOR_AGENTS: '3000000' });
    await quotaBecomes(agent, 3_000_000);

    await messaging.produceQuotas().set(agent, 70_000);
    await joinCluster('three');
    expect(await quotaOf(`${fleet}.three`)).toBe(3_000_000);
    await start();
    // Both are settled in one round.
    await quotaBecomes(`${fleet}.three`, WANTED);
    expect(await quotaOf(agent)).toBe(70_000);
    expect(lookedAt(await doctor())).toContain(`another than ${WANTED} bytes/s: one 70000`);

    await start({ KAFKA_PRODUCE_BYTES_FOR_AGENTS: '0' });
    await quotaBecomes(`${fleet}.three`, undefined);
    expect(await quotaOf(agent)).toBe(70_000);
    expect(await doctor({ KAFKA_PRODUCE_BYTES_FOR_AGENTS: '0' })).toMatchObject({ code: 0, findings: [] });
    await start();
    await quotaBecomes(`${fleet}.three`, WANTED);
  });

  it('that Kafka does not show are a remark, and a Kafka that is away is not a clean bill', async () => {
    // By tokens the control plane is nobody to this broker: it is not among its super users.
    const refused = await doctor({
      KAFKA_SECURITY: 'oauthbearer',
      KAFKA_BROKERS: environment['KAFKA_BROKERS_FOR_AGENTS'],
    });
    expect(refused).toMatchObject({ code: 0, findings: [], unchecked: [] });
    expect(lookedAt(refused)).toMatch(/quotas at Kafka cannot be read \(.*does not allow.*\); the budgets of intake/);

    const away = await doctor({ KAFKA_BROKERS: '127.0.0.1:1' });
    expect(away).toMatchObject({ code: 1, unchecked: [{ oracle: 'O14', why: expect.stringContaining('Kafka') }] });

    const nameless = await doctor({ KAFKA_SECURITY_FOR_AGENTS: 'plaintext' });
    expect(nameless).toMatchObject({ code: 0, findings: [], unchecked: [] });
    expect(lookedAt(nameless)).toContain('agents have no names there');
  });
});

describe('the page for operators', () => {
  it('has commands that Kafka takes, and that do what the page says of them', { timeout: 180_000 }, async () => {
    await messaging.ensureTopics([{ name: topics(fleet).intents, partitions: 1 }]);
    const [describe_, oneCluster, backToOurs, others, itself, times, ...more] = await commandsOfThePage();
    expect(more).toEqual([]);

    await kafkaConfigs(oneCluster!);
    expect(await quotaOf(agent)).toBe(1_048_576);
    expect(await kafkaConfigs(describe_!)).toContain(`user-principal '${agent}' are producer_byte_rate=1048576.0`);

    // A running replica leaves it alone, and sets its own when it is taken away.
    await start();
    await quotaBecomes(`${fleet}.three`, WANTED);
    expect(await quotaOf(agent)).toBe(1_048_576);
    await kafkaConfigs(backToOurs!);
    expect(await quotaOf(agent)).toBeUndefined();
    await start();
    await quotaBecomes(agent, WANTED);

    await kafkaConfigs(others!);
    expect((await quotas()).others).toBe(4_194_304);
    expect(kindsOf(await doctor())).toEqual(['control-plane-bound User:ANONYMOUS']);
    await kafkaConfigs(itself!);
    expect(kindsOf(await doctor())).toEqual([]);

    // The default bounds agents that have none of their own.
    await plane!.stop();
    plane = undefined;
    await messaging.produceQuotas().set(agent, undefined);
    expect(kindsOf(await doctor())).toEqual([]);

    expect(await kafkaConfigs(times!)).toContain('Completed updating config for topic');
  });
});
