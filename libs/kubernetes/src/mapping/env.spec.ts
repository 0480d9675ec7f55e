import { describe, expect, it } from 'vitest';
import { mapPod } from './map-pod.ts';
import { inputOf, nginxContainer } from '../../spec/pod-samples.ts';

const sealed = {
  configMaps: {
    'kube-root-ca.crt': { data: { 'ca.crt': 'CERT' }, binaryData: {} },
    settings: { data: { color: 'green', 'app.properties': 'x=1', size: 'L' }, binaryData: {} },
  },
  secrets: {
    db: { type: 'Opaque', data: { password: Buffer.from('pa$$(word)').toString('base64'), user: 'cm9vdA==' } },
  },
  env: {} as Record<string, string>,
};

/** The env of one container, its values sealed as an agent seals them. */
function envOf(
  container: Record<string, unknown>,
  over: { serviceEnv?: Record<string, string>; annotations?: Record<string, string> } = {},
) {
  const env = ((container['env'] as { name: string; value?: string }[] | undefined) ?? []).map((entry) => ({
    ...entry,
  }));
  const values: Record<string, string> = {};
  env.forEach((entry, index) => {
    if (entry.value === undefined) return;
    values[`containers/nginx/${index}`] = entry.value;
    entry.value = '';
  });
  const result = mapPod(
    inputOf(
      { containers: [nginxContainer({ ...container, env })] },
      {
        sealed: { ...sealed, env: values },
        resolved: { serviceEnv: over.serviceEnv ?? {} },
        metadata: { annotations: over.annotations ?? {}, labels: { app: 'nginx', 'x/y': 'z' } },
      },
    ),
  );
  if (!result.ok) return { refused: `${result.field}: ${result.reason}` };
  const [first] = result.spec.containers;
  return {
    env: Object.fromEntries(
      first!.env.map((entry) => [entry.name, 'value' in entry ? entry.value : `<${entry.fieldPath}>`]),
    ),
    order: first!.env.map(({ name }) => name),
    command: first!.command,
    args: first!.args,
    ignored: result.ignored,
  };
}

