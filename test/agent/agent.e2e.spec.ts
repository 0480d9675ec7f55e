import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { SESSION_PROBLEMS, type PodStatusMessage } from '#libs/contracts';
import { silentLogger } from '#libs/observability';
import { eventually, startKubernetes, type ApiAnswer, type KubernetesRig } from '#libs/testing';
import { startAgent, type RunningAgent } from '../../services/agent/src/agent.ts';
import { loadAgentConfig, type AgentConfig } from '../../services/agent/src/config.ts';
import { StubControlPlane } from './stub-control-plane.ts';

type Json = ApiAnswer['body'];

const MANIFESTS = join(import.meta.dirname, '../../deploy/agent');
const NODE = 'virtual-kubelet';

let rig: KubernetesRig;
let controlPlane: StubControlPlane;
let config: AgentConfig;
let agent: RunningAgent | undefined;

// One API server, one agent, under exactly the service account and the roles of the manifests.
beforeAll(async () => {
  rig = await startKubernetes();
  // Evictions happen only where another node is healthy.
  await rig.cluster.addHealthyNode();
  for (const file of ['namespace.yaml', 'service-account.yaml', 'rbac.yaml']) {
    await rig.cluster.kubectl(['apply', '-f', join(MANIFESTS, file)]);
  }
  controlPlane = new StubControlPlane();
  await controlPlane.start();
  config = loadAgentConfig({
    CONTROL_PLANE_URL: controlPlane.url,
    JOIN_TOKEN: controlPlane.token,
    KUBECONFIG: await rig.cluster.serviceAccountKubeconfig({ namespace: 'eci-fleet', name: 'eci-fleet-agent' }),
    ECI_REGION: 'cn-hangzhou',
    ECI_VSWITCH: 'vsw-a,vsw-b',
    ECI_SECURITY_GROUP: 'sg-1',
    WEBHOOK_HOST: '127.0.0.1',
    WEBHOOK_PORT: '0',
    WEBHOOK_URL: 'https://127.0.0.1:0',
    HEALTH_PORT: '0',
    INVENTORY_SECONDS: '3600',
  });
  agent = await startAgent(config, { messaging: controlPlane.messaging, logger: silentLogger });
  await eventually(() => agent!.health().status === 'ok' && agent!.health().webhook === 'registered', {
    what: 'the agent has joined and its webhook is registered',
    deadlineMs: 30_000,
  });
});

afterAll(async () => {
  await agent?.stop();
  await controlPlane?.stop();
  await rig?.stop();
});

async function json(args: readonly string[]): Promise<Json> {
  return JSON.parse((await rig.cluster.kubectl([...args, '-o', 'json'])).stdout) as Json;
}

async function namespace(labels: Record<string, string> = {}): Promise<string> {
  const { name } = await rig.cluster.createNamespace(labels);
  await eventually(
    async () => (await rig.cluster.api.ask('GET', `/api/v1/namespaces/${name}/serviceaccounts/default`)).status === 200,
    { what: `namespace ${name} has its service account` },
  );
  return name;
}

async function apply(manifest: unknown): Promise<void> {
  await rig.cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) });
}

const pod = (ns: string, name: string, spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: ns, labels: { 'alibabacloud.com/eci': 'true' }, ...metadata },
  spec: { containers: [{ name: 'app', image: 'nginx' }], ...spec },
});

async function bound(ns: string, name: string): Promise<{ uid: string; spec: Json; metadata: Json }> {
  return await eventually(
    async () => {
      const found = await json(['get', 'pod', name, '-n', ns]);
      return (
        found.spec.nodeName === NODE && {
          uid: found.metadata.uid as string,
          spec: found.spec,
          metadata: found.metadata,
        }
      );
    },
    { what: `pod ${ns}/${name} is bound to the virtual node`, deadlineMs: 20_000 },
  );
}

const sent = (uid: string) =>
  eventually(() => controlPlane.runs(uid)[0], { what: `a RunPod for ${uid}`, deadlineMs: 20_000 });

