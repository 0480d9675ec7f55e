import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStorable, unstorablePlace } from '#libs/contracts';
import { mapPod, type MapPodInput } from './map-pod.ts';
import { inputOf, mapped, nginxContainer, refusalOf } from '../../spec/pod-samples.ts';

const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64');
const bad = fc.constantFrom('a\0b', '\0', '\ud83d', 'x\udc00');

/** A pod in which text stands everywhere. */
const rich = (): MapPodInput =>
  structuredClone(
    inputOf(
      {
        containers: [
          nginxContainer({
            command: ['sh'],
            args: ['-c', 'true'],
            env: [
              { name: 'PLAIN', value: '' },
              { name: 'REF', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
            ],
            livenessProbe: { httpGet: { path: '/live', port: 80 } },
          }),
        ],
      },
      {
        metadata: { labels: { app: 'a' }, annotations: { 'k8s.aliyun.com/eci-spot-strategy': 'NoSpot' } },
        sealed: {
          env: { 'containers/nginx/0': 'value' },
          annotations: { 'example.com/note': 'text' },
          secrets: { s: { type: 'Opaque', data: { k: base64('v') } } },
        },
      },
    ),
  );

/** Places of texts in any JSON. */
function texts(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value === 'string') return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    texts(item, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function put(root: unknown, path: readonly (string | number)[], value: unknown): void {
  const parent = path.slice(0, -1).reduce((at, key) => (at as Record<string | number, unknown>)[key], root);
  (parent as Record<string | number, unknown>)[path.at(-1)!] = value;
}

describe('text that cannot be kept', () => {
  it('refuses the pod by the path where it stands, anywhere in its spec', () => {
    fc.assert(
      fc.property(fc.constantFrom(...texts(rich().pod.spec)), bad, (path, value) => {
        const input = rich();
        put(input.pod.spec, path, value);
        const result = mapPod(input);
        const field = path.reduce<string>(
          (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${key}`),
          'spec',
        );
        expect(result).toMatchObject({ ok: false, field });
        expect(unstorablePlace(result)).toBeUndefined();
      }),
    );
  });

  it('refuses the pod wherever else it says something, by a path and in words that can be kept', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('labels', 'annotations', 'sealed annotations', 'variables', 'a key', 'the profile'),
        bad,
        (where, value) => {
          const input = rich();
          if (where === 'labels') put(input.pod.metadata, ['labels', 'app'], value);
          if (where === 'annotations')
            put(input.pod.metadata, ['annotations', 'k8s.aliyun.com/eci-spot-strategy'], value);
          if (where === 'sealed annotations') put(input.sealed, ['annotations', 'example.com/note'], value);
          if (where === 'variables') put(input.sealed, ['env', 'containers/nginx/0'], value);
          if (where === 'a key') put(input.pod.metadata, ['labels', value], 'x');
          if (where === 'the profile') put(input.resolved, ['profile', 'vSwitchIds', 0], value);
          const result = mapPod(input);
          expect(result.ok).toBe(false);
          expect(unstorablePlace(result)).toBeUndefined();
        },
      ),
    );
  });

  it('names the variable that holds it', () => {
    const input = rich();
    put(input.sealed, ['env', 'containers/nginx/0'], 'a\0b');
    expect(refusalOf(input)).toMatch(/^spec\.containers\[0\]\.env\[0\]\.value: holds U\+0000/);
  });
});

describe('values of ConfigMaps and Secrets', () => {
  const inVariable = (secret: string, over: Record<string, unknown> = {}): MapPodInput =>
    inputOf(
      {
        containers: [
          nginxContainer({ env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }], ...over }),
        ],
      },
      { sealed: { secrets: { s: { type: 'Opaque', data: { k: secret } } } } },
    );
  const path = 'spec.containers[0].env[0].valueFrom.secretKeyRef';

  it('become a variable as they are, or not at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const text = Buffer.from(bytes).toString('utf8');
        const same = Buffer.from(text, 'utf8').equals(bytes) && isStorable(text);
        const result = mapPod(inVariable(base64(bytes)));
        if (!same) expect(result).toMatchObject({ ok: false, field: path });
        else expect(mapped(result).spec.containers[0]!.env).toContainEqual({ name: 'P', value: text });
      }),
      {
        examples: [[Uint8Array.from([0xff, 0xfe, 0, 0x41, 6])], [Uint8Array.from([0xef, 0xbb, 0xbf, 0x41])]],
        numRuns: 300,
      },
    );
  });

  it('are refused by the place of envFrom that brings them', () => {
    const input = inVariable(base64(Uint8Array.from([0xff])), { env: [], envFrom: [{ secretRef: { name: 's' } }] });
    expect(refusalOf(input)).toMatch(/^spec\.containers\[0\]\.envFrom\[0\]\.secretRef: the value is not UTF-8/);
    const config = inputOf(
      { containers: [nginxContainer({ envFrom: [{ configMapRef: { name: 'c' } }] })] },
      { sealed: { configMaps: { c: { data: { k: 'a\0' }, binaryData: {} } } } },
    );
    expect(
      refusalOf({
        ...config,
        sealed: {
          ...config.sealed,
          tokens: { 'kube-api-access-x7k2p/token': 'T' },
          configMaps: { ...config.sealed.configMaps, 'kube-root-ca.crt': { data: { 'ca.crt': 'C' }, binaryData: {} } },
        },
      }),
    ).toMatch(/^spec\.containers\[0\]\.envFrom\[0\]\.configMapRef: holds U\+0000/);
  });

  it('never bring a name that cannot be kept, whichever of their keys it is', () => {
    const where = ['configMaps', 'binaryData', 'secrets', 'type', 'pullSecrets'] as const;
    fc.assert(
      fc.property(fc.constantFrom(...where), bad, fc.boolean(), (place, text, asFiles) => {
        const input = inputOf(
          {
            containers: [
              nginxContainer(
                asFiles
                  ? { volumeMounts: ['c', 's'].map((name) => ({ name, mountPath: `/${name}` })) }
                  : { envFrom: [{ configMapRef: { name: 'c' } }, { secretRef: { name: 's' } }] },
              ),
            ],
            volumes: [
              { name: 'c', configMap: { name: 'c' } },
              { name: 's', secret: { secretName: 's' } },
            ],
          },
          {
            sealed: {
              configMaps: {
                c: {
                  data: place === 'configMaps' ? { [text]: 'v' } : {},
                  binaryData: place === 'binaryData' ? { [text]: base64('v') } : {},
                },
              },
              secrets: {
                s: {
                  type: place === 'type' ? text : 'Opaque',
                  data: place === 'secrets' ? { [text]: base64('v') } : {},
                },
              },
              pullSecrets: place === 'pullSecrets' ? [text] : [],
            },
          },
        );
        const result = mapPod(input);
        expect(unstorablePlace(result)).toBeUndefined();
        if (asFiles && (place === 'configMaps' || place === 'secrets'))
          expect(result).toMatchObject({
            ok: false,
            field: `spec.volumes[${place === 'secrets' ? 1 : 0}].${place === 'secrets' ? 'secret' : 'configMap'}`,
          });
      }),
    );
  });

  it('are refused as files when their text has no bytes of its own', () => {
    const input = inputOf(
      {
        containers: [nginxContainer({ volumeMounts: [{ name: 'c', mountPath: '/c' }] })],
        volumes: [{ name: 'c', configMap: { name: 'c' } }],
      },
      { sealed: { configMaps: { c: { data: { k: 'a\ud800' }, binaryData: {} } } } },
    );
    expect(refusalOf(input)).toMatch(/^spec\.volumes\[0\]\.configMap: holds /);
  });

  it('keep their bytes as files', () => {
    const bytes = base64(Uint8Array.from([0xff, 0xfe, 0, 0x41]));
    const input = inputOf(
      {
        containers: [nginxContainer({ volumeMounts: [{ name: 's', mountPath: '/s' }] })],
        volumes: [{ name: 's', secret: { secretName: 's' } }],
      },
      { sealed: { secrets: { s: { type: 'Opaque', data: { k: bytes } } } } },
    );
    expect(mapped(mapPod(input)).spec.volumes).toMatchObject([{ files: [{ path: 'k', content: bytes }] }]);
  });
});
