/** Whatever a pod can say, against the list of what stays readable: each field of the API server's own schema, through everything that is pure. */
import { randomBytes } from 'node:crypto';
import { SystemClock } from '#libs/runtime';
import { READABLE_LABELS, READABLE_NAMES, type SealedRunPod } from '#libs/contracts';
import { InMemoryDatabase, InMemoryEventStore, type RecordedEvent } from '#libs/event-store';
import { ANNOTATIONS, type PodObject } from '#libs/kubernetes';
import { sealEnvelope, type IncomingMessage } from '#libs/messaging';
import { sharedKubernetes, type KubernetesCluster } from '#libs/testing';
import { initialState, streamIdOf } from '#libs/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withPodSealed } from '../../services/agent/src/publish/seal-pod.ts';
import { referencesOf } from '../../services/agent/src/resolve/references.ts';
import { splitPod } from '../../services/agent/src/resolve/split.ts';
import { containerGroupRow } from '../../services/control-plane/src/container-groups/container-group-row.ts';
import { ClusterBudgets, DEFAULT_CLUSTER_BUDGET } from '../../services/control-plane/src/intake/cluster-budgets.ts';
import { decideStream } from '../../services/control-plane/src/intake/decide-stream.ts';
import { MessageReader } from '../../services/control-plane/src/intake/read-message.ts';
import { MasterKey } from '../../services/control-plane/src/keys/master-key.ts';
import { StreamVault } from '../../services/control-plane/src/keys/stream-vault.ts';
import { cloudEvent } from '../../services/control-plane/src/publish/cloud-events.ts';
import { HidingEventStore } from '../../services/control-plane/src/streams/hiding-store.ts';
import { runPodBody, sealedHalf } from '../control-plane/loops-rig.ts';
import { canaryPod, isWrittenDown, type CanaryPod, type Json, type Schema } from './canary-pod.ts';

const UID = 'u1';
const CLUSTER = 'k1';
const masterKey = new MasterKey(randomBytes(32));
const envelopeKey = { kid: 'e1', key: randomBytes(32) };

let cluster: KubernetesCluster;
let canaries: CanaryPod;
beforeAll(async () => {
  cluster = await sharedKubernetes();
  const document = await cluster.api.call('GET', '/openapi/v3/api/v1');
  canaries = canaryPod(document.components.schemas as Record<string, Schema>);
});
afterAll(async () => {
  await cluster?.close();
});

interface Traces {
  /** What anybody who reads the log finds. */
  readonly message: string;
  /** What rests in the store. */
  readonly events: string;
  readonly row: string;
  readonly feed: string;
  /** What those have who decide. */
  readonly opened: readonly RecordedEvent[];
}

/** From the pod as the API server has it to what is left of it everywhere. */
async function traces(pod: { readonly metadata: Json; readonly spec: Json }): Promise<Traces> {
  const split = splitPod(pod as unknown as PodObject);
  const body = runPodBody(UID);
  const halves = withPodSealed({
    body: { ...body, pod: { ...body.pod, metadata: split.metadata, spec: split.spec } },
    sealed: sealedHalf({ env: split.env, annotations: split.annotations, ...given(pod as unknown as PodObject) }),
  });
  const messageKey = `${CLUSTER}/${UID}`;
  const value = await sealEnvelope({
    clear: {
      schemaVersion: halves.schemaVersion,
      clusterId: CLUSTER,
      agentEpoch: 1,
      sequence: 1,
      sentAt: '2026-03-01T10:00:00.000Z',
      body: halves.body,
    },
    sealed: halves.sealed,
    messageKey,
    key: envelopeKey,
  });
  const reader = new MessageReader({
    keys: { find: () => Promise.resolve(envelopeKey.key) },
    clusters: { find: () => Promise.resolve({ accountId: 'acc', live: true, epoch: 1 }) },
  });
  const message: IncomingMessage = { key: messageKey, value, offset: '1', timestamp: 0, headers: {} };
  const read = await reader.read(message, new ClusterBudgets(DEFAULT_CLUSTER_BUDGET).begin(0));
  if (read.kind !== 'RunPod') throw new Error(`the message is ${JSON.stringify(read)}`);
  // It came whole.
  expect(read.body.pod).toEqual({ ...body.pod, metadata: split.metadata, spec: split.spec });

  const streamId = streamIdOf(CLUSTER, UID);
  const decided = decideStream({
    streamId,
    before: initialState,
    wrapped: undefined,
    messages: [read],
    at: '2026-03-01T10:00:00.000Z',
    causeOf: () => 'kafka:intents/0@1',
    vault: new StreamVault(masterKey),
    newId: () => crypto.randomUUID(),
  });
  expect(decided.failed).toEqual([]);
  const clock = new SystemClock();
  const stored = new InMemoryEventStore(new InMemoryDatabase({ clock }));
  const vault = new StreamVault(masterKey, 'display-key');
  const store = new HidingEventStore({ inner: stored, vault, hides: true, clock });
  await store.append([decided.append!]);
  const events = (await stored.loadMany([streamId])).get(streamId)!;
  return {
    message: Buffer.from(value).toString('utf8'),
    events: JSON.stringify(events),
    row: JSON.stringify(containerGroupRow(events)),
    feed: events.map((event) => Buffer.from(cloudEvent(event, 'fleet').value!).toString('utf8')).join('\n'),
    opened: (await store.loadMany([streamId])).get(streamId)!,
  };
}