const eventsOf = async (
  ns: string,
  name: string,
): Promise<{ reason: string; message: string; count: number; metadata: { name: string } }[]> =>
  (await json(['get', 'events', '-n', ns, '--field-selector', `involvedObject.name=${name}`])).items as never;

let revision = 1;
function runningStatus(ns: string, name: string, uid: string, more: Partial<PodStatusMessage> = {}): PodStatusMessage {
  const at = new Date(Date.now() - 1_000).toISOString();
  const condition = (type: string) => ({ type, status: 'True', lastTransitionTime: at });
  return {
    kind: 'PodStatus',
    schemaVersion: 1,
    podUid: uid,
    namespace: ns,
    name,
    revision: ++revision,
    status: {
      phase: 'Running',
      startTime: at,
      hostIP: '127.0.0.1',
      podIP: '10.1.2.3',
      podIPs: [{ ip: '10.1.2.3' }],
      conditions: ['Initialized', 'ContainersReady', 'Ready'].map(condition),
      containerStatuses: [
        {
          name: 'app',
          ready: true,
          started: true,
          restartCount: 0,
          image: 'nginx',
          imageID: '',
          state: { running: { startedAt: at } },
        },
      ],
    },
    annotations: { 'k8s.aliyun.com/eci-instance-id': 'eci-1' },
    finalize: false,
    events: [],
    ...more,
  };
}

describe('the virtual node', () => {
  it('looks like the node users know', async () => {
    const node = await json(['get', 'node', NODE]);

    expect(node.metadata.labels).toMatchObject({ type: 'virtual-kubelet', 'kubernetes.io/role': 'agent' });
    expect(node.spec.taints).toContainEqual({
      key: 'virtual-kubelet.io/provider',
      value: 'alibabacloud',
      effect: 'NoSchedule',
    });
    expect(node.status.nodeInfo.kubeletVersion).toMatch(/^v1\.37\.0-eci-fleet-/);
    const conditions = Object.fromEntries(
      (node.status.conditions as { type: string; status: string }[]).map((c) => [c.type, c.status]),
    );
    expect(conditions).toMatchObject({
      Ready: 'True',
      MemoryPressure: 'False',
      DiskPressure: 'False',
      PIDPressure: 'False',
      NetworkUnavailable: 'False',
      ControlPlaneReachable: 'True',
    });
  });

  it('holds a lease that belongs to the node', async () => {
    const node = await json(['get', 'node', NODE]);

    const lease = await eventually(
      async () => {
        const found = await json(['get', 'lease', NODE, '-n', 'kube-node-lease']);
        return found.metadata.ownerReferences?.[0]?.uid === node.metadata.uid && found;
      },
      { what: 'the lease has the node as its owner', deadlineMs: 20_000 },
    );

    expect(lease.spec).toMatchObject({ holderIdentity: NODE, leaseDurationSeconds: 40 });
  });

  it('comes back within seconds when somebody deletes it', async () => {
    const before = (await json(['get', 'node', NODE])).metadata.uid as string;

    await rig.cluster.kubectl(['delete', 'node', NODE]);

    const after = await eventually(
      async () => {
        const { status, body } = await rig.cluster.api.ask('GET', `/api/v1/nodes/${NODE}`);
        return (
          status === 200 &&
          body.metadata.uid !== before &&
          (body as { status: { conditions: { type: string; status: string }[] } })
        );
      },
      { what: 'a new node object', deadlineMs: 10_000 },
    );
    expect(after.status.conditions.find((c) => c.type === 'Ready')?.status).toBe('True');
  });

  it('keeps labels and conditions that others have set', async () => {
    await rig.cluster.kubectl(['label', 'node', NODE, 'team=burst', 'type-']);

    await eventually(
      async () => {
        const { metadata } = await json(['get', 'node', NODE]);
        return metadata.labels.type === 'virtual-kubelet' && metadata.labels.team === 'burst';
      },
      { what: 'its own label is back and the other one stays', deadlineMs: 20_000 },
    );
  });
});

