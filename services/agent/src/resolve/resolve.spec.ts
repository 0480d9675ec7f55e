import { describe, expect, it } from 'vitest';
import type { PodObject } from '#libs/kubernetes';
import { contentsOf } from './contents.ts';
import { referencesOf } from './references.ts';
import { serviceEnvOf } from './service-env.ts';
import { isClearAnnotation, splitPod } from './split.ts';

const podOf = (spec: Record<string, unknown>, metadata: Record<string, unknown> = {}): PodObject => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u', ...metadata },
  spec: { containers: [], ...spec },
});

describe('contents of what a pod names', () => {
  it('are found whatever they are called', () => {
    const reference = {
      kind: 'ConfigMap',
      name: 'constructor',
      optional: false,
      key: '__proto__',
      use: 'value',
    } as const;
    const data = JSON.parse('{"__proto__":"v"}') as Record<string, string>;
    const object = { metadata: { name: 'constructor' }, data };

    const { configMaps, missing } = contentsOf([reference], [{ kind: 'ConfigMap', name: 'constructor', object }]);

    expect(missing).toEqual([]);
    expect(JSON.stringify(configMaps)).toBe('{"constructor":{"data":{"__proto__":"v"},"binaryData":{}}}');
  });
});

describe('references of a pod', () => {
  it('finds every place that names a ConfigMap, a Secret or a token', () => {
    const pod = podOf({
      initContainers: [{ name: 'i', envFrom: [{ secretRef: { name: 's1', optional: true } }] }],
      containers: [
        {
          name: 'c',
          envFrom: [{ configMapRef: { name: 'm1' } }],
          env: [
            { name: 'A', valueFrom: { configMapKeyRef: { name: 'm2', key: 'k' } } },
            { name: 'B', valueFrom: { secretKeyRef: { name: 's2', key: 'k', optional: true } } },
            { name: 'C', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          ],
        },
      ],
      volumes: [
        { name: 'v1', configMap: { name: 'm3', items: [{ key: 'x', path: 'y' }] } },
        { name: 'v2', secret: { secretName: 's3' } },
        {
          name: 'v3',
          projected: {
            sources: [
              { configMap: { name: 'm4' } },
              { secret: { name: 's4', optional: true } },
              { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
              { serviceAccountToken: { path: 'vault', audience: 'vault', expirationSeconds: 900 } },
            ],
          },
        },
      ],
      imagePullSecrets: [{ name: 'r1' }, {}],
    });

    const { objects, tokens, pullSecrets } = referencesOf(pod);

    expect(objects.map((o) => `${o.kind} ${o.name} ${o.key}${o.optional ? ' optional' : ''}`)).toEqual([
      'Secret s1 all optional',
      'ConfigMap m1 all',
      'ConfigMap m2 k',
      'Secret s2 k optional',
      'ConfigMap m3 x',
      'Secret s3 all',
      'ConfigMap m4 all',
      'Secret s4 all optional',
      'Secret r1 all optional',
    ]);
    expect(tokens).toEqual([
      { path: 'v3/token', expirationSeconds: 3607 },
      { path: 'v3/vault', audience: 'vault', expirationSeconds: 900 },
    ]);
    expect(pullSecrets).toEqual(['r1']);
  });

  it('survives anything that is not what it should be', () => {
    expect(referencesOf(podOf({ containers: [null, 3, { env: 'no' }], volumes: { a: 1 } }))).toEqual({
      objects: [],
      tokens: [],
      pullSecrets: [],
    });
  });
});

describe('contents', () => {
  const reference = { kind: 'Secret', name: 's', optional: false, use: 'value' } as const;
  const secret = { metadata: { name: 's' }, type: 'Opaque', data: { a: 'QQ==', b: 'Qg==' } };

  it('takes the keys that are named and leaves the others in the cluster', () => {
    const { secrets, missing } = contentsOf(
      [{ ...reference, key: 'a' }],
      [{ kind: 'Secret', name: 's', object: secret }],
    );

    expect(secrets).toEqual({ s: { type: 'Opaque', data: { a: 'QQ==' } } });
    expect(missing).toEqual([]);
  });

  it.each([
    [{ ...reference, key: 'a' as const }, undefined, 'MandatorySecretNotFound', true],
    [{ ...reference, key: 'a' as const, optional: true }, undefined, 'OptionalSecretNotFound', false],
    [{ ...reference, key: 'zz' as const }, secret, 'MandatorySecretKeyNotFound', true],
    [{ ...reference, key: 'zz' as const, optional: true }, secret, 'OptionalSecretKeyNotFound', false],
    [
      { ...reference, key: 'all' as const, optional: true, use: 'pull' as const },
      undefined,
      'FailedToRetrieveImagePullSecret',
      false,
    ],
  ])('says what is missing (%#)', (asked, object, reason, mandatory) => {
    const { missing } = contentsOf([asked], [{ kind: 'Secret', name: 's', object }]);

    expect(missing).toMatchObject([{ reason, mandatory }]);
  });

  it('says it once, however many fields name it', () => {
    const asked = { ...reference, kind: 'ConfigMap', key: 'all' } as const;

    expect(contentsOf([asked, asked], []).missing).toHaveLength(1);
  });

  it('is not led astray by names of object members', () => {
    const { missing } = contentsOf(
      [{ ...reference, key: 'constructor' }],
      [{ kind: 'Secret', name: 's', object: secret }],
    );

    expect(missing).toMatchObject([{ reason: 'MandatorySecretKeyNotFound' }]);
  });
});

describe('splitting a pod', () => {
  const pod = podOf(
    {
      containers: [
        {
          name: 'app',
          command: ['run'],
          env: [
            { name: 'A', value: 'canary-1' },
            { name: 'B', valueFrom: {} },
            { name: 'C', value: 'canary-2' },
          ],
          livenessProbe: { httpGet: { port: 80, httpHeaders: [{ name: 'Authorization', value: 'canary-3' }] } },
          lifecycle: { preStop: { httpGet: { port: 80, httpHeaders: [{ name: 'X', value: 'canary-4' }] } } },
        },
      ],
      ephemeralContainers: [{ name: 'debug', env: [{ name: 'D', value: 'canary-5' }] }],
      volumes: [
        { name: 'oss', flexVolume: { driver: 'alicloud/oss', options: { bucket: 'b', akSecret: 'canary-6' } } },
        { name: 'csi', csi: { driver: 'x', volumeAttributes: { password: 'canary-7' } } },
      ],
    },
    {
      managedFields: ['canary-8'],
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': 'canary-9',
        'example.com/secret': 'canary-10',
        plain: 'canary-11',
        'k8s.aliyun.com/eci-use-specs': '2-4Gi',
        'kubernetes.io/ingress-bandwidth': '40M',
      },
    },
  );

  it('lets no value through that may be secret', () => {
    const { metadata, spec } = splitPod(pod);

    expect(JSON.stringify({ metadata, spec })).not.toContain('canary');
    expect(metadata.annotations).toEqual({
      'example.com/secret': null,
      plain: null,
      'k8s.aliyun.com/eci-use-specs': '2-4Gi',
      'kubernetes.io/ingress-bandwidth': '40M',
    });
  });

  it('seals what the mapping needs, by place', () => {
    const { env, annotations } = splitPod(pod);

    expect(env).toEqual({
      'containers/app/0': 'canary-1',
      'containers/app/2': 'canary-2',
      'ephemeralContainers/debug/0': 'canary-5',
    });
    expect(annotations).toEqual({ 'example.com/secret': 'canary-10', plain: 'canary-11' });
  });

  it('leaves the pod itself as it was', () => {
    const before = structuredClone(pod);

    splitPod(pod);

    expect(pod).toEqual(before);
  });

  it.each([
    ['k8s.aliyun.com/eci-vswitch', true],
    ['alibabacloud.com/burst-resource', true],
    ['scheduler.alpha.kubernetes.io/x', true],
    ['evil-kubernetes.io/x', false],
    ['kubernetes.io.example.com/x', false],
    ['none', false],
  ])('knows the family of %s', (name, clear) => {
    expect(isClearAnnotation(name)).toBe(clear);
  });
});

describe('variables of services', () => {
  const service = (name: string, spec: Record<string, unknown>) => ({ metadata: { name }, spec });

  it('makes the variables a kubelet makes', () => {
    const env = serviceEnvOf(
      [
        service('my-db', {
          clusterIP: '10.0.0.9',
          ports: [
            { name: 'sql-port', port: 5432 },
            { port: 53, protocol: 'UDP' },
          ],
        }),
      ],
      service('kubernetes', { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, protocol: 'TCP' }] }),
      true,
    );

    expect(env).toMatchObject({
      KUBERNETES_SERVICE_HOST: '10.96.0.1',
      KUBERNETES_PORT_443_TCP_ADDR: '10.96.0.1',
      MY_DB_SERVICE_HOST: '10.0.0.9',
      MY_DB_SERVICE_PORT: '5432',
      MY_DB_SERVICE_PORT_SQL_PORT: '5432',
      MY_DB_PORT: 'tcp://10.0.0.9:5432',
      MY_DB_PORT_53_UDP: 'udp://10.0.0.9:53',
      MY_DB_PORT_53_UDP_PROTO: 'udp',
    });
  });

  it('leaves out headless services, and all but the API server without service links', () => {
    const headless = service('peers', { clusterIP: 'None', ports: [{ port: 1 }] });
    const own = service('own', { clusterIP: '10.0.0.1', ports: [{ port: 1 }] });

    expect(serviceEnvOf([headless], undefined, true)).toEqual({});
    expect(serviceEnvOf([own], undefined, false)).toEqual({});
  });
});