/** What the agent looks up for the pod: by these names it is digested. */
function given(pod: PodObject): Partial<SealedRunPod> {
  const { objects, tokens, pullSecrets } = referencesOf(pod);
  const of = (wanted: string): string[] => objects.filter(({ kind }) => kind === wanted).map(({ name }) => name);
  return {
    configMaps: Object.fromEntries(of('ConfigMap').map((name) => [name, { data: {}, binaryData: {} }])),
    secrets: Object.fromEntries(of('Secret').map((name) => [name, { type: 'Opaque', data: {} }])),
    tokens: Object.fromEntries(tokens.map(({ path }) => [path, 'token'])),
    pullSecrets: [...pullSecrets],
  };
}

const asSet = (found: readonly string[]): readonly string[] => [...new Set(found)].sort();
const written = (path: readonly string[]): string => path.join('.');
const isKept = (path: readonly string[]): boolean => isWrittenDown(path) || READABLE_NAMES.includes(written(path));
const found = ({ message, events, row, feed }: Traces, canary: string): boolean =>
  [message, events, row, feed].some((text) => text.includes(canary));

/** A pod that runs, with more in it. */
function mixed({ metadata, spec }: { readonly metadata?: Json; readonly spec?: Json }) {
  const base = runPodBody(UID).pod as { metadata: Json; spec: Json };
  const [container] = base.spec['containers'] as [Json];
  const [more] = (spec?.['containers'] ?? [{}]) as [Json];
  return {
    metadata: { ...base.metadata, ...metadata },
    spec: { ...base.spec, ...spec, containers: [{ ...container, ...more }] },
  };
}

describe('a pod of which every field is told apart', () => {
  it('is read in full: the schema is that of 1.37 and not half of it', () => {
    expect(canaries.leaves.length).toBeGreaterThan(500);
  });

  it('leaves behind what is written down, and nothing else', async () => {
    const left = await traces(canaries.pod);

    const seen = canaries.leaves.filter(({ canary }) => found(left, canary)).map(({ path }) => written(path));
    const meant = canaries.leaves.filter(({ path }) => isKept(path)).map(({ path }) => written(path));
    expect(asSet(seen)).toEqual(asSet(meant));
    // Whoever decides has it all.
    const opened = JSON.stringify(left.opened);
    const split = JSON.stringify(splitPod(canaries.pod as unknown as PodObject).spec);
    for (const { canary } of canaries.leaves) if (split.includes(canary)) expect(opened).toContain(canary);
  });

  it('leaves no more behind where one field alone makes the difference, not even in the words of a refusal', async () => {
    const leaks: string[] = [];
    for (const { path, canary } of canaries.leaves) {
      if (isKept(path)) continue;
      const left = await traces(mixed(canaries.only(path)));
      if (found(left, canary)) leaks.push(written(path));
    }
    expect(leaks).toEqual([]);
  });
});

it('keeps of labels those that are written down, and their values', async () => {
  const labels = Object.fromEntries([...READABLE_LABELS, 'example.com/note'].map((name, i) => [name, `canary-${i}-x`]));
  const left = await traces(mixed({ metadata: { labels } }));
  for (const [name, value] of Object.entries(labels))
    expect([name, found(left, value)]).toEqual([name, name !== 'example.com/note']);
});

/** Annotations that become what is needed of the cloud: these answers are for policies and people, for ever. */
const INTO_THE_NEED = ['k8s.aliyun.com/eci-vswitch'];

it('keeps of annotations what the need is made of', async () => {
  const kept: string[] = [];
  for (const name of Object.keys(ANNOTATIONS)) {
    const left = await traces(mixed({ metadata: { annotations: { [name]: 'canary-x' } } }));
    if (found(left, 'canary-x')) kept.push(name);
  }
  expect(kept).toEqual(INTO_THE_NEED);
});
