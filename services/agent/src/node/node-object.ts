import type { Condition, LeaseObject, NodeObject } from '#libs/kubernetes';
import type { AgentConfig } from '../config.ts';

/** Release of Kubernetes whose node behaviour the agent follows; tools parse the version a node reports. */
const KUBERNETES_VERSION = 'v1.37.0';

const LEASE_SECONDS = 40;
export const LEASE_NAMESPACE = 'kube-node-lease';

/** What the agent knows about the world beyond the API server. */
export interface NodeView {
  readonly controlPlane: { readonly reachable: boolean; readonly reason: string; readonly message: string };
}

const EXTERNAL: readonly (readonly [type: string, status: string, reason: string, message: string])[] = [
  ['Ready', 'True', 'KubeletReady', 'the agent is serving this virtual node'],
  ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'a virtual node has no memory of its own'],
  ['DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'a virtual node has no disk of its own'],
  ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'a virtual node has no processes of its own'],
  ['NetworkUnavailable', 'False', 'RouteCreated', 'container groups have addresses of the VPC'],
];

/** Own condition: the node stays Ready while the control plane is away, because a node that is not Ready loses its pods. */
const CONTROL_PLANE_REACHABLE = 'ControlPlaneReachable';

/** Everything about the node but its status; sent at creation, and compared afterwards. */
export function nodeMetadataOf(config: AgentConfig): {
  labels: Record<string, string>;
  annotations: Record<string, string>;
} {
  return {
    labels: {
      // cluster-autoscaler and many CNI, CSI and DaemonSet charts leave out nodes of this type.
      type: 'virtual-kubelet',
      'kubernetes.io/role': 'agent',
      'kubernetes.io/hostname': config.nodeName,
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': 'amd64',
      'beta.kubernetes.io/os': 'linux',
      'topology.kubernetes.io/region': config.region,
      // Load balancers must not send traffic to a node that has no ports of its own.
      'node.kubernetes.io/exclude-from-external-load-balancers': 'true',
      'alpha.service-controller.kubernetes.io/exclude-balancer': 'true',
      ...(config.alibabaClusterId === undefined ? {} : { 'alibabacloud.com/cluster-id': config.alibabaClusterId }),
    },
    annotations: {
      // There are no volumes to attach or detach here: without this the controller waits for them when pods end.
      'volumes.kubernetes.io/controller-managed-attach-detach': 'false',
    },
  };
}

export function nodeSpecOf(config: AgentConfig): Record<string, unknown> {
  return {
    // A form that no cloud-controller-manager takes for a machine of its own, which it would look for and delete.
    providerID: `eci-fleet://${config.region}/${config.nodeName}`,
    taints: [{ key: config.taint.key, value: config.taint.value, effect: config.taint.effect }],
  };
}

/** Status as the agent wants it, with the times of transitions taken from what is there. */
export function nodeStatusOf(
  config: AgentConfig,
  version: string,
  view: NodeView,
  now: string,
  current: readonly Condition[] = [],
): Record<string, unknown> {
  const capacity = {
    cpu: config.quota.cpu,
    memory: config.quota.memory,
    pods: config.quota.pods,
    'ephemeral-storage': '640Ti',
  };
  return {
    capacity,
    allocatable: capacity,
    conditions: conditionsOf(view, now, current),
    addresses: [{ type: 'InternalIP', address: config.nodeAddress }],
    daemonEndpoints: { kubeletEndpoint: { Port: config.kubeletPort } },
    nodeInfo: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: '',
      osImage: '',
      containerRuntimeVersion: 'eci://1',
      kubeletVersion: `${KUBERNETES_VERSION}-eci-fleet-${version}`,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'amd64',
    },
  };
}

function conditionsOf(view: NodeView, now: string, current: readonly Condition[]): Condition[] {
  const { reachable, reason, message } = view.controlPlane;
  const wanted = [...EXTERNAL, [CONTROL_PLANE_REACHABLE, reachable ? 'True' : 'False', reason, message] as const];
  return wanted.map(([type, status, why, text]) => {
    const before = current.find((c) => c.type === type);
    return {
      type,
      status,
      reason: why,
      message: text,
      lastHeartbeatTime: now,
      lastTransitionTime: before?.status === status && before.lastTransitionTime ? before.lastTransitionTime : now,
    };
  });
}

/** The node controller (or somebody) says the node is not well: its pods have lost their Ready conditions. */
export function wasNotReady(node: NodeObject): boolean {
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
  return ready !== undefined && ready.status !== 'True';
}

/** Does the stored node differ from what we want, times apart? */
export function needsWrite(node: NodeObject, config: AgentConfig, version: string, view: NodeView): boolean {
  const conditions = node.status?.conditions ?? [];
  const wanted = nodeStatusOf(config, version, view, '', conditions);
  const differs = (wanted.conditions as Condition[]).some((w) => {
    const is = conditions.find((c) => c.type === w.type);
    return is?.status !== w.status || is.reason !== w.reason || is.message !== w.message;
  });
  if (differs) return true;
  const status = (node.status ?? {}) as Record<string, Record<string, unknown>>;
  const nodeInfo = wanted.nodeInfo as Record<string, unknown>;
  return (
    Object.entries(wanted.capacity as Record<string, string>).some(([k, v]) => status.capacity?.[k] !== v) ||
    status.nodeInfo?.kubeletVersion !== nodeInfo.kubeletVersion ||
    JSON.stringify(status.addresses) !== JSON.stringify(wanted.addresses) ||
    JSON.stringify(status.daemonEndpoints) !== JSON.stringify(wanted.daemonEndpoints)
  );
}

/** `metav1.MicroTime`. */
const microTime = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000Z');
/** `metav1.Time`. */
export const wholeSeconds = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

export function leaseOf(nodeName: string, nodeUid: string | undefined, renewedAt: number): LeaseObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: nodeName,
      namespace: LEASE_NAMESPACE,
      // The lease is collected together with its node.
      ...(nodeUid === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeUid }] }),
    },
    spec: { holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime: microTime(renewedAt) },
  };
}
