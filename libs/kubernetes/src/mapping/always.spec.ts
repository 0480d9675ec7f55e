import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { immutableSpecOf, podFactsOf } from './immutable-spec.ts';
import { mapPod } from './map-pod.ts';
import { inputOf, nginxContainer, tokenVolume } from '../../spec/pod-samples.ts';

const CANARY = 'canary-7f3a';

/** A pod that uses most of what is mapped, its secrets marked. */
const rich = () =>
  structuredClone(
    inputOf(
      {
        containers: [
          nginxContainer({
            command: ['sh'],
            args: ['-c', '$(PASSWORD)'],
            env: [
              { name: 'PLAIN', value: '' },
              { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
              { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '0' } } },
              { name: 'IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } },
            ],
            envFrom: [{ prefix: 'DB_', secretRef: { name: 'db' } }],
            ports: [{ name: 'web', containerPort: 80, protocol: 'TCP' }],
            resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1', memory: '1Gi' } },
            livenessProbe: { httpGet: { path: '/', port: 'web', scheme: 'HTTP' }, periodSeconds: 10 },
            startupProbe: { exec: { command: ['up'] } },
            lifecycle: { preStop: { exec: { command: ['bye'] } } },
            securityContext: { runAsUser: 1, capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } },
          }),
        ],
        initContainers: [nginxContainer({ name: 'init' })],
        volumes: [
          tokenVolume,
          { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } },
          { name: 'db', secret: { secretName: 'db', items: [{ key: 'password', path: 'p' }] } },
          { name: 'nas', nfs: { server: 's', path: '/' } },
        ],
        imagePullSecrets: [{ name: 'pull' }],
        securityContext: { fsGroup: 1, sysctls: [{ name: 'net.core.somaxconn', value: '1' }] },
        dnsConfig: { nameservers: ['1.1.1.1'], options: [{ name: 'ndots', value: '2' }] },
        hostAliases: [{ ip: '1.1.1.1', hostnames: ['a'] }],
      },
      {
        sealed: {
          env: { 'containers/nginx/0': CANARY },
          secrets: {
            db: { type: 'Opaque', data: { password: Buffer.from(CANARY).toString('base64') } },
            pull: {
              type: 'kubernetes.io/dockerconfigjson',
              data: {
                '.dockerconfigjson': Buffer.from(
                  JSON.stringify({ auths: { 'r.example': { username: 'u', password: CANARY } } }),
                ).toString('base64'),
              },
            },
          },
          pullSecrets: ['pull'],
          tokens: { 'kube-api-access-x7k2p/token': CANARY },
        },
      },
    ),
  );

type Path = readonly (string | number)[];

/** Every place in a JSON value; `objects` only those that hold named fields (not maps of free keys). */
function places(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, item]) =>
      places(item, [...path, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}
const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string | number, unknown>)[key] : undefined,
    value,
  );
const FREE_KEYS = new Set(['limits', 'requests']);
const IGNORED = new Set(['tolerations']);

const spec = rich().pod.spec;
const anywhere = places(spec).filter((path) => path.length > 0);
const objectsWithFields = places(spec).filter((path) => {
  const value = at(spec, path);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && !FREE_KEYS.has(String(path.at(-1))) && !path.some((key) => IGNORED.has(String(key)));
});

const asText = (path: Path): string =>
  path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${key}`), 'spec');

describe('mapping, always', () => {
  it('the rich pod of these tests is mapped', () => {
    expect(mapPod(rich()).ok).toBe(true);
  });

  it('finds an unknown field anywhere in the spec and names its path', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...objectsWithFields),
        fc.stringMatching(/^[a-z][a-zA-Z]{3,12}X$/),
        fc.jsonValue(),
        (path, name, value) => {
          fc.pre(value !== null);
          const input = rich();
          (at(input.pod.spec, path) as Record<string, unknown>)[name] = value;
          const result = mapPod(input);
          expect(result).toMatchObject({ ok: false, field: `${asText(path)}.${name}` });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('takes any JSON in any place without throwing, and tells no secret', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...anywhere), fc.jsonValue()), { minLength: 1, maxLength: 3 }),
        (changes) => {
          const input = rich();
          for (const [path, value] of changes) {
            const parent = at(input.pod.spec, path.slice(0, -1)) as Record<string | number, unknown> | undefined;
            if (typeof parent === 'object' && parent !== null) parent[path.at(-1)!] = value;
            else break;
          }
          const result = mapPod(input);
          immutableSpecOf(input.pod);
          podFactsOf(input.pod);
          const told = result.ok ? result.ignored : [result];
          for (const { field, reason } of told) expect(`${field} ${reason}`).not.toContain(CANARY);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('takes any JSON as a pod', () => {
    const json = fc.dictionary(
      fc.constantFrom('containers', 'volumes', 'labels', 'annotations', '__proto__', 'constructor', 'x'),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(json, json, (pod, metadata) => {
        const input = inputOf();
        mapPod({ ...input, pod: { ...input.pod, spec: pod, metadata } });
      }),
    );
  });

  it('gives the same answer twice', () => {
    expect(JSON.stringify(mapPod(rich()))).toBe(JSON.stringify(mapPod(rich())));
  });
});

describe('what a pod may never change', () => {
  const specOf = (container: Record<string, unknown>) =>
    immutableSpecOf(inputOf({ containers: [nginxContainer(container)] }).pod);

  it('is its images and resources, whatever the order of keys', () => {
    const before = specOf({ resources: { limits: { cpu: '1', memory: '1Gi' } } });
    expect(specOf({ resources: { limits: { memory: '1Gi', cpu: '1' } } })).toEqual(before);
    const after = specOf({ image: 'nginx:2', resources: { limits: { cpu: '2', memory: '1Gi' } } });
    expect(Object.keys(after).filter((field) => after[field] !== before[field])).toEqual([
      'spec.containers[0].image',
      'spec.containers[0].resources',
    ]);
    expect(before['spec.containers[0].image']).toMatch(/^[0-9a-f]{64}$/);
  });
});
