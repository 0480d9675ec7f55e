/**
 * A pod that says secrets wherever a container can, from its intent to its end, on real PostgreSQL and Kafka: what lies at rest, on the log, in
 * answers and in our own words; and what those see who may.
 */
import pg from 'pg';
import { intentKey, inventoryKey, topics, type IntentBody, type SessionResponse } from '#libs/contracts';
import { AlibabaEciClients } from '#libs/eci';
import { KafkaMessaging, sealEnvelope, type IncomingMessage } from '#libs/messaging';
import { createLogger } from '#libs/observability';
import { createTestDatabase, eventually, sharedKafka, topicPrefix, type TestDatabase } from '#libs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withPodSealed } from '../../services/agent/src/publish/seal-pod.ts';
import { splitPod } from '../../services/agent/src/resolve/split.ts';
import { startControlPlane, type ControlPlane } from '../../services/control-plane/src/control-plane.ts';
import { call, newTokenKey, TestAgent, testConfig } from '../../services/control-plane/spec/for-specs.ts';
import { DEMO_CREDENTIAL, startSimulator, type Simulator } from '../../services/eci-simulator/src/simulator.ts';
import { QUICK, runPodBody, sealedHalf } from '../control-plane/loops-rig.ts';
import { TalkativeCloud } from './talkative-cloud.ts';

const CANARY = 'canary-b71f93';
const CLUSTER = 'talks';
const UID = 'u1';

let database: TestDatabase;
let pool: pg.Pool;
let simulator: Simulator;
let messaging: KafkaMessaging;
let plane: ControlPlane;
let session: SessionResponse;
let restart: () => Promise<void>;
let sequence = 0;
const log: string[] = [];
const said: { topic: string; message: IncomingMessage }[] = [];
const fleet = `${topicPrefix()}fleet`;
const names = topics(fleet);

beforeAll(async () => {
  const [{ brokers }, made] = await Promise.all([sharedKafka(), createTestDatabase()]);
  database = made;
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on('error', () => undefined);
  simulator = await startSimulator({
    scenario: {
      settings: { latencies: QUICK, buckets: 'unlimited' },
      behaviours: [{ match: { image: 'ends' }, runMs: 200, exitCode: 3 }],
    },
  });
  messaging = new KafkaMessaging({ brokers, clientId: 'spec', security: { kind: 'plaintext' } });
  const config = await testConfig(database.url, { FLEET_NAME: fleet, FLEET_TOKEN_KEY: await newTokenKey() });
  const logger = createLogger({
    level: 'debug',
    service: 'spec',
    destination: { write: (line) => void log.push(line) },
  });
  const clients = new AlibabaEciClients((id) =>
    Promise.resolve({ id, credential: () => Promise.resolve(DEMO_CREDENTIAL), endpoint: simulator.url, regions: [] }),
  );
  restart = async () => {
    await plane?.stop();
    plane = await startControlPlane(config, { messaging, logger, eciClients: new TalkativeCloud(clients, CANARY) });
  };
  await restart();
  const { body } = await call<{ joinToken: { token: string } }>(plane.url, 'POST', '/api/v1/clusters', {
    body: { id: CLUSTER },
  });
  const agent = await TestAgent.create(plane.url, { fingerprint: 'uid-talks' });
  await agent.join(body.joinToken.token);
  session = (await agent.session()).body;
  await messaging.consume({
    topics: [names.intents, names.events, names.deadLetter, names.cluster(CLUSTER)],
    group: `${fleet}.spec`,
    handle: ({ topic, messages }) => {
      said.push(...messages.map((message) => ({ topic, message })));
      return Promise.resolve();
    },
  });
}, 180_000);

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await simulator?.stop();
  await pool?.end();
  await database?.drop();
});

/** As an agent sends it that was told what this session says. */
async function run(): Promise<void> {
  const http = { path: `/x?t=${CANARY}`, port: 80 };
  const split = splitPod({
    metadata: {
      uid: UID,
      name: 'talks',
      namespace: 'default',
      labels: { app: 'talks', note: CANARY },
      annotations: { 'kubernetes.io/note': CANARY },
    },
    spec: {
      restartPolicy: 'Never',
      containers: [
        {
          name: 'main',
          image: 'ends',
          command: ['sh', '-c', `mysql -p${CANARY}`],
          args: [CANARY],
          livenessProbe: { httpGet: http },
        },
      ],
    },
  });
  const whole = runPodBody(UID);
  await send(
    intentKey(CLUSTER, UID),
    { ...whole, pod: { ...whole.pod, name: 'talks', metadata: split.metadata, spec: split.spec } },
    sealedHalf({ env: split.env, annotations: split.annotations }),
  );
}

async function send(messageKey: string, body: IntentBody, sealed: unknown = {}): Promise<void> {
  const halves = withPodSealed({ body, sealed });
  const key = session.envelopeKeys.filter((k) => Date.parse(k.notBefore) <= Date.now()).at(-1)!;
  const value = await sealEnvelope({
    clear: {
      schemaVersion: halves.schemaVersion,
      clusterId: CLUSTER,
      agentEpoch: session.agentEpoch,
      sequence: ++sequence,
      sentAt: new Date().toISOString(),
      body: halves.body,
    },
    sealed: halves.sealed,
    messageKey,
    key: { kid: key.kid, key: Buffer.from(key.key, 'base64url') },
  });
  await messaging.publish(names.intents, [{ key: messageKey, value }]);
}

