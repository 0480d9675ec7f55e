import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#libs/testing';
import { AgentWorld, podOf, type Json } from './agent-world.ts';

const world = new AgentWorld();
beforeAll(() => world.start());
afterAll(() => world.stop());

describe('intents', () => {
  it('resolves what the pod names, and seals what is secret', async () => {
    const ns = await world.namespace();
    await world.cluster.kubectl([
      'create',
      'configmap',
      'settings',
      '-n',
      ns,
      '--from-literal=mode=fast',
      '--from-literal=unused=1',
    ]);
    await world.cluster.kubectl([
      'create',
      'secret',
      'generic',
      'login',
      '-n',
      ns,
      '--from-literal=password=canary-secret',
    ]);

    await world.apply(
      podOf(
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

    const { uid } = await world.bound(ns, 'resolved');
    const { body, sealed } = await world.sent(uid);
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
    const ns = await world.namespace();

    await world.apply(podOf(ns, 'identified'));

    const { uid } = await world.bound(ns, 'identified');
    const { body, sealed } = await world.sent(uid);
    const [token] = body.resolved.tokens;
    const life = Date.parse(token!.expiresAt) - Date.parse(token!.issuedAt);
    expect(Math.round(life / 86_400_000)).toBe(365);
    const claims = JSON.parse(Buffer.from(sealed.tokens[token!.path]!.split('.')[1]!, 'base64url').toString()) as Json;
    expect(claims['kubernetes.io'].pod.uid).toBe(uid);
  });

  it('waits for a ConfigMap, says so, and starts by itself when it appears', async () => {
    const ns = await world.namespace();

    await world.apply(
      podOf(ns, 'waiting', {
        containers: [{ name: 'app', image: 'nginx', envFrom: [{ configMapRef: { name: 'later' } }] }],
      }),
    );

    const { uid } = await world.bound(ns, 'waiting');
    await eventually(
      async () => (await world.eventsOf(ns, 'waiting')).some((e) => e.reason === 'MandatoryConfigMapNotFound'),
      {
        what: 'an event names the missing ConfigMap',
        deadlineMs: 15_000,
      },
    );
    await world.controlPlane.say({ kind: 'Command', name: 'SendInventory', at: new Date().toISOString() });
    await eventually(
      () =>
        world.controlPlane
          .inventories()
          .some((i) => i.pods.some((p) => p.uid === uid && p.waitingFor?.includes('later'))),
      { what: 'the inventory says what the pod waits for' },
    );
    expect(world.controlPlane.runs(uid)).toEqual([]);

    await world.cluster.kubectl(['create', 'configmap', 'later', '-n', ns, '--from-literal=a=b']);

    expect((await world.sent(uid)).sealed.configMaps.later).toEqual({ data: { a: 'b' }, binaryData: {} });
  });

  it('sends a stop with the grace period when a pod is deleted, and once more when the object is gone', async () => {
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'ended', { terminationGracePeriodSeconds: 7 }));
    const { uid } = await world.bound(ns, 'ended');
    await world.sent(uid);

    await world.cluster.kubectl(['delete', 'pod', 'ended', '-n', ns, '--wait=false']);

    const stop = await eventually(() => world.controlPlane.stops(uid)[0], { what: 'a StopPod' });
    expect(stop).toMatchObject({ reason: 'Deleted', graceSeconds: 7, namespace: ns, name: 'ended' });

    await world.cluster.kubectl(['delete', 'pod', 'ended', '-n', ns, '--force', '--grace-period=0']);

    await eventually(() => world.controlPlane.stops(uid).some((s) => s.reason === 'ObjectGone'), {
      what: 'StopPod ObjectGone',
    });
  });

  it('answers Recheck and Refresh from what the API server has', async () => {
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'asked'));
    const { uid } = await world.bound(ns, 'asked');
    await world.sent(uid);
    const unknown = '11111111-2222-4333-8444-555555555555';

    await world.controlPlane.say({
      kind: 'Command',
      name: 'Recheck',
      at: new Date().toISOString(),
      uids: [unknown, uid],
    });

    await eventually(() => world.controlPlane.stops(unknown)[0]?.reason === 'Absent', {
      what: 'StopPod Absent for a UID nobody has',
    });
    await eventually(() => world.controlPlane.runs(uid).length === 2, { what: 'a second RunPod' });

    await world.controlPlane.say({ kind: 'Command', name: 'Refresh', at: new Date().toISOString(), uids: [uid] });

    await eventually(() => world.controlPlane.runs(uid).length === 3, { what: 'a third RunPod' });
    expect(world.controlPlane.stops(uid)).toEqual([]);
  });
});