describe('the session', () => {
  it('keeps the key in a Secret and joins once', async () => {
    const secret = await json(['get', 'secret', 'eci-fleet-agent', '-n', 'eci-fleet']);

    expect(Object.keys(secret.data).sort()).toEqual(['audience', 'cluster-id', 'private-key.jwk']);
    expect(Buffer.from(secret.data['cluster-id'] as string, 'base64').toString()).toBe(controlPlane.clusterId);
    expect(controlPlane.joins).toBe(1);
    expect(controlPlane.faults).toEqual([]);
  });

  it('sends an inventory at start', async () => {
    const inventory = await eventually(() => controlPlane.inventories()[0], { what: 'an inventory' });

    expect(inventory).toMatchObject({ chunk: 0, chunks: 1 });
  });
});

describe('the steering webhook', () => {
  it('sends a labelled pod to the virtual node', async () => {
    const ns = await namespace();

    await rig.cluster.kubectl(['run', 'steered', '-n', ns, '--image', 'nginx', '-l', 'alibabacloud.com/eci=true']);

    const { spec } = await bound(ns, 'steered');
    expect(spec.nodeSelector).toEqual({ type: 'virtual-kubelet' });
    expect(spec.tolerations).toContainEqual({
      key: 'virtual-kubelet.io/provider',
      operator: 'Equal',
      value: 'alibabacloud',
      effect: 'NoSchedule',
    });
  });

  it('sends every pod of a labelled namespace, but not one that says no', async () => {
    const ns = await namespace({ 'alibabacloud.com/eci': 'true' });

    await rig.cluster.kubectl(['run', 'inside', '-n', ns, '--image', 'nginx']);
    await rig.cluster.kubectl(['run', 'outside', '-n', ns, '--image', 'nginx', '-l', 'alibabacloud.com/eci=false']);

    await bound(ns, 'inside');
    expect((await json(['get', 'pod', 'outside', '-n', ns])).spec.nodeSelector).toBeUndefined();
  });

  it('follows the selectors and settings of the eci-profile, and refuses a faulty one with an event', async () => {
    const ns = await namespace({ team: 'data' });
    const profile = (data: Record<string, string>) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'eci-profile', namespace: 'kube-system' },
      data,
    });
    const selectors = JSON.stringify([
      {
        name: 'nightly',
        objectSelector: { matchLabels: { tier: 'batch' } },
        namespaceSelector: { matchLabels: { team: 'data' } },
        effect: { annotations: { 'k8s.aliyun.com/eci-use-specs': '2-4Gi' }, labels: { 'cost-center': 'batch' } },
      },
    ]);

    await apply(profile({ vSwitchIds: 'vsw-x', selectors }));
    await eventually(
      async () => (await json(['get', 'mutatingwebhookconfiguration', `eci-fleet-${NODE}`])).webhooks.length === 6,
      { what: 'the selector is registered', deadlineMs: 15_000 },
    );
    await eventually(
      async () => {
        await rig.cluster.kubectl(['delete', 'pod', 'nightly', '-n', ns, '--ignore-not-found', '--force']);
        await apply(pod(ns, 'nightly', {}, { labels: { tier: 'batch' } }));
        return (await json(['get', 'pod', 'nightly', '-n', ns])).metadata.labels['cost-center'] === 'batch';
      },
      { what: 'a pod is chosen by the selector', deadlineMs: 15_000, everyMs: 500 },
    );
    const { uid, metadata } = await bound(ns, 'nightly');
    expect(metadata.annotations).toMatchObject({ 'k8s.aliyun.com/eci-use-specs': '2-4Gi' });
    expect((await sent(uid)).body.resolved.profile).toMatchObject({ vSwitchIds: ['vsw-x'], securityGroupId: 'sg-1' });

    await apply(profile({ vSwitchIds: 'vsw-y', selectors: '{"not":"an array"}' }));

    await eventually(
      async () =>
        (
          (await json(['get', 'events', '-n', 'kube-system', '--field-selector', 'involvedObject.name=eci-profile']))
            .items as {
            reason: string;
          }[]
        ).some((e) => e.reason === 'InvalidEciProfile'),
      { what: 'an event on the ConfigMap' },
    );
    await apply(pod(ns, 'later'));
    const later = await bound(ns, 'later');
    expect((await sent(later.uid)).body.resolved.profile.vSwitchIds).toEqual(['vsw-x']);
    await rig.cluster.kubectl(['delete', 'configmap', 'eci-profile', '-n', 'kube-system']);
  });
});

