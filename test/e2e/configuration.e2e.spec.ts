import { eventually } from '#libs/testing';
import { describe, expect, it } from 'vitest';
import { useFleet } from './support/fleet.ts';
import type { KubernetesObject } from './support/pods.ts';

const fleet = useFleet({ simulator: { ledgerSecrets: true } });
const kubectl = (...args: string[]): Promise<string> => fleet.pods.kubectl(...args);

function pod(name: string, spec: Record<string, unknown>, annotations: Record<string, string> = {}): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { 'alibabacloud.com/eci': 'true', tier: 'front' }, annotations },
    spec: { terminationGracePeriodSeconds: 1, ...spec },
  };
}

const nginx = { name: 'main', image: 'nginx' };

/** What a group's environment and files were, by the parameters of the create that the cloud received. */
function received(parameters: Readonly<Record<string, string>>): {
  env: Record<string, string>;
  files: Record<string, string>;
  modes: Record<string, string | undefined>;
} {
  const env: Record<string, string> = {};
  const files: Record<string, string> = {};
  const modes: Record<string, string | undefined> = {};
  for (const [key, value] of Object.entries(parameters)) {
    const variable = /^(Container\.1\.EnvironmentVar\.\d+)\.Key$/.exec(key)?.[1];
    if (variable !== undefined)
      env[value] = parameters[`${variable}.Value`] ?? `field ${parameters[`${variable}.FieldRef.FieldPath`]}`;
    const [, volume, file] = /^(Volume\.\d+)\.(ConfigFileVolume\.ConfigFileToPath\.\d+)\.Path$/.exec(key) ?? [];
    if (volume === undefined) continue;
    const path = `${parameters[`${volume}.Name`]}/${value}`;
    files[path] = Buffer.from(parameters[`${volume}.${file}.Content`] ?? '', 'base64').toString('utf8');
    modes[path] = parameters[`${volume}.${file}.Mode`];
  }
  return { env, files, modes };
}

/** Nothing was made, and everybody who asks is told why. */
async function expectRefused(
  name: string,
  { reason, field }: { reason: RegExp; field?: string },
): Promise<KubernetesObject> {
  const { metadata, status } = await fleet.pods.until(
    name,
    'says why',
    (found) => found.status.reason === 'ProviderFailed',
  );
  expect(status.message).toMatch(reason);
  const event = await fleet.pods.untilEvent(name, 'PodRejected');
  expect(event).toMatchObject({ type: 'Warning', message: expect.stringMatching(reason) });
  const events = await fleet.untilHistory(metadata.uid, 'PodRejected');
  const { data } = events.find(({ type }) => type === 'PodRejected')!;
  expect(data.reason).toMatch(reason);
  if (field !== undefined) expect(data.field).toBe(field);
  const shown = await fleet.api.get(`/container-groups/${encodeURIComponent(`${fleet.clusterId}/${metadata.uid}`)}`);
  expect(shown).toMatchObject({ life: 'rejected', message: expect.stringMatching(reason) });
  expect(await fleet.simulator.groupsOf(metadata.uid)).toEqual([]);
  return { metadata, status };
}