describe('status', () => {
  it('writes status, annotations and label, leaves conditions of others, and ignores what is older', async () => {
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'shown'));
    const { uid } = await world.bound(ns, 'shown');
    const event = {
      id: 'ev-1',
      type: 'Normal' as const,
      reason: 'Started',
      message: 'container group eci-1 runs',
      at: new Date().toISOString(),
    };
    const message = world.runningStatus(ns, 'shown', uid, { events: [event] });

    await world.controlPlane.say(message);

    const shown = await eventually(
      async () => {
        const found = await world.getPod(ns, 'shown');
        return found.status.phase === 'Running' && found;
      },
      { what: 'the pod is Running' },
    );
    expect(shown.status.podIP).toBe('10.1.2.3');
    expect(shown.status.conditions.map((c: { type: string }) => c.type)).toContain('PodScheduled');
    expect(shown.metadata.annotations['k8s.aliyun.com/eci-instance-id']).toBe('eci-1');
    expect(shown.metadata.labels['serverless.alibabacloud.com/virtual-node']).toBe('true');

    await world.controlPlane.say({ ...message, revision: message.revision - 1, status: { phase: 'Pending' } });
    await world.controlPlane.say(
      world.runningStatus(ns, 'shown', uid, {
        events: [{ ...event, count: 3 }],
        annotations: { 'k8s.aliyun.com/eci-vpc': 'vpc-1' },
      }),
    );

    await eventually(
      async () => (await world.getPod(ns, 'shown')).metadata.annotations['k8s.aliyun.com/eci-vpc'] === 'vpc-1',
      { what: 'the newer status is written' },
    );
    expect((await world.getPod(ns, 'shown')).status.phase).toBe('Running');
    await eventually(
      async () => {
        const started = (await world.eventsOf(ns, 'shown')).filter((e) => e.reason === 'Started');
        return started.length === 1 && started[0]!.count === 3;
      },
      { what: 'one event, counted three times' },
    );
  });

  it('changes the IP and takes back what no longer holds', async () => {
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'moved'));
    const { uid } = await world.bound(ns, 'moved');
    const first = world.runningStatus(ns, 'moved', uid);
    await world.controlPlane.say({ ...first, status: { ...first.status, reason: 'Before', message: 'before' } });
    await eventually(async () => (await world.getPod(ns, 'moved')).status.reason === 'Before', {
      what: 'the first status',
    });

    const second = world.runningStatus(ns, 'moved', uid);
    const conditions = (second.status!.conditions as { type: string }[]).filter((c) => c.type !== 'Initialized');
    await world.controlPlane.say({
      ...second,
      status: { ...second.status, podIP: '10.1.2.9', podIPs: [{ ip: '10.1.2.9' }], conditions },
    });

    const status = await eventually(
      async () => {
        const found = await world.getPod(ns, 'moved');
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
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'done'));
    const { uid } = await world.bound(ns, 'done');
    await world.controlPlane.say(world.runningStatus(ns, 'done', uid, { finalize: true }));
    await eventually(async () => (await world.getPod(ns, 'done')).status.phase === 'Running', {
      what: 'Running',
    });

    await world.cluster.kubectl(['delete', 'pod', 'done', '-n', ns, '--wait=false']);

    await world.gone(ns, 'done');
  });

  it('leaves a pod that is being deleted until its group is gone', async () => {
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'held'));
    const { uid } = await world.bound(ns, 'held');
    await world.controlPlane.say(world.runningStatus(ns, 'held', uid));
    await eventually(async () => (await world.getPod(ns, 'held')).status.phase === 'Running', {
      what: 'Running',
    });
    await world.cluster.kubectl(['delete', 'pod', 'held', '-n', ns, '--wait=false']);
    await world.controlPlane.say(
      world.runningStatus(ns, 'held', uid, { annotations: { 'k8s.aliyun.com/eci-vpc': 'vpc-2' } }),
    );
    await eventually(
      async () => (await world.getPod(ns, 'held')).metadata.annotations['k8s.aliyun.com/eci-vpc'] === 'vpc-2',
      { what: 'a later status without finalize is written' },
    );
    expect((await world.getPod(ns, 'held')).metadata.deletionTimestamp).toBeDefined();

    await world.controlPlane.say(world.runningStatus(ns, 'held', uid, { finalize: true }));

    await world.gone(ns, 'held');
  });

  it('sets a pod ready again that the cluster had set to not ready', async () => {
    const ns = await world.namespace();
    await world.apply(podOf(ns, 'lost'));
    const { uid } = await world.bound(ns, 'lost');
    await world.controlPlane.say(world.runningStatus(ns, 'lost', uid));
    const ready = async (): Promise<string | undefined> =>
      ((await world.getPod(ns, 'lost')).status.conditions as { type: string; status: string }[]).find(
        (c) => c.type === 'Ready',
      )?.status;
    await eventually(async () => (await ready()) === 'True', { what: 'the pod is ready' });
    const conditions = (await world.getPod(ns, 'lost')).status.conditions as { type: string }[];

    await world.cluster.api.call('PATCH', `/api/v1/namespaces/${ns}/pods/lost/status`, {
      status: { conditions: conditions.map((c) => (c.type === 'Ready' ? { ...c, status: 'False' } : c)) },
    });

    await eventually(async () => (await ready()) === 'True', { what: 'the pod is ready again' });
  });
});
