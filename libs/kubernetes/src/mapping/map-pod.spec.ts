import { describe, expect, it } from 'vitest';
import { mapPod, type MapPodResult } from './map-pod.ts';
import { inputOf, nginxContainer, tokenVolume } from './samples.ts';

const mapped = (result: MapPodResult): Extract<MapPodResult, { ok: true }> => {
  if (!result.ok) throw new Error(`${result.field}: ${result.reason}`);
  return result;
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a plain pod', () => {
  it('becomes a container group, with token, CA and namespace as files, and cluster DNS', () => {
    const { spec, need, ignored } = mapped(mapPod(inputOf()));
    expect(spec).toEqual({
      name: 'shop-nginx',
      region: 'cn-hangzhou',
      restartPolicy: 'Always',
      containers: [
        {
          name: 'nginx',
          image: 'nginx:1.27',
          imagePullPolicy: 'IfNotPresent',
          command: [],
          args: [],
          env: [],
          ports: [],
          mounts: [
            { volume: 'kube-api-access-x7k2p', path: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
          ],
          security: { addCapabilities: [] },
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
        },
      ],
      initContainers: [],
      volumes: [
        {
          kind: 'files',
          name: 'kube-api-access-x7k2p',
          defaultMode: 420,
          files: [
            { path: 'token', content: base64('TOKEN') },
            { path: 'ca.crt', content: base64('CERT') },
            { path: 'namespace', content: base64('shop') },
          ],
        },
      ],
      securityGroupIds: ['sg-1'],
      registryCredentials: [],
      dns: {
        policy: 'None',
        nameServers: ['10.96.0.10'],
        searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
        options: [{ name: 'ndots', value: '5' }],
      },
      hostAliases: [],
      hostName: 'nginx',
      terminationGracePeriodSeconds: 30,
      sysctls: [],
      tags: {},
    });
    expect(need).toEqual({
      accountId: 'default',
      region: 'cn-hangzhou',
      vSwitches: [{ vSwitchId: 'vsw-h' }, { vSwitchId: 'vsw-k' }],
      scheduleStrategy: 'default',
      specs: ['2-4Gi'],
      chargeType: 'on-demand',
      spotFallback: false,
      failStrategy: 'fail-back',
      priority: 0,
    });
    expect(ignored).toEqual([]);
  });
});

void nginxContainer;
void tokenVolume;
