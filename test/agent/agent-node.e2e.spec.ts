import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Inventory } from '#libs/contracts';
import { eventually } from '#libs/testing';
import { loadAgentConfig } from '../../services/agent/src/config.ts';
import { AgentWorld, MANIFESTS, NODE, podOf, type Json } from './agent-world.ts';

const world = new AgentWorld();
// A node that is given up soon, for the test of that.
beforeAll(() => world.start({ nodeMonitorGraceSeconds: 20 }));
afterAll(() => world.stop());

describe('the virtual node', () => {
  it('looks like the node users know', async () => {
    const node = await world.json(['get', 'node', NODE]);

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
    const node = await world.json(['get', 'node', NODE]);

    const lease = await eventually(
      async () => {
        const found = await world.json(['get', 'lease', NODE, '-n', 'kube-node-lease']);
        return found.metadata.ownerReferences?.[0]?.uid === node.metadata.uid && found;
      },
      { what: 'the lease has the node as its owner', deadlineMs: 20_000 },
    );

    expect(lease.spec).toMatchObject({ holderIdentity: NODE, leaseDurationSeconds: 40 });
  });

  it('comes back within seconds when somebody deletes it', async () => {
    const before = (await world.json(['get', 'node', NODE])).metadata.uid as string;

    await world.cluster.kubectl(['delete', 'node', NODE]);

    const after = await eventually(
      async () => {
        const { status, body } = await world.cluster.api.ask('GET', `/api/v1/nodes/${NODE}`);
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
    await world.cluster.kubectl(['label', 'node', NODE, 'team=burst', 'type-']);

    await eventually(
      async () => {
        const { metadata } = await world.json(['get', 'node', NODE]);
        return metadata.labels.type === 'virtual-kubelet' && metadata.labels.team === 'burst';
      },
      { what: 'its own label is back and the other one stays', deadlineMs: 20_000 },
    );
  });
});

describe('the session', () => {
  it('keeps the key in a Secret and joins once', async () => {
    const secret = await world.json(['get', 'secret', 'eci-fleet-agent', '-n', 'eci-fleet']);

    expect(Object.keys(secret.data).sort()).toEqual(['audience', 'cluster-id', 'private-key.jwk']);
    expect(Buffer.from(secret.data['cluster-id'] as string, 'base64').toString()).toBe(world.controlPlane.clusterId);
    expect(world.controlPlane.joins).toBe(1);
    expect(world.controlPlane.faults).toEqual([]);
  });

  it('sends an inventory at start', async () => {
    const inventory = await eventually(() => world.controlPlane.inventories()[0], { what: 'an inventory' });

    expect(inventory).toMatchObject({ chunk: 0, chunks: 1 });
  });
});

describe('the steering webhook', () => {
  it('sends a labelled pod to the virtual node', async () => {
    const ns = await world.namespace();

    await world.cluster.kubectl(['run', 'steered', '-n', ns, '--image', 'nginx', '-l', 'alibabacloud.com/eci=true']);

    const { spec } = await world.bound(ns, 'steered');
    expect(spec.nodeSelector).toEqual({ type: 'virtual-kubelet' });
    expect(spec.tolerations).toContainEqual({
      key: 'virtual-kubelet.io/provider',
      operator: 'Equal',
      value: 'alibabacloud',
      effect: 'NoSchedule',
    });
  });

  it('sends every pod of a labelled namespace, but not one that says no', async () => {
    const ns = await world.namespace({ 'alibabacloud.com/eci': 'true' });

    await world.cluster.kubectl(['run', 'inside', '-n', ns, '--image', 'nginx']);
    await world.cluster.kubectl(['run', 'outside', '-n', ns, '--image', 'nginx', '-l', 'alibabacloud.com/eci=false']);

    await world.bound(ns, 'inside');
    expect((await world.getPod(ns, 'outside')).spec.nodeSelector).toBeUndefined();
  });

  it('follows the selectors and settings of the eci-profile, and refuses a faulty one with an event', async () => {
    const ns = await world.namespace({ team: 'data' });
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

    await world.apply(profile({ vSwitchIds: 'vsw-x', selectors }));
    await eventually(
      async () =>
        (await world.json(['get', 'mutatingwebhookconfiguration', `eci-fleet-${NODE}`])).webhooks.length === 6,
      { what: 'the selector is registered', deadlineMs: 15_000 },
    );
    await eventually(
      async () => {
        await world.cluster.kubectl(['delete', 'pod', 'nightly', '-n', ns, '--ignore-not-found', '--force']);
        await world.apply(podOf(ns, 'nightly', {}, { labels: { tier: 'batch' } }));
        return (await world.getPod(ns, 'nightly')).metadata.labels['cost-center'] === 'batch';
      },
      { what: 'a pod is chosen by the selector', deadlineMs: 15_000, everyMs: 500 },
    );
    const { uid, metadata } = await world.bound(ns, 'nightly');
    expect(metadata.annotations).toMatchObject({ 'k8s.aliyun.com/eci-use-specs': '2-4Gi' });
    expect((await world.sent(uid)).body.resolved.profile).toMatchObject({
      vSwitchIds: ['vsw-x'],
      securityGroupId: 'sg-1',
    });

    await world.apply(profile({ vSwitchIds: 'vsw-y', selectors: '{"not":"an array"}' }));

    await eventually(
      async () =>
        (
          (
            await world.json([
              'get',
              'events',
              '-n',
              'kube-system',
              '--field-selector',
              'involvedObject.name=eci-profile',
            ])
          ).items as {
            reason: string;
          }[]
        ).some((e) => e.reason === 'InvalidEciProfile'),
      { what: 'an event on the ConfigMap' },
    );
    await world.apply(podOf(ns, 'later'));
    const later = await world.bound(ns, 'later');
    expect((await world.sent(later.uid)).body.resolved.profile.vSwitchIds).toEqual(['vsw-x']);
    await world.cluster.kubectl(['delete', 'configmap', 'eci-profile', '-n', 'kube-system']);
  });
});

describe('the manifests', () => {
  it('are taken by the API server as they are', async () => {
    const { stdout } = await world.cluster.kubectl(['kustomize', MANIFESTS]);
    await world.cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], { input: stdout });

    const settings = parse(await readFile(join(MANIFESTS, 'settings.yaml'), 'utf8')) as {
      data: Record<string, string>;
    };
    expect(() => loadAgentConfig({ ...settings.data, KUBERNETES_SERVICE_HOST: '10.96.0.1' })).not.toThrow();
  });
});