describe('what a pod is configured by', () => {
  it('waits for a ConfigMap that is missing, says so, and starts when it appears', async () => {
    // given a pod that names a ConfigMap nobody has made
    await fleet.pods.apply(pod('early', { containers: [{ ...nginx, envFrom: [{ configMapRef: { name: 'late' } }] }] }));
    const event = await fleet.pods.untilEvent('early', 'MandatoryConfigMapNotFound');
    expect(event).toMatchObject({ type: 'Warning', message: expect.stringContaining('late') });
    const { metadata, status } = await fleet.pods.get('early');
    expect(status.phase).toBe('Pending');
    expect(await fleet.simulator.groupsOf(metadata.uid)).toEqual([]);

    // when it appears
    await kubectl('create', 'configmap', 'late', '--from-literal=GREETING=hello');

    // then the pod starts by itself, with what is in it
    await fleet.pods.untilPhase('early', 'Running');
    const [create] = await fleet.simulator.createsOf(metadata.uid);
    expect(received(create!.parameters).env).toMatchObject({ GREETING: 'hello' });
  });

  it('brings ConfigMaps, Secrets, fields and tokens into the container group exactly', async () => {
    // given a pod that uses every way to be told something
    await fleet.pods.apply(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'settings' },
        data: { LEVEL: 'debug', 'app.conf': 'a = 1\nb = "ü"\n' },
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'keys' },
        stringData: { PASSWORD: 'p&ss=%wörd', 'id.pem': '-----BEGIN-----\n+/=\n' },
      },
      pod('told', {
        volumes: [
          {
            name: 'conf',
            configMap: { name: 'settings', items: [{ key: 'app.conf', path: 'etc/app.conf', mode: 0o400 }] },
          },
          { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o440 } },
          { name: 'scratch', emptyDir: {} },
          { name: 'gone', configMap: { name: 'not-there', optional: true } },
          {
            name: 'all',
            projected: {
              sources: [
                { configMap: { name: 'settings', items: [{ key: 'LEVEL', path: 'level' }] } },
                { secret: { name: 'keys', items: [{ key: 'PASSWORD', path: 'password' }] } },
                { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
              ],
            },
          },
        ],
        containers: [
          {
            ...nginx,
            command: ['nginx'],
            args: ['-g', 'daemon $(MODE);'],
            env: [
              { name: 'MODE', value: 'off' },
              { name: 'GREETING', value: 'mode is $(MODE), not $$(MODE)' },
              { name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'LEVEL' } } },
              { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'keys', key: 'PASSWORD' } } },
              { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
              { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
              { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            ],
            envFrom: [{ prefix: 'S_', configMapRef: { name: 'settings' } }],
            volumeMounts: ['conf', 'keys', 'scratch', 'gone', 'all'].map((name) => ({ name, mountPath: `/${name}` })),
          },
        ],
      }),
    );

    // when it runs
    const { metadata } = await fleet.pods.untilPhase('told', 'Running');

    // then the cloud was told exactly that
    const [create, ...others] = await fleet.simulator.createsOf(metadata.uid);
    expect(others).toEqual([]);
    const { env, files, modes } = received(create!.parameters);
    expect(env).toMatchObject({
      MODE: 'off',
      GREETING: 'mode is off, not $(MODE)',
      LEVEL: 'debug',
      SECRET: 'p&ss=%wörd',
      POD: 'told',
      NODE: 'virtual-kubelet',
      IP: 'field status.podIP',
      S_LEVEL: 'debug',
      KUBERNETES_SERVICE_HOST: '10.96.0.1',
    });
    expect(create!.parameters['Container.1.Arg.2']).toBe('daemon off;');
    expect(files).toMatchObject({
      'conf/etc/app.conf': 'a = 1\nb = "ü"\n',
      'keys/PASSWORD': 'p&ss=%wörd',
      'keys/id.pem': '-----BEGIN-----\n+/=\n',
      'all/level': 'debug',
      'all/password': 'p&ss=%wörd',
      'all/labels': expect.stringMatching(/^alibabacloud\.com\/eci="true"\ntier="front"\n/),
    });
    expect(Number(modes['conf/etc/app.conf'])).toBe(0o400);
    expect(Object.keys(files).filter((path) => path.startsWith('gone/'))).toEqual([]);

    // and the token that the API server puts into every pod is one of this pod
    const token = Object.entries(files).find(([path]) => path.endsWith('/token'))![1];
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8'));
    expect(claims['kubernetes.io'].pod).toEqual({ name: 'told', uid: metadata.uid });
    expect(Object.keys(files).some((path) => path.endsWith('/ca.crt'))).toBe(true);
  });

  it('refuses a field that ECI cannot give, and says which', async () => {
    await fleet.pods.apply(pod('host', { hostNetwork: true, restartPolicy: 'Never', containers: [nginx] }));

    const { status } = await expectRefused('host', { reason: /host network/, field: 'spec.hostNetwork' });

    // A pod that is never restarted has failed; one of a ReplicaSet would wait (it would be replaced without end).
    expect(status.phase).toBe('Failed');
    expect(await kubectl('describe', 'pod', 'host')).toContain('spec.hostNetwork');
    await kubectl('delete', 'pod', 'host', '--wait=true', '--timeout=30s');
  });
});