describe('intents', () => {
  it('resolves what the pod names, and seals what is secret', async () => {
    const ns = await namespace();
    await rig.cluster.kubectl([
      'create',
      'configmap',
      'settings',
      '-n',
      ns,
      '--from-literal=mode=fast',
      '--from-literal=unused=1',
    ]);
    await rig.cluster.kubectl([
      'create',
      'secret',
      'generic',
      'login',
      '-n',
      ns,
      '--from-literal=password=canary-secret',
    ]);

    await apply(
      pod(
        ns,
        'resolved',
        {
          containers: [
            {
              name: 'app',
              image: 'nginx',
              env: [
                { name: 'PLAIN', value: 'canary-env' },
                { name: 'MODE', valueFrom: { configMapKeyRef: { name: 'settings', key: 'mode' } } },
                { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } },
              ],
            },
          ],
        },
        { annotations: { 'example.com/note': 'canary-note', 'k8s.aliyun.com/eci-use-specs': '2-4Gi' } },
      ),
    );

    const { uid } = await bound(ns, 'resolved');
    const { body, sealed } = await sent(uid);
    expect(sealed.env).toEqual({ 'containers/app/0': 'canary-env' });
    expect(sealed.configMaps.settings).toEqual({ data: { mode: 'fast' }, binaryData: {} });
    expect(sealed.configMaps['kube-root-ca.crt']!.data['ca.crt']).toContain('BEGIN CERTIFICATE');
    expect(sealed.secrets.login!.data).toEqual({ password: Buffer.from('canary-secret').toString('base64') });
    expect(sealed.annotations).toEqual({ 'example.com/note': 'canary-note' });
    expect(JSON.stringify(body)).not.toContain('canary');
    expect(body.pod.phase).toBe('Pending');
    expect(body.resolved.serviceEnv.KUBERNETES_SERVICE_HOST).toBe('10.96.0.1');
    expect(body.resolved.profile).toMatchObject({ region: 'cn-hangzhou', vSwitchIds: ['vsw-a', 'vsw-b'] });
  });

  it('gets a token that is bound to the pod and lives for a year', async () => {
    const ns = await namespace();

    await apply(pod(ns, 'identified'));

    const { uid } = await bound(ns, 'identified');
    const { body, sealed } = await sent(uid);
    const [token] = body.resolved.tokens;
    const life = Date.parse(token!.expiresAt) - Date.parse(token!.issuedAt);
    expect(Math.round(life / 86_400_000)).toBe(365);
    const claims = JSON.parse(Buffer.from(sealed.tokens[token!.path]!.split('.')[1]!, 'base64url').toString()) as Json;
    expect(claims['kubernetes.io'].pod.uid).toBe(uid);
  });

  it('waits for a ConfigMap, says so, and starts by itself when it appears', async () => {
    const ns = await namespace();

    await apply(
      pod(ns, 'waiting', {
        containers: [{ name: 'app', image: 'nginx', envFrom: [{ configMapRef: { name: 'later' } }] }],
      }),
    );

    const { uid } = await bound(ns, 'waiting');
    await eventually(
      async () => (await eventsOf(ns, 'waiting')).some((e) => e.reason === 'MandatoryConfigMapNotFound'),
      {
        what: 'an event names the missing ConfigMap',
        deadlineMs: 15_000,
      },
    );
    await controlPlane.say({ kind: 'Command', name: 'SendInventory', at: new Date().toISOString() });
    await eventually(
      () =>
        controlPlane.inventories().some((i) => i.pods.some((p) => p.uid === uid && p.waitingFor?.includes('later'))),
      { what: 'the inventory says what the pod waits for' },
    );
    expect(controlPlane.runs(uid)).toEqual([]);

    await rig.cluster.kubectl(['create', 'configmap', 'later', '-n', ns, '--from-literal=a=b']);

    expect((await sent(uid)).sealed.configMaps.later).toEqual({ data: { a: 'b' }, binaryData: {} });
  });

  it('sends a stop with the grace period when a pod is deleted, and once more when the object is gone', async () => {
    const ns = await namespace();
    await apply(pod(ns, 'ended', { terminationGracePeriodSeconds: 7 }));
    const { uid } = await bound(ns, 'ended');
    await sent(uid);

    await rig.cluster.kubectl(['delete', 'pod', 'ended', '-n', ns, '--wait=false']);

    const stop = await eventually(() => controlPlane.stops(uid)[0], { what: 'a StopPod' });
    expect(stop).toMatchObject({ reason: 'Deleted', graceSeconds: 7, namespace: ns, name: 'ended' });

    await rig.cluster.kubectl(['delete', 'pod', 'ended', '-n', ns, '--force', '--grace-period=0']);

    await eventually(() => controlPlane.stops(uid).some((s) => s.reason === 'ObjectGone'), {
      what: 'StopPod ObjectGone',
    });
  });

  it('answers Recheck and Refresh from what the API server has', async () => {
    const ns = await namespace();
    await apply(pod(ns, 'asked'));
    const { uid } = await bound(ns, 'asked');
    await sent(uid);
    const unknown = '11111111-2222-4333-8444-555555555555';

    await controlPlane.say({ kind: 'Command', name: 'Recheck', at: new Date().toISOString(), uids: [unknown, uid] });

    await eventually(() => controlPlane.stops(unknown)[0]?.reason === 'Absent', {
      what: 'StopPod Absent for a UID nobody has',
    });
    await eventually(() => controlPlane.runs(uid).length === 2, { what: 'a second RunPod' });

    await controlPlane.say({ kind: 'Command', name: 'Refresh', at: new Date().toISOString(), uids: [uid] });

    await eventually(() => controlPlane.runs(uid).length === 3, { what: 'a third RunPod' });
    expect(controlPlane.stops(uid)).toEqual([]);
  });
});

