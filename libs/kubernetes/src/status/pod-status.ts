import type { ContainerGroupState, JsonObject } from '#libs/domain';
import { conditionsOf } from './conditions.ts';
import { containerStatusesOf } from './container-statuses.ts';
import { phaseOf, reasonOf, type Phase } from './phase.ts';
import type { PodStatus } from './pod-status-shape.ts';
import { qosClassOf } from './qos-class.ts';
import { seconds } from './times.ts';

/**
 * The complete v1.PodStatus of a stream's pod, or undefined while there is nothing to say (no intent yet, or a pod that already ran is still
 * being looked up). Pure: the same state gives the same bytes.
 */
export function podStatusOf(state: ContainerGroupState): JsonObject | undefined {
  const { intent, group } = state;
  if (!intent || !hasStatus(state)) return undefined;
  const { containers, initContainers } = containerStatusesOf(state);
  const qosClass = qosClassOf(intent.clearPod['spec']);
  const startTime = intent.lookUpFirst && group?.startedAt ? group.startedAt : intent.acceptedAt;
  const status: PodStatus = {
    phase: phaseOf(state),
    ...reasonOf(state),
    startTime: seconds(startTime),
    conditions: conditionsOf(state),
    containerStatuses: containers,
    ...(initContainers.length > 0 && { initContainerStatuses: initContainers }),
    // Each group is a machine of its own: its address is also that of its host.
    ...(group?.podIp && addressesOf(group.podIp)),
    ...(qosClass && { qosClass }),
  };
  return status as unknown as JsonObject;
}

const addressesOf = (ip: string): Pick<PodStatus, 'hostIP' | 'hostIPs' | 'podIP' | 'podIPs'> => ({
  hostIP: ip,
  hostIPs: [{ ip }],
  podIP: ip,
  podIPs: [{ ip }],
});

/**
 * The phase that the pod's group has brought it to. The end that a stopped pod gets only because its object goes is not in it: rows that an
 * earlier version wrote stay right, and that it is gone they say anyway.
 */
export function podPhaseOf({ finalSince: _, ...state }: ContainerGroupState): Phase | undefined {
  return hasStatus(state) ? phaseOf(state) : undefined;
}

function hasStatus({ intent, group, end, finalSince }: ContainerGroupState): boolean {
  if (!intent) return false;
  return !(intent.lookUpFirst && !end && finalSince === undefined && (group?.status ?? null) === null);
}

const SIZE = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)Gi$/;
const decimal = (value: number): string => (Number.isInteger(value) ? value.toFixed(1) : String(value));

/** Annotations that users of ECI find on their pods: id, size and zone of the group. */
export function podAnnotationsOf({ group }: ContainerGroupState): Record<string, string> {
  if (!group) return {};
  const { landed } = group;
  const [, cpu, memory] = SIZE.exec(landed?.spec ?? '') ?? [];
  const spec = cpu && memory ? `${decimal(Number(cpu))}-${decimal(Number(memory))}Gi` : landed?.spec;
  return {
    'k8s.aliyun.com/eci-instance-id': group.containerGroupId,
    ...(spec && { 'k8s.aliyun.com/eci-instance-spec': spec }),
    ...(landed?.zone && { 'k8s.aliyun.com/eci-instance-zone': landed.zone }),
  };
}
