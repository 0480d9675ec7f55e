import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubernetesApi, KubernetesObject } from '#libs/kubernetes';
import { silentLogger } from '#libs/observability';
import { SeededRandom, VirtualClock } from '#libs/runtime';
import { UnboundPods } from './unbound-pods.ts';

const spread = (name: string) => ({
  metadata: { name, namespace: 'n', uid: name },
  spec: {
    nodeSelector: { type: 'virtual-kubelet' },
    topologySpreadConstraints: [{ topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' }],
  },
});

describe('pods that wait for a node', () => {
  let clock: VirtualClock;
  let waiting: { metadata: { name: string; namespace: string; uid: string }; spec: object }[];
  let looks: number;
  let told: string[];
  let forgotten: string[];
  let unbound: UnboundPods;

  beforeEach(() => {
    clock = new VirtualClock();
    [waiting, looks, told, forgotten] = [[], 0, [], []];
    const api = {
      list: (_: unknown, { fieldSelector }: { fieldSelector: string }) => {
        looks += 1;
        expect(fieldSelector).toBe('spec.nodeName=,status.phase=Pending');
        return Promise.resolve({ items: waiting, resourceVersion: '1' });
      },
      find: () => Promise.resolve({ metadata: { name: 'vk', labels: {} } }),
    } as unknown as KubernetesApi;
    unbound = new UnboundPods({
      api,
      clock,
      random: new SeededRandom(1),
      logger: silentLogger,
      nodeName: 'vk',
      events: {
        say: ({ metadata }: KubernetesObject, type, reason) => told.push(`${type} ${reason} ${metadata.name}`),
        forget: (uid) => forgotten.push(uid),
      },
    });
    unbound.start();
  });
  afterEach(() => unbound.stop());

  it('are told when no scheduler can bind them, and forgotten when they are gone', async () => {
    waiting = [spread('a'), { metadata: { name: 'b', namespace: 'n', uid: 'b' }, spec: {} }];
    await clock.advance(30_000);
    expect(told).toEqual(['Warning NeverFitsVirtualNode a']);

    waiting = [];
    await clock.advance(30_000);
    expect(forgotten).toEqual(['a']);
  });

  it('are looked at rarely when they are many', async () => {
    waiting = Array.from({ length: 600 }, (_, index) => spread(`p${index}`));
    await clock.advance(30_000);
    const before = looks;
    await clock.advance(599_000);
    expect(looks).toBe(before);
    await clock.advance(2_000);
    expect(looks).toBe(before + 1);
  });
});