describe('status', () => {
  it('writes status, annotations and label, leaves conditions of others, and ignores what is older', async () => {
    const ns = await namespace();
    await apply(pod(ns, 'shown'));
    const { uid } = await bound(ns, 'shown');
    const event = {
      id: 'ev-1',
      type: 'Normal' as const,
      reason: 'Started',
      message: 'container group eci-1 runs',
      at: new Date().toISOString(),
    };
    const message = runningStatus(ns, 'shown', uid, { events: [event] });

    await controlPlane.say(message);

    const shown = await eventually(
      async () => {
        const found = await json(['get', 'pod', 'shown', '-n', ns]);
        return found.status.phase === 'Running' && found;
      },
      { what: 'the pod is Running' },
    );
    expect(shown.status.podIP).toBe('10.1.2.3');
    expect(shown.status.conditions.map((c: { type: string }) => c.type)).toContain('PodScheduled');
    expect(shown.metadata.annotations['k8s.aliyun.com/eci-instance-id']).toBe('eci-1');
    expect(shown.metadata.labels['serverless.alibabacloud.com/virtual-node']).toBe('true');

    await controlPlane.say({ ...message, revision: message.revision - 1, status: { phase: 'Pending' } });
    await controlPlane.say(
      runningStatus(ns, 'shown', uid, {
        events: [{ ...event, count: 3 }],
        annotations: { 'k8s.aliyun.com/eci-vpc': 'vpc-1' },
      }),
    );

    await eventually(
      async () =>
        (await json(['get', 'pod', 'shown', '-n', ns])).metadata.annotations['k8s.aliyun.com/eci-vpc'] === 'vpc-1',
      { what: 'the newer status is written' },
    );
    expect((await json(['get', 'pod', 'shown', '-n', ns])).status.phase).toBe('Running');
    await eventually(
      async () => {
        const started = (await eventsOf(ns, 'shown')).filter((e) => e.reason === 'Started');
        return started.length === 1 && started[0]!.count === 3;
      },
      { what: 'one event, counted three times' },
    );
  });

  it('changes the IP and takes back what no longer holds', async () => {
    const ns = await namespace();
    await apply(pod(ns, 'moved'));
    const { uid } = await bound(ns, 'moved');
    const first = runningStatus(ns, 'moved', uid);
    await controlPlane.say({ ...first, status: { ...first.status, reason: 'Before', message: 'before' } });
    await eventually(async () => (await json(['get', 'pod', 'moved', '-n', ns])).status.reason === 'Before', {
      what: 'the first status',
    });

    const second = runningStatus(ns, 'moved', uid);
    const conditions = (second.status!.conditions as { type: string }[]).filter((c) => c.type !== 'Initialized');
    await controlPlane.say({
      ...second,
      status: { ...second.status, podIP: '10.1.2.9', podIPs: [{ ip: '10.1.2.9' }], conditions },
    });

    const status = await eventually(
      async () => {
        const found = await json(['get', 'pod', 'moved', '-n', ns]);
        return found.status.podIP === '10.1.2.9' && found.status;
      },
      { what: 'the second status' },
    );
    expect(status.podIPs).toEqual([{ ip: '10.1.2.9' }]);
    expect(status.reason).toBeUndefined();
    expect(status.message).toBeUndefined();
    expect(status.conditions.map((c: { type: string }) => c.type)).not.toContain('Initialized');
  });

  it('removes a pod only when it is being deleted and the control plane says so', async () => {
    const ns = await namespace();
    await apply(pod(ns, 'done'));
    const { uid } = await bound(ns, 'done');
    await controlPlane.say(runningStatus(ns, 'done', uid, { finalize: true }));
    await eventually(async () => (await json(['get', 'pod', 'done', '-n', ns])).status.phase === 'Running', {
      what: 'Running',
    });

    await rig.cluster.kubectl(['delete', 'pod', 'done', '-n', ns, '--wait=false']);

    await eventually(
      async () => (await rig.cluster.api.ask('GET', `/api/v1/namespaces/${ns}/pods/done`)).status === 404,
      {
        what: 'the pod object is gone',
      },
    );
  });

  it('leaves a pod that is being deleted until its group is gone', async () => {
    const ns = await namespace();
    await apply(pod(ns, 'held'));
    const { uid } = await bound(ns, 'held');
    await controlPlane.say(runningStatus(ns, 'held', uid));
    await eventually(async () => (await json(['get', 'pod', 'held', '-n', ns])).status.phase === 'Running', {
      what: 'Running',
    });
    await rig.cluster.kubectl(['delete', 'pod', 'held', '-n', ns, '--wait=false']);
    await controlPlane.say(runningStatus(ns, 'held', uid, { annotations: { 'k8s.aliyun.com/eci-vpc': 'vpc-2' } }));
    await eventually(
      async () =>
        (await json(['get', 'pod', 'held', '-n', ns])).metadata.annotations['k8s.aliyun.com/eci-vpc'] === 'vpc-2',
      { what: 'a later status without finalize is written' },
    );
    expect((await json(['get', 'pod', 'held', '-n', ns])).metadata.deletionTimestamp).toBeDefined();

    await controlPlane.say(runningStatus(ns, 'held', uid, { finalize: true }));

    await eventually(
      async () => (await rig.cluster.api.ask('GET', `/api/v1/namespaces/${ns}/pods/held`)).status === 404,
      {
        what: 'the pod object is gone',
      },
    );
  });

  it('sets a pod ready again that the cluster had set to not ready', async () => {
    const ns = await namespace();
    await apply(pod(ns, 'lost'));
    const { uid } = await bound(ns, 'lost');
    await controlPlane.say(runningStatus(ns, 'lost', uid));
    const ready = async (): Promise<string | undefined> =>
      ((await json(['get', 'pod', 'lost', '-n', ns])).status.conditions as { type: string; status: string }[]).find(
        (c) => c.type === 'Ready',
      )?.status;
    await eventually(async () => (await ready()) === 'True', { what: 'the pod is ready' });
    const conditions = (await json(['get', 'pod', 'lost', '-n', ns])).status.conditions as { type: string }[];

    await rig.cluster.api.call('PATCH', `/api/v1/namespaces/${ns}/pods/lost/status`, {
      status: { conditions: conditions.map((c) => (c.type === 'Ready' ? { ...c, status: 'False' } : c)) },
    });

    await eventually(async () => (await ready()) === 'True', { what: 'the pod is ready again' });
  });
});