describe('settings that are wrong', () => {
  it('refuses a pod whose profile names an unknown vSwitch', async () => {
    // given a profile with a slip of the pen
    await fleet.pods.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'eci-profile', namespace: 'kube-system' },
      data: { vSwitchIds: 'vsw-none' },
    });
    // when a pod is made under it, then it is refused with what the cloud said
    await eventually(
      async () => {
        const name = `astray-${Date.now()}`;
        await fleet.pods.apply(pod(name, { restartPolicy: 'Never', containers: [nginx] }));
        const found = await fleet.pods.until(name, 'has a phase', ({ status }) => status.phase !== 'Pending');
        if (found.status.phase !== 'Failed') return false;
        await expectRefused(name, { reason: /vsw-none|InvalidVSwitchId/ });
        return true;
      },
      { what: 'the profile is in force', deadlineMs: 60_000 },
    );
    await fleet.untilLogged(/InvalidVSwitchId\.NotFound/);

    // and new pods run again once it is put right
    await kubectl('delete', 'configmap', 'eci-profile', '-n', 'kube-system');
    await eventually(
      async () => {
        const name = `found-${Date.now()}`;
        await fleet.pods.apply(pod(name, { restartPolicy: 'Never', containers: [nginx] }));
        const found = await fleet.pods.until(name, 'has a phase', ({ status }) => status.phase !== 'Pending');
        return found.status.phase === 'Running';
      },
      { what: 'the profile is in force no longer', deadlineMs: 60_000 },
    );
  });

  it('parks pods while the AccessKey is refused, says so everywhere, and goes on with a good one', async () => {
    // given an AccessKey that the cloud no longer knows
    await fleet.simulator.control('DELETE', '/credentials/LTAI-eci-simulator');

    // when a pod is made
    await fleet.pods.apply(pod('locked-out', { containers: [nginx] }));

    // then pod, API and log say what is wrong, and nothing was created
    const { metadata, status } = await fleet.pods.until('locked-out', 'says why', (found) =>
      found.status.conditions?.some(
        (condition: { type: string; reason?: string }) =>
          condition.type === 'ContainerInstanceCreated' && condition.reason === 'Unauthorized',
      ),
    );
    expect(status.phase).toBe('Pending');
    expect((await fleet.pods.untilEvent('locked-out', 'Unauthorized')).message).toContain(
      'InvalidAccessKeyId.NotFound',
    );
    const shown = await fleet.api.get(`/container-groups/${encodeURIComponent(`${fleet.clusterId}/${metadata.uid}`)}`);
    expect(shown).toMatchObject({ life: 'parked', parked: { gate: { kind: 'account', class: 'AUTH' } } });
    const account = await eventually(
      async () => {
        const found = await fleet.api.get('/accounts/default');
        return found.auth.state === 'refused' && found;
      },
      { what: 'the account shows that its key was refused' },
    );
    expect(account.auth.message).toContain('InvalidAccessKeyId.NotFound');
    await fleet.untilLogged(/InvalidAccessKeyId\.NotFound/);
    expect(await fleet.simulator.groupsOf(metadata.uid)).toEqual([]);

    // when the key is known again, then the pod starts by itself
    await fleet.simulator.control('POST', '/credentials', {
      accessKeyId: 'LTAI-eci-simulator',
      accessKeySecret: 'eci-simulator-secret',
    });
    await fleet.pods.untilPhase('locked-out', 'Running', { deadlineMs: 120_000 });
    expect(await fleet.simulator.groupsOf(metadata.uid)).toHaveLength(1);
  });

  it('refuses pods for a region that does not exist', async () => {
    await fleet.replaceAgent({ ECI_REGION: 'cn-nowhere' });

    await fleet.pods.apply(pod('nowhere', { restartPolicy: 'Never', containers: [nginx] }));

    await expectRefused('nowhere', { reason: /cn-nowhere|[Rr]egion/ });
    await fleet.untilLogged(/cn-nowhere/);
  });
});