const lastStatus = (): { text: string; phase: unknown } | undefined => {
  const values = said.filter(({ topic, message }) => topic === names.cluster(CLUSTER) && message.key === UID);
  const value = values.at(-1)?.message.value;
  if (!value) return undefined;
  const text = Buffer.from(value).toString('utf8');
  return { text, phase: (JSON.parse(text) as { status?: { phase?: string } }).status?.phase };
};
const get = (path: string) => call<Record<string, unknown>>(plane.url, 'GET', `/api/v1${path}`);
const ofPod = `/container-groups/${encodeURIComponent(`${CLUSTER}/${UID}`)}`;

/** Every row of every table, as text. */
async function rowsWith(word: string): Promise<readonly string[]> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('es', 'fleet') and c.relkind = 'r'`,
  );
  const found: string[] = [];
  const spellings = [word, Buffer.from(word).toString('hex'), Buffer.from(word).toString('base64').slice(1, -3)];
  for (const { name } of tables) {
    const { rows } = await pool.query<{ text: string }>(`select t::text as text from ${name} t`);
    for (const { text } of rows) if (spellings.some((each) => text.includes(each))) found.push(`${name}: ${text}`);
  }
  return found;
}

describe('what a pod says from its intent to its end', () => {
  it('is sealed on the way and at rest, and told to its owner', async () => {
    expect(session.sealsPods).toBe(true);

    await run();
    await eventually(() => lastStatus()?.phase === 'Failed', {
      what: 'the end of the pod is told',
      deadlineMs: 60_000,
    });

    // The cloud was asked for what the pod says.
    const created = await simulator.control<{ requests: unknown[] }>(
      'GET',
      '/ledger/requests?action=CreateContainerGroup',
    );
    expect(JSON.stringify(created)).toContain(`mysql -p${CANARY}`);
    // The owner hears the last words of the container.
    expect(lastStatus()!.text).toContain(CANARY);
    // Nobody else on the log does.
    await eventually(
      () =>
        said.some(({ topic, message }) => topic === names.events && textOf(message).includes('ContainerGroupFailed')),
      { what: 'the feed tells of the end', deadlineMs: 30_000 },
    );
    for (const { topic, message } of said)
      if (topic !== names.cluster(CLUSTER)) expect(`${topic}: ${textOf(message)}`).not.toContain(CANARY);
    expect(said.some(({ topic }) => topic === names.deadLetter)).toBe(false);
    // Nor does it lie in any table, or in our own words.
    expect(await rowsWith(CANARY)).toEqual([]);
    expect(log.join('')).not.toContain(CANARY);
    // Lists and feeds of the API neither.
    await eventually(async () => JSON.stringify((await get('/container-groups')).body).includes('Failed'), {
      what: 'the read model knows',
      deadlineMs: 30_000,
    });
    for (const path of ['/container-groups', '/events', '/overview'])
      expect([path, JSON.stringify((await get(path)).body).includes(CANARY)]).toEqual([path, false]);
  });

  it('is shown in the pod’s history and detail while it is kept, by any process', async () => {
    await restart();

    const history = (await get(`${ofPod}/history`)).body as {
      items: { type: string; data: Record<string, unknown>; hidden?: object }[];
    };
    const accepted = history.items.find(({ type }) => type === 'PodIntentAccepted')!;
    expect(JSON.stringify(accepted.data['clearPod'])).toContain(`mysql -p${CANARY}`);
    expect(accepted.hidden).toEqual({ shown: true });
    const failed = history.items.find(({ type }) => type === 'ContainerGroupFailed')!;
    expect(failed.data['message']).toContain(CANARY);
    const detail = (await get(ofPod)).body as { message?: string; hidden?: object };
    expect(detail.message).toContain(CANARY);
    expect(detail.hidden).toEqual({ shown: true });
  });

  it('and a week later the pod is told of as it was told of then, byte by byte', async () => {
    const then = lastStatus()!.text;
    await pool.query(`select es.set_clock_offset('7 days')`);
    await restart();
    const before = said.length;

    // An inventory that shows the pod without a status asks for it.
    const pods = [{ uid: UID, resourceVersion: '2', phase: 'Pending' }];
    await send(inventoryKey(CLUSTER), { kind: 'Inventory', inventoryId: 'i1', chunk: 0, chunks: 1, pods });

    await eventually(() => said.slice(before).some(({ message }) => message.key === UID), {
      what: 'its status is told again',
      deadlineMs: 60_000,
    });
    expect(lastStatus()!.text).toBe(then);
  });

  it('is erased when its time is over: history and detail say so', async () => {
    const streamId = `container_group:${CLUSTER}:${UID}`;
    await pool.query(`update es.stream set closed_at = now() - interval '31 days' where stream_id = $1`, [streamId]);

    await restart();

    await eventually(
      async () => (await pool.query('select 1 from es.event_key where forgotten_at is not null')).rows.length === 1,
      { what: 'the key is erased', deadlineMs: 30_000 },
    );
    const history = (await get(`${ofPod}/history`)).body as {
      items: { type: string; hidden?: { erasedAt?: string } }[];
    };
    expect(JSON.stringify(history)).not.toContain(CANARY);
    const { hidden } = history.items.find(({ type }) => type === 'PodIntentAccepted')!;
    expect(hidden).toEqual({ shown: false, erasedAt: expect.any(String) as string });
    const detail = await get(ofPod);
    expect(JSON.stringify(detail.body)).not.toContain(CANARY);
    expect(detail.body['hidden']).toEqual(hidden);
    // What is written down is still there.
    expect(JSON.stringify(history)).toContain('"image":"ends"');
  });
});

const textOf = ({ value }: IncomingMessage): string => Buffer.from(value ?? []).toString('utf8');