const conditionsOf = (object: Json): Record<string, string> =>
  Object.fromEntries((object.status.conditions as { type: string; status: string }[]).map((c) => [c.type, c.status]));
const nodeConditions = async (): Promise<Record<string, string>> =>
  conditionsOf(await world.json(['get', 'node', NODE]));

describe('a restart, an outage, and another agent', () => {
  it('goes on with the same key, and asks for nothing that it has', async () => {
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'kept'));
    const { uid } = await world.bound(ns, 'kept');
    const message = world.runningStatus(ns, 'kept', uid);
    await world.controlPlane.say(message);
    await eventually(async () => (await world.getPod(ns, 'kept')).status.phase === 'Running', { what: 'Running' });
    await world.agent.stop();
    const version = (await world.getPod(ns, 'kept')).metadata.resourceVersion as string;
    const before = world.controlPlane.intents.length;

    await world.startAgent({ joinToken: undefined });

    // The very first one: a revision that it lacked would be published once more, and so would those of all other pods.
    const inventory = await eventually(
      () => world.controlPlane.intents.slice(before).find(({ body }) => body.kind === 'Inventory'),
      { what: 'an inventory', deadlineMs: 40_000 },
    );
    expect((inventory.body as Inventory).pods.find((pod) => pod.uid === uid)?.revision).toBe(message.revision);
    expect(inventory.epoch).toBe(2);
    await eventually(() => world.controlPlane.runs(uid).length === 2, { what: 'the pod is sent once more' });
    expect(world.controlPlane.joins).toBe(1);
    expect((await world.getPod(ns, 'kept')).metadata.resourceVersion).toBe(version);
  });

  it('makes node and pods ready again after the node was given up', async () => {
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'survivor'));
    const { uid } = await world.bound(ns, 'survivor');
    await world.controlPlane.say(world.runningStatus(ns, 'survivor', uid));
    const ready = async (): Promise<string | undefined> => conditionsOf(await world.getPod(ns, 'survivor')).Ready;
    await eventually(async () => (await ready()) === 'True', { what: 'the pod is ready' });

    await world.agent.stop();

    await eventually(async () => (await nodeConditions()).Ready === 'Unknown' && (await ready()) === 'False', {
      what: 'the node is given up and its pod is not ready',
      deadlineMs: 90_000,
      everyMs: 500,
    });
    await world.startAgent();

    await eventually(async () => (await nodeConditions()).Ready === 'True' && (await ready()) === 'True', {
      what: 'node and pod are ready again',
      deadlineMs: 30_000,
      everyMs: 200,
    });
    expect(world.controlPlane.stops(uid)).toEqual([]);
  });

  it('goes on after the API server was killed, and finds what changed meanwhile', async () => {
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'before'));
    const { uid } = await world.bound(ns, 'before');
    await world.sent(uid);

    await world.rig.apiServer.kill9();
    await world.rig.apiServer.start();
    await eventually(
      async () => {
        await world.apply(podOf(ns, 'after'));
        return true;
      },
      { what: 'the API server takes pods again', deadlineMs: 30_000, everyMs: 500 },
    );

    const after = await world.bound(ns, 'after');
    await world.sent(after.uid);
    // Nothing is called deleted, and nothing sent twice, for want of an answer.
    expect(world.controlPlane.stops(uid)).toEqual([]);
    expect(world.controlPlane.runs(uid)).toHaveLength(1);
    await world.cluster.kubectl(['delete', 'pod', 'before', '-n', ns, '--force', '--grace-period=0']);
    await eventually(() => world.controlPlane.stops(uid).length > 0, { what: 'a StopPod' });
  });

  it('shows that the control plane is away, and stays ready', async () => {
    await world.agent.stop();
    world.controlPlane.renewAfterSeconds = 1;
    await world.startAgent();

    world.controlPlane.refuse({ status: 503, type: 'about:blank' });

    await eventually(async () => (await nodeConditions()).ControlPlaneReachable === 'False', {
      what: 'the node says that the control plane is away',
      deadlineMs: 20_000,
    });
    expect((await nodeConditions()).Ready).toBe('True');

    world.controlPlane.refuse(undefined);

    await eventually(async () => (await nodeConditions()).ControlPlaneReachable === 'True', {
      what: 'it is back',
      deadlineMs: 40_000,
    });
  });

  it('stops everything when a newer agent has the session, and says so', async () => {
    world.controlPlane.supersede();

    await eventually(() => world.agent.health().status === 'superseded', {
      what: 'the agent knows',
      deadlineMs: 20_000,
    });
    await eventually(async () => (await world.eventsOf('default', NODE)).some((e) => e.reason === 'AgentSuperseded'), {
      what: 'an event on the node',
    });
    const health = (await (await fetch(`${world.agent.healthUrl}/healthz`)).json()) as Json;
    expect(health).toMatchObject({ status: 'superseded', session: { state: 'superseded' } });
    expect(await (await fetch(`${world.agent.healthUrl}/metrics`)).text()).toContain('eci_fleet_agent_intents_total');
    // Whatever is sent from now on is of the newer agent alone.
    const old = world.agent;
    await world.startAgent();
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'shared'));
    const { uid } = await world.bound(ns, 'shared');
    await world.sent(uid);
    await world.cluster.kubectl(['delete', 'pod', 'shared', '-n', ns, '--force', '--grace-period=0']);
    await eventually(() => world.controlPlane.stops(uid).some((s) => s.reason === 'ObjectGone'), {
      what: 'ObjectGone',
    });
    expect(old.health().status).toBe('superseded');
    expect(world.controlPlane.runs(uid)).toHaveLength(1);
    expect(world.controlPlane.stops(uid).filter((s) => s.reason === 'ObjectGone')).toHaveLength(1);
    await old.stop();
  });
});
