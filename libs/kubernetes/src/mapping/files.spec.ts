import { describe, expect, it } from 'vitest';
import { mapPod } from './map-pod.ts';
import { base64, inputOf, mapped, nginxContainer, refusalOf, tokenVolume } from '../../spec/pod-samples.ts';

describe('volumes', () => {
  const volumes = (list: object[], mounts: object[] = [], spec: object = {}) =>
    inputOf(
      {
        volumes: [tokenVolume, ...list],
        containers: [nginxContainer({ volumeMounts: mounts, env: [{ name: 'DIR', value: '' }] })],
        ...spec,
      },
      {
        sealed: {
          env: { 'containers/nginx/0': 'data' },
          configMaps: {
            'kube-root-ca.crt': { data: { 'ca.crt': 'CERT' }, binaryData: {} },
            conf: { data: { b: '2', a: '1' }, binaryData: { bin: 'AAE=' } },
            large: { data: { big: 'x'.repeat(32 * 1024 + 1) }, binaryData: {} },
            many: { data: Object.fromEntries(Array.from({ length: 91 }, (_, n) => [`k${n}`, ''])), binaryData: {} },
          },
          secrets: { tls: { type: 'Opaque', data: { key: base64('K') } } },
        },
      },
    );
  const only = (input: Parameters<typeof mapPod>[0]) => mapped(mapPod(input)).spec.volumes.slice(1);

  it('take ConfigMaps and Secrets with items, modes and optional ones', () => {
    expect(
      only(
        volumes([
          { name: 'all', configMap: { name: 'conf', defaultMode: 420 } },
          {
            name: 'some',
            configMap: { name: 'conf', defaultMode: 256, items: [{ key: 'a', path: 'sub/a.conf', mode: 511 }] },
          },
          { name: 'tls', secret: { secretName: 'tls', defaultMode: 256 } },
          { name: 'maybe', secret: { secretName: 'nope', optional: true } },
          { name: 'key', configMap: { name: 'conf', optional: true, items: [{ key: 'nope', path: 'x' }] } },
        ]),
      ),
    ).toEqual([
      {
        kind: 'files',
        name: 'all',
        defaultMode: 420,
        files: [
          { path: 'a', content: base64('1') },
          { path: 'b', content: base64('2') },
          { path: 'bin', content: 'AAE=' },
        ],
      },
      {
        kind: 'files',
        name: 'some',
        defaultMode: 256,
        files: [{ path: 'sub/a.conf', content: base64('1'), mode: 511 }],
      },
      { kind: 'files', name: 'tls', defaultMode: 256, files: [{ path: 'key', content: base64('K') }] },
      { kind: 'files', name: 'maybe', defaultMode: 420, files: [] },
      { kind: 'files', name: 'key', defaultMode: 420, files: [] },
    ]);
  });

  it('let every user of the pod read files when the pod has an fsGroup', () => {
    const [secret] = only(
      volumes([{ name: 'tls', secret: { secretName: 'tls', defaultMode: 256 } }], [], {
        securityContext: { fsGroup: 1 },
      }),
    );
    expect(secret).toMatchObject({ defaultMode: 0o444 });
  });

  it('take the downward API, empty directories and nfs', () => {
    expect(
      only(
        volumes([
          {
            name: 'info',
            downwardAPI: {
              defaultMode: 420,
              items: [{ path: 'labels', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.labels' } }],
            },
          },
          { name: 'tmp', emptyDir: {} },
          { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
          { name: 'disk', emptyDir: { sizeLimit: '1.5Gi' } },
          { name: 'nas', nfs: { server: 'nas.example', path: '/x' } },
        ]),
      ),
    ).toEqual([
      {
        kind: 'files',
        name: 'info',
        defaultMode: 420,
        files: [{ path: 'labels', content: base64('alibabacloud.com/eci="true"\napp="nginx"') }],
      },
      { kind: 'empty-dir', name: 'tmp' },
      { kind: 'empty-dir', name: 'shm', medium: 'Memory', sizeLimit: '64Mi' },
      { kind: 'empty-dir', name: 'disk', sizeLimit: '1536Mi' },
      { kind: 'nfs', name: 'nas', server: 'nas.example', path: '/x', readOnly: false },
    ]);
  });

  it('quote labels and annotations as the kubelet does', () => {
    const annotations = { note: 'say "hi"\n\u0007\u0001 \\u0001 é' };
    const info = {
      name: 'info',
      downwardAPI: { items: [{ path: 'a', fieldRef: { fieldPath: 'metadata.annotations' } }] },
    };
    const { spec } = mapped(mapPod(inputOf({ volumes: [tokenVolume, info] }, { metadata: { annotations } })));
    expect(spec.volumes[1]).toMatchObject({
      files: [{ content: base64(String.raw`note="say \"hi\"\n\a\x01 \\u0001 é"`) }],
    });
  });

  it('are mounted with subPath and expanded subPathExpr', () => {
    const mounts = [
      { name: 'tmp', mountPath: '/a', subPath: 'x' },
      {
        name: 'tmp',
        mountPath: '/b',
        subPathExpr: '$(DIR)/y',
        readOnly: true,
        mountPropagation: 'HostToContainer',
        recursiveReadOnly: 'Disabled',
      },
    ];
    expect(mapped(mapPod(volumes([{ name: 'tmp', emptyDir: {} }], mounts))).spec.containers[0]!.mounts).toEqual([
      { volume: 'tmp', path: '/a', subPath: 'x', readOnly: false },
      { volume: 'tmp', path: '/b', subPath: 'data/y', readOnly: true, propagation: 'HostToContainer' },
    ]);
  });

  it.each([
    [[{ name: 'v', hostPath: { path: '/' } }], [], 'spec.volumes[1].hostPath: ECI has no host whose files'],
    [
      [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }],
      [],
      'spec.volumes[1].persistentVolumeClaim: is not supported yet',
    ],
    [[{ name: 'v', teleport: {} }], [], 'spec.volumes[1].teleport: is not known'],
    [
      [{ name: 'v', emptyDir: { medium: 'HugePages' } }],
      [],
      'spec.volumes[1].emptyDir.medium: must be empty or Memory',
    ],
    [
      [{ name: 'v', configMap: { name: 'nope' } }],
      [],
      'spec.volumes[1].configMap: ConfigMap nope is not there; create it',
    ],
    [
      [{ name: 'v', configMap: { name: 'conf', items: [{ key: 'z', path: 'z' }] } }],
      [],
      'spec.volumes[1].configMap.items[0].key: ConfigMap conf has no such key',
    ],
    [
      [{ name: 'v', configMap: { name: 'conf', items: [{ key: 'a', path: '../z' }] } }],
      [],
      'spec.volumes[1].configMap.items[0].path: must be a relative path',
    ],
    [
      [{ name: 'v', configMap: { name: 'large' } }],
      [],
      'spec.volumes[1]: the file big has 32769 bytes; ECI takes 32768',
    ],
    [[{ name: 'v', configMap: { name: 'many' } }], [], 'spec.volumes[1]: has 91 files; ECI takes 90'],
    [
      [
        { name: 'v', emptyDir: {} },
        { name: 'v', emptyDir: {} },
      ],
      [],
      'spec.volumes[2].name: is used twice',
    ],
    [[{ name: 'v', emptyDir: {}, nfs: { server: 's', path: 'p' } }], [], 'spec.volumes[1]: states more than one kind'],
    [
      [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 'vault' } }] } }],
      [],
      'spec.volumes[1].projected.sources[0].serviceAccountToken: the agent sent no token',
    ],
    [[], [{ name: 'w', mountPath: '/w' }], 'spec.containers[0].volumeMounts[0].name: names no volume'],
    [
      [{ name: 'v', emptyDir: {} }],
      [{ name: 'v', mountPath: '/v', subPathExpr: '$(NOPE)' }],
      'spec.containers[0].volumeMounts[0].subPathExpr: uses the variable NOPE',
    ],
    [
      [{ name: 'v', emptyDir: {} }],
      [{ name: 'v', mountPath: '/v', subPath: '../v' }],
      'spec.containers[0].volumeMounts[0].subPath: must be a relative path',
    ],
  ])('%j with mounts %j refuse the pod', (list, mounts, reason) => {
    expect(refusalOf(volumes(list, mounts))).toContain(reason);
  });
});