describe('env', () => {
  it('takes values, ConfigMap and Secret keys, fields and resources', () => {
    const { env } = envOf(
      {
        resources: { limits: { cpu: '1500m', memory: '1Gi' }, requests: { cpu: '1500m', memory: '512Mi' } },
        env: [
          { name: 'PLAIN', value: 'v' },
          { name: 'EMPTY' },
          { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
          { name: 'USER', valueFrom: { secretKeyRef: { name: 'db', key: 'user' } } },
          { name: 'POD', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
          { name: 'NS', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
          { name: 'POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
          { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['x/y']" } } },
          { name: 'NOTE', valueFrom: { fieldRef: { fieldPath: "metadata.annotations['note']" } } },
          { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
          { name: 'ACCOUNT', valueFrom: { fieldRef: { fieldPath: 'spec.serviceAccountName' } } },
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'CPUS', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '0' } } },
          { name: 'MILLI', valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } } },
          { name: 'MEM', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          {
            name: 'MEM_REQ',
            valueFrom: { resourceFieldRef: { containerName: 'nginx', resource: 'requests.memory', divisor: '0' } },
          },
        ],
      },
      { annotations: { note: 'n' } },
    );
    expect(env).toEqual({
      PLAIN: 'v',
      EMPTY: '',
      COLOR: 'green',
      USER: 'root',
      POD: 'nginx',
      NS: 'shop',
      POD_UID: '6f2c9f8e-3a55-4f0e-9a0e-1d2b3c4d5e6f',
      LABEL: 'z',
      NOTE: 'n',
      NODE: 'virtual-kubelet',
      ACCOUNT: 'default',
      IP: '<status.podIP>',
      CPUS: '2',
      MILLI: '1500',
      MEM: '1024',
      MEM_REQ: '536870912',
    });
  });

  it('is ordered and overridden as in Kubernetes: service variables, envFrom, env; the last one wins', () => {
    const { env, order, ignored } = envOf(
      {
        envFrom: [
          { configMapRef: { name: 'settings' } },
          { prefix: 'DB_', secretRef: { name: 'db' } },
          { configMapRef: { name: 'absent', optional: true } },
        ],
        env: [
          { name: 'size', value: 'XL' },
          { name: 'WEB_SERVICE_HOST', value: 'mine' },
          { name: 'size', value: '$(size)L' },
        ],
      },
      { serviceEnv: { WEB_SERVICE_PORT: '80', WEB_SERVICE_HOST: '10.0.0.1' } },
    );
    expect(env).toEqual({
      WEB_SERVICE_HOST: 'mine',
      WEB_SERVICE_PORT: '80',
      color: 'green',
      size: 'XLL',
      DB_password: 'pa$$(word)',
      DB_user: 'root',
    });
    expect(order?.slice(0, 2)).toEqual(['WEB_SERVICE_HOST', 'WEB_SERVICE_PORT']);
    expect(ignored).toEqual([
      {
        field: 'spec.containers[0].envFrom[0].configMapRef',
        reason: 'the key app.properties cannot be the name of a variable on ECI',
        warning: 'InvalidEnvironmentVariableNames',
      },
    ]);
  });

  it('expands only what stands before, and only values', () => {
    const { env, command, args } = envOf(
      {
        env: [
          { name: 'LATE', value: '$(LATER)' },
          { name: 'LATER', value: 'x' },
          { name: 'USES', value: '$(LATER)-$(WEB_SERVICE_PORT)-$$(LATER)' },
          { name: 'RAW', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
        ],
        command: ['sh', '-c', 'echo $(USES) $(UNSET) $$(A) $HOME'],
        args: ['$(RAW)'],
      },
      { serviceEnv: { WEB_SERVICE_PORT: '80' } },
    );
    expect(env).toMatchObject({ LATE: '$(LATER)', USES: 'x-80-$(LATER)', RAW: 'pa$$(word)' });
    expect(command).toEqual(['sh', '-c', 'echo x-80-$(LATER) $(UNSET) $(A) $HOME']);
    expect(args).toEqual(['pa$$(word)']);
  });

  it.each([
    {
      what: 'an address that is not known yet',
      container: {
        env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
        args: ['--ip', '$(IP)'],
      },
      refused: 'spec.containers[0].args[1]: needs the pod’s address',
    },
    {
      what: 'a field that only a host could tell',
      container: { env: [{ name: 'H', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } }] },
      refused: 'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: is not known before',
    },
    {
      what: 'a limit that is not stated',
      container: { env: [{ name: 'M', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } }] },
      refused: 'spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: the container states no limit',
    },
    {
      what: 'a Secret that is not there',
      container: { env: [{ name: 'S', valueFrom: { secretKeyRef: { name: 'nope', key: 'k' } } }] },
      refused: 'spec.containers[0].env[0].valueFrom.secretKeyRef: Secret nope is not there; create it',
    },
    {
      what: 'a key that is not there',
      container: { env: [{ name: 'S', valueFrom: { configMapKeyRef: { name: 'settings', key: 'constructor' } } }] },
      refused: 'spec.containers[0].env[0].valueFrom.configMapKeyRef: ConfigMap settings has no key constructor; add it',
    },
    {
      what: 'a mandatory ConfigMap of envFrom that is not there',
      container: { envFrom: [{ configMapRef: { name: 'nope' } }] },
      refused: 'spec.containers[0].envFrom[0].configMapRef: ConfigMap nope is not there; create it',
    },
    {
      what: 'a name that ECI does not take',
      container: { env: [{ name: 'a.b', value: 'x' }] },
      refused: 'spec.containers[0].env[0].name: must be letters',
    },
    {
      what: 'too long a value',
      container: { env: [{ name: 'LONG', value: `canary-${'x'.repeat(300)}` }] },
      refused: 'spec.containers[0].env: the value of LONG is longer than the 256 characters',
    },
  ])('refuses $what', ({ container, refused }) => {
    const result = envOf(container);
    expect(result.refused).toContain(refused);
    expect(result.refused).not.toContain('canary');
  });

  it('leaves out an optional key that is not there', () => {
    const { env } = envOf({
      env: [{ name: 'S', valueFrom: { secretKeyRef: { name: 'nope', key: 'k', optional: true } } }],
    });
    expect(env).toEqual({});
  });

  it('moves what does not fit into a command to the head of args', () => {
    const script = 'x'.repeat(257);
    expect(envOf({ command: ['sh', '-c', script], args: ['a'] })).toMatchObject({
      command: ['sh', '-c'],
      args: [script, 'a'],
    });
    const many = Array.from({ length: 25 }, (_, index) => `i${index}`);
    const { command, args } = envOf({ command: many });
    expect([...command!, ...args!]).toEqual(many);
    expect(command).toHaveLength(20);
  });
});
