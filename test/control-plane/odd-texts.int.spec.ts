import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { IntentBody, SealedRunPod } from '#libs/contracts';
import { lifeOf } from '#libs/domain';
import { eventually } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../../services/control-plane/src/control-plane.ts';
import { call, newMessaging, testConfig } from '../../services/control-plane/spec/for-specs.ts';
import { LoopsRig, runPodBody, sealedHalf } from './loops-rig.ts';
import { FLEET } from './names.ts';
import { OddCloud } from './odd-cloud.ts';

let rig: LoopsRig;
let cloud: OddCloud;
let plane: ControlPlane | undefined;
afterEach(async () => {
  await plane?.stop();
  await rig.stop();
  await cloud.stop();
});

const SEED = 20_261_130;
/** What PostgreSQL does not keep, what only looks like it, and what is far too long. */
const TEXTS = [
  '\0',
  'a\0b',
  '\ud800',
  'x\udc00y',
  '\udc00\ud800',
  '\\u0000',
  '',
  '__proto__',
  '\u202e',
  '😀'.repeat(6_000),
];
const oddText = fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: 'binary', maxLength: 12 }));

type Json = Record<string, unknown>;
interface Said {
  readonly body: IntentBody;
  readonly sealed: SealedRunPod;
}

/** A pod that says something at many places. */
const rich = (uid: string): Said => ({
  body: runPodBody(uid, {
    metadata: {
      labels: { app: 'a' },
      annotations: { 'k8s.aliyun.com/eci-use-specs': '2-4Gi', 'example.com/note': null },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r' }],
    },
    container: {
      command: ['sleep', '3600'],
      args: ['one'],
      workingDir: '/',
      env: [
        { name: 'A', value: '' },
        { name: 'B', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
        { name: 'C', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      ],
      envFrom: [{ secretRef: { name: 's' } }],
      volumeMounts: [{ name: 'v', mountPath: '/v' }],
    },
    spec: { volumes: [{ name: 'v', configMap: { name: 'c' } }], serviceAccountName: 'sa', hostname: 'h' },
    resolved: {
      serviceEnv: { X_PORT: 'tcp://10.0.0.1:1' },
      dns: { clusterDomain: 'cluster.local', nameServers: ['10.0.0.2'] },
    },
  }),
  sealed: sealedHalf({
    env: { 'containers/main/0': 'value' },
    annotations: { 'example.com/note': 'a note' },
    configMaps: { c: { data: { k: 'v' }, binaryData: {} } },
    secrets: { s: { type: 'Opaque', data: { k: 'dg==' } } },
  }),
});

/** Paths of all texts and keys of any JSON. */
function places(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value === 'string') return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inside]) =>
    places(inside, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

/** The same with another text at a place, or, `asKey`, under another name. */
function withText<T>(given: T, path: readonly (string | number)[], text: string, asKey: boolean): T {
  const root = structuredClone(given);
  const parent = path.slice(0, -1).reduce((at, key) => (at as Json)[key], root as unknown) as Json;
  const last = path.at(-1)!;
  if (asKey && typeof last === 'string') Object.defineProperty(parent, text, { value: parent[last], enumerable: true });
  else parent[last] = text;
  return root;
}

/** Where the text decides which pod it is, or which message: that is no pod of this spec any more. */
const KEPT = /^body\/(kind$|pod\/uid$)/;

const oddPod = (uid: string) =>
  fc
    .array(
      fc.record({
        at: fc.constantFrom(...places(rich(uid)).filter((path) => !KEPT.test(path.join('/')))),
        text: oddText,
        asKey: fc.boolean(),
      }),
      { minLength: 1, maxLength: 3 },
    )
    .map((changes) => changes.reduce((said, { at, text, asKey }) => safely(said, at, text, asKey), rich(uid)));

/** A change of a place that an earlier change has taken away is none. */
function safely(said: Said, at: readonly (string | number)[], text: string, asKey: boolean): Said {
  try {
    return withText(said, at, text, asKey);
  } catch {
    return said;
  }
}

const isRunning = (uid: string): Promise<unknown> =>
  eventually(async () => lifeOf(await rig.state(uid)) === 'running', { what: `pod ${uid} runs`, deadlineMs: 60_000 });

const streams = async (): Promise<number> =>
  Number((await rig.pool.query<{ n: string }>('select count(*) as n from es.event')).rows[0]!.n);

describe('odd texts, wherever they come from', () => {
  it('hold nobody else up, come to an end themselves, and can be looked at', { timeout: 300_000 }, async () => {
    rig = await LoopsRig.start({ settings: { signatures: 'off' } });
    cloud = new OddCloud({ to: rig.simulator.url, texts: TEXTS, isOdd: (words) => words.includes('odd-') });
    rig.endpoint = await cloud.start();
    rig.start();

    // given pods whose creates are refused in odd words, for ever
    for (const [index, message] of TEXTS.entries())
      await rig.simulator.control('POST', '/faults', {
        id: `refused ${index}`,
        kind: 'error',
        action: 'CreateContainerGroup',
        code: index % 3 === 0 ? 'InvalidParameter' : index % 3 === 1 ? 'QuotaExceeded' : 'InternalError',
        status: index % 3 === 0 ? 400 : index % 3 === 1 ? 403 : 500,
        message,
        match: { 'Tag.3.Value': `odd-refused-${index}` },
        ...(index % 3 !== 0 && { count: 2 }),
      });

    // when they come among others: odd pods, odd stops, odd inventories
    const odd = Array.from({ length: 30 }, (_, index) => `odd-${index}`);
    const said = odd.flatMap((uid, index) => fc.sample(oddPod(uid), { numRuns: 1, seed: SEED + index }));
    const saidOf = Array.from({ length: 6 }, (_, index) => `odd-said-${index}`);
    const words = fc.sample(oddText, { numRuns: odd.length, seed: SEED });
    const { body, sealed } = rich('fine-1');
    await rig.send(body, sealed);
    for (const [index, { body, sealed }] of said.entries()) {
      await rig.send(body, sealed);
      if (index % 10 === 0) await rig.runPod(`fine-${2 + index / 10}`);
    }
    for (const index of TEXTS.keys()) await rig.runPod(`odd-refused-${index}`);
    // and pods that say nothing odd, of which the cloud does
    for (const [index, uid] of saidOf.entries())
      await rig.runPod(uid, { container: { command: ['sh', '-c', `sleep 0.3; exit ${index % 2}`] } });
    for (const [index, text] of words.entries()) {
      const pod = { uid: `odd-${index}`, resourceVersion: '1', phase: text, waitingFor: text };
      await rig.send({ kind: 'Inventory', inventoryId: `i${index}`, chunk: 0, chunks: 1, pods: [pod], leftovers: [] });
      if (index % 4 === 0) await rig.stopPod(`odd-${index}`, 'Deleted', text);
    }
    await rig.runPod('fine-last');

    // then the others run, those that came after them too
    for (const uid of ['fine-1', 'fine-2', 'fine-3', 'fine-4', 'fine-last']) await isRunning(uid);

    // and the end of a container counts, whatever its last words were
    for (const [index, uid] of saidOf.entries())
      await rig.hurryUntil(
        async () => lifeOf(await rig.state(uid)) === (index % 2 === 0 ? 'succeeded' : 'failed'),
        `the end of ${uid} is seen`,
        10_000,
      );
    expect(cloud.replaced).toBeGreaterThan(20);

    // and once they are told to stop nothing of the odd ones is left to do, and nothing is repeated
    for (const uid of [...odd, ...saidOf, ...Array.from(TEXTS.keys(), (index) => `odd-refused-${index}`)])
      await rig.stopPod(uid);
    await rig.hurryUntil(
      async () => (await rig.groups('&open=true')).every(({ tags }) => tags['eci-fleet-pod-uid']!.startsWith('fine-')),
      'no group of an odd pod is left',
      20_000,
    );
    await rig.hurryUntil(async () => (await rig.effects()).length === 0, 'nothing is left to do', 20_000);
    const before = await streams();
    for (let i = 0; i < 3; i++) {
      await rig.hurry(120_000);
      await eventually(async () => (await rig.effects()).length === 0, { what: 'nothing begins anew' });
    }
    expect(await streams()).toBe(before);
    for (const uid of ['fine-1', 'fine-last']) expect(lifeOf(await rig.state(uid))).toBe('running');

    // and all of it can be read: no 500, no stream that a reader has set aside
    plane = await startControlPlane(
      await testConfig(rig.url, {
        FLEET_ROLES: 'api,project,publish',
        FLEET_NAME: FLEET,
        FLEET_MASTER_KEY: rig.masterKeyText,
      }),
      { messaging: newMessaging() },
    );
    const { url } = plane;
    const read = async (path: string): Promise<Json> => {
      const { status, body } = await call(url, 'GET', path);
      expect([path, status]).toEqual([path, 200]);
      return body;
    };
    await eventually(
      async () => (await rig.pool.query('select from fleet.container_group')).rows.length >= 5 + TEXTS.length,
      {
        what: 'the streams are projected',
      },
    );
    const { rows: parked } = await rig.pool.query('select stream_id, error from es.subscription_parked');
    expect(parked).toEqual([]);

    const { items } = (await read('/api/v1/container-groups?limit=200')) as { items: { id: string }[] };
    expect(items.length).toBeGreaterThanOrEqual(5 + TEXTS.length);
    for (const { id } of items) {
      await read(`/api/v1/container-groups/${encodeURIComponent(id)}`);
      await read(`/api/v1/container-groups/${encodeURIComponent(id)}/history`);
    }
    const quarantined = (await read('/api/v1/quarantine?limit=200')) as { items: { id: string }[] };
    for (const { id } of quarantined.items) await read(`/api/v1/quarantine/${encodeURIComponent(id)}`);
    for (const path of ['overview', 'events', 'orphans', 'holds', 'clusters']) await read(`/api/v1/${path}`);
  });
});
