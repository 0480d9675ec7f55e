import { describe, expect, it } from 'vitest';
import type { PodObject } from '#libs/kubernetes';
import { isForVirtualNode, whyNeverBound } from './never-bound.ts';

const ZONE = 'topology.kubernetes.io/zone';
const pod = (spec: Record<string, unknown>): PodObject => ({
  metadata: { name: 'p', namespace: 'n' },
  spec: { nodeSelector: { type: 'virtual-kubelet' }, ...spec },
});
const spread = (topologyKey: string, whenUnsatisfiable?: string) => ({
  topologySpreadConstraints: [
    { topologyKey: 'kubernetes.io/hostname', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' },
    { topologyKey, maxSkew: 1, ...(whenUnsatisfiable && { whenUnsatisfiable }) },
  ],
});
const several = { type: 'virtual-kubelet', 'kubernetes.io/hostname': 'vk', 'topology.kubernetes.io/region': 'r' };
const one = { ...several, [ZONE]: 'r-a' };

describe('a pod for a virtual node', () => {
  it.each([
    { what: 'spreads over zones by force', spec: spread(ZONE, 'DoNotSchedule'), says: 'topologySpreadConstraints[1]' },
    { what: 'spreads over zones by default', spec: spread(ZONE), says: 'it stands for several zones' },
    {
      what: 'spreads over racks by force',
      spec: spread('example.com/rack', 'DoNotSchedule'),
      says: 'example.com/rack',
    },
    { what: 'selects a zone', spec: { nodeSelector: { [ZONE]: 'r-a' } }, says: 'k8s.aliyun.com/eci-vswitch' },
  ])('is told that it never fits a node of several zones when it $what', ({ spec, says }) => {
    expect(whyNeverBound(pod(spec), 'vk', several)).toContain(says);
  });

  it.each([
    { what: 'may be placed anyway', spec: spread(ZONE, 'ScheduleAnyway'), labels: several },
    { what: 'spreads over regions', spec: spread('topology.kubernetes.io/region', 'DoNotSchedule'), labels: several },
    { what: 'spreads over zones, and the node stands for one', spec: spread(ZONE, 'DoNotSchedule'), labels: one },
    { what: 'selects the zone of the node', spec: { nodeSelector: { [ZONE]: 'r-a' } }, labels: one },
    {
      what: 'selects a zone that another virtual node may have',
      spec: { nodeSelector: { [ZONE]: 'r-b' } },
      labels: one,
    },
    { what: 'asks for nothing', spec: {}, labels: several },
  ])('is told nothing when it $what', ({ spec, labels }) => {
    expect(whyNeverBound(pod(spec), 'vk', labels)).toBeUndefined();
  });

  it('is one that selects nodes of that type', () => {
    expect(isForVirtualNode(pod({}))).toBe(true);
    expect(isForVirtualNode(pod({ nodeSelector: { disk: 'ssd' } }))).toBe(false);
    expect(isForVirtualNode(pod({ nodeSelector: undefined }))).toBe(false);
  });
});