describe('a restart, and another agent', () => {
  it('goes on with the same key, and asks for nothing that it has', async () => {
    const ns = await namespace();
    await apply(pod(ns, 'kept'));
    const { uid } = await bound(ns, 'kept');
    const message = runningStatus(ns, 'kept', uid);
    await controlPlane.say(message);
    await eventually(async () => (await json(['get', 'pod', 'kept', '-n', ns])).status.phase === 'Running', {
      what: 'Running',
    });
    await agent!.stop();
    const version = (await json(['get', 'pod', 'kept', '-n', ns])).metadata.resourceVersion as string;
    const before = controlPlane.intents.length;

    agent = await startAgent(
      { ...config, joinToken: undefined },
      { messaging: controlPlane.messaging, logger: silentLogger },
    );

    const inventory = await eventually(
      () =>
        controlPlane.intents
          .slice(before)
          .find(({ body }) => body.kind === 'Inventory' && body.pods.some((p) => p.revision === message.revision)),
      { what: 'an inventory that knows the revision written before', deadlineMs: 20_000 },
    );
    expect(inventory.epoch).toBe(2);
    await eventually(() => controlPlane.runs(uid).length === 2, { what: 'the pod is sent once more' });
    expect(controlPlane.joins).toBe(1);
    expect((await json(['get', 'pod', 'kept', '-n', ns])).metadata.resourceVersion).toBe(version);
  });

  it('shows that the control plane is away and stays ready', async () => {
    await agent!.stop();
    controlPlane.renewAfterSeconds = 1;
    agent = await startAgent(config, { messaging: controlPlane.messaging, logger: silentLogger });
    await eventually(() => agent!.health().status === 'ok', { what: 'a session', deadlineMs: 20_000 });

    controlPlane.refuse({ status: 503, type: 'about:blank' });

    const conditions = async (): Promise<Record<string, string>> =>
      Object.fromEntries(
        ((await json(['get', 'node', NODE])).status.conditions as { type: string; status: string }[]).map((c) => [
          c.type,
          c.status,
        ]),
      );
    await eventually(async () => (await conditions()).ControlPlaneReachable === 'False', {
      what: 'the node says that the control plane is away',
      deadlineMs: 20_000,
    });
    expect((await conditions()).Ready).toBe('True');

    controlPlane.refuse(undefined);

    await eventually(async () => (await conditions()).ControlPlaneReachable === 'True', {
      what: 'it is back',
      deadlineMs: 40_000,
    });
  });

  it('stops everything when a newer agent has the session, and says so', async () => {
    controlPlane.supersede();

    await eventually(() => agent!.health().status === 'superseded', { what: 'the agent knows', deadlineMs: 20_000 });
    await eventually(
      async () =>
        (
          (await json(['get', 'events', '-n', 'default', '--field-selector', `involvedObject.name=${NODE}`])).items as {
            reason: string;
          }[]
        ).some((e) => e.reason === 'AgentSuperseded'),
      { what: 'an event on the node' },
    );
    const health = (await (await fetch(`${agent!.healthUrl}/healthz`)).json()) as {
      status: string;
      session: { state: string };
    };
    expect(health).toMatchObject({ status: 'superseded', session: { state: 'superseded' } });
    const metrics = await (await fetch(`${agent!.healthUrl}/metrics`)).text();
    expect(metrics).toContain('eci_fleet_agent_intents_total');
    expect(SESSION_PROBLEMS.superseded).toContain('superseded');
  });
});

describe('the manifests', () => {
  it('are taken by the API server as they are', async () => {
    const { stdout } = await rig.cluster.kubectl(['kustomize', MANIFESTS]);
    await rig.cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], { input: stdout });

    const settings = parse(await readFile(join(MANIFESTS, 'settings.yaml'), 'utf8')) as {
      data: Record<string, string>;
    };
    expect(() => loadAgentConfig(settings.data)).not.toThrow();
  });
});
