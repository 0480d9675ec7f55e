import type { PodObject } from '#libs/kubernetes';
import type { Labels } from '../profile/selectors.ts';
import { NODE_SELECTOR } from './steer.ts';

interface Constraint {
  readonly topologyKey?: string;
  readonly whenUnsatisfiable?: string;
}

const ZONE_KEYS: readonly string[] = ['topology.kubernetes.io/zone', 'failure-domain.beta.kubernetes.io/zone'];

/** It is sent to virtual nodes, and to no other. */
export const isForVirtualNode = (pod: PodObject): boolean =>
  (pod.spec['nodeSelector'] as Labels | undefined)?.[NODE_SELECTOR[0]] === NODE_SELECTOR[1];

/**
 * Why no scheduler can ever bind a pod to this virtual node, and what to do about it; undefined = it can. One node that stands for several zones has
 * no zone label: whatever asks for one by force waits for ever.
 */
export function whyNeverBound(pod: PodObject, nodeName: string, nodeLabels: Labels): string | undefined {
  const constraints = (pod.spec['topologySpreadConstraints'] ?? []) as readonly Constraint[];
  const spread = constraints.findIndex(
    ({ topologyKey = '', whenUnsatisfiable }) =>
      whenUnsatisfiable !== 'ScheduleAnyway' && !Object.hasOwn(nodeLabels, topologyKey),
  );
  if (spread >= 0) {
    return (
      `spec.topologySpreadConstraints[${spread}] spreads over ${constraints[spread]!.topologyKey}, a label that node ${nodeName} does not have, so no scheduler ` +
      `can bind the pod to it${standsForSeveral(constraints[spread]!.topologyKey)}. Use whenUnsatisfiable: ScheduleAnyway; ` +
      'ECI places groups over the vSwitches of the profile, whose zones may be several.'
    );
  }
  const selector = (pod.spec['nodeSelector'] ?? {}) as Labels;
  const zone = ZONE_KEYS.find((key) => Object.hasOwn(selector, key) && selector[key] !== nodeLabels[key]);
  if (zone === undefined || Object.hasOwn(nodeLabels, zone)) return undefined;
  return (
    `spec.nodeSelector wants ${zone}=${selector[zone]}, a label that node ${nodeName} does not have, so no scheduler can bind the pod to it` +
    `${standsForSeveral(zone)}. Remove it, and name the vSwitch of the zone by the annotation k8s.aliyun.com/eci-vswitch.`
  );
}

const standsForSeveral = (key: string | undefined): string =>
  key !== undefined && ZONE_KEYS.includes(key) ? ': it stands for several zones' : '';
