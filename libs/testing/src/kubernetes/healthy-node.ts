import { randomBytes } from 'node:crypto';
import type { KubernetesApi } from './api.ts';

export interface HealthyNodeOptions {
  /** Default: `node-` and a random end. */
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  /** Capacity, as Kubernetes quantities. Default 64 CPUs, 256 Gi, 500 pods. */
  readonly capacity?: Readonly<Record<string, string>>;
}

export interface HealthyNode {
  readonly name: string;
  /** From now on the node looks like one whose kubelet died. */
  stopHeartbeat(): void;
  /** Stops the heartbeat and deletes the node. */
  remove(): Promise<void>;
}

const LEASE_SECONDS = 40;
const RENEW_MS = 5_000;

/** See `KubernetesCluster.addHealthyNode`. */
export async function addHealthyNode(api: KubernetesApi, options: HealthyNodeOptions): Promise<HealthyNode> {
  const name = options.name ?? `node-${randomBytes(4).toString('hex')}`;
  const lease = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`;
  const capacity = options.capacity ?? { cpu: '64', memory: '256Gi', pods: '500' };
  await api.call('POST', '/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', ...options.labels } },
    spec: { taints: options.taints ?? [] },
  });
  await api.call('POST', lease.slice(0, lease.lastIndexOf('/')), {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name },
    spec: { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: microTime() },
  });
  const now = new Date().toISOString();
  await api.call('PATCH', `/api/v1/nodes/${name}/status`, {
    status: {
      capacity,
      allocatable: capacity,
      addresses: [{ type: 'Hostname', address: name }],
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'KubeletReady',
          message: 'a node of the test rig',
          lastHeartbeatTime: now,
          lastTransitionTime: now,
        },
      ],
    },
  });
  // A missed beat is made good by the next one; a rig that is stopped or paused on purpose misses many.
  const timer = setInterval(() => {
    api.call('PATCH', lease, { spec: { renewTime: microTime() } }).catch(() => undefined);
  }, RENEW_MS);
  timer.unref();
  return {
    name,
    stopHeartbeat: () => clearInterval(timer),
    async remove() {
      clearInterval(timer);
      await api.ask('DELETE', `/api/v1/nodes/${name}`);
      await api.ask('DELETE', lease);
    },
  };
}

function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
