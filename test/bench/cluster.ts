import { join } from 'node:path';
import { Agent, request } from 'undici';
import {
  freePorts,
  startKubernetes,
  type EciSimulatorRig,
  type KubernetesCluster,
  type TestProcess,
} from '#libs/testing';
import { registerCluster, REGION, SECURITY_GROUP, VPC, VSWITCHES, type Rig, type Undo } from './rig.ts';

const manifests = join(import.meta.dirname, '..', '..', 'deploy', 'agent');
export const NODE = 'virtual-kubelet';

interface Cluster {
  readonly cluster: KubernetesCluster;
  readonly processes: Readonly<Record<string, number>>;
}

/** A Kubernetes control plane with the agent's manifests applied. */
export async function startCluster(undo: Undo): Promise<Cluster> {
  const rig = await startKubernetes();
  undo.add(() => rig.stop());
  const files = ['namespace', 'service-account', 'rbac', 'settings', 'join-token', 'service'];
  await rig.cluster.kubectl(['apply', ...files.flatMap((file) => ['-f', join(manifests, `${file}.yaml`)])]);
  const { etcd, apiServer, controllerManager, scheduler } = rig;
  const processes = Object.fromEntries(
    [etcd, apiServer, controllerManager, scheduler].map((part) => [part.name, part.pid]),
  );
  return { cluster: rig.cluster, processes };
}

/** The agent as it runs in a cluster, under exactly the role of its manifests. Ready when its node is. */
export async function startAgent(
  rig: Rig,
  cluster: KubernetesCluster,
  controlPlaneUrl: string,
): Promise<{ readonly healthUrl: string; readonly process: TestProcess }> {
  const [healthPort, webhookPort] = (await freePorts(2)) as [number, number];
  const process = await rig.service('agent', {
    // As in its image.
    nodeArguments: ['--optimize-for-size', '--max-semi-space-size=4', '--max-old-space-size=512'],
    metricsUrl: `http://127.0.0.1:${healthPort}/metrics`,
    ready: async () => {
      const report = (await (await fetch(`http://127.0.0.1:${healthPort}/healthz`)).json()) as { status: string };
      if (report.status !== 'ok') throw new Error(`it says ${JSON.stringify(report)}`);
      const node = await cluster.api.call('GET', `/api/v1/nodes/${NODE}`);
      return (node.status.conditions as { type: string; status: string }[]).some(
        ({ type, status }) => type === 'Ready' && status === 'True',
      );
    },
    env: {
      CONTROL_PLANE_URL: controlPlaneUrl,
      JOIN_TOKEN: await registerCluster(controlPlaneUrl, 'bench'),
      KUBECONFIG: await cluster.serviceAccountKubeconfig({ namespace: 'eci-fleet', name: 'eci-fleet-agent' }),
      ECI_REGION: REGION,
      ECI_VSWITCH: VSWITCHES.join(','),
      ECI_SECURITY_GROUP: SECURITY_GROUP,
      ECI_VPC: VPC,
      CLUSTER_DNS: '10.96.0.10',
      WEBHOOK_HOST: '127.0.0.1',
      WEBHOOK_PORT: String(webhookPort),
      WEBHOOK_URL: `https://127.0.0.1:${webhookPort}/mutate`,
      HEALTH_PORT: String(healthPort),
    },
  });
  return { healthUrl: `http://127.0.0.1:${healthPort}`, process };
}

/** A small web pod that is bound to a node from the start; the API server puts in its token, as for any pod. */
export function boundPod(name: string, node: string): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'bench' } },
    spec: {
      nodeName: node,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'web',
          image: 'nginx:1.27',
          env: [{ name: 'LOG_LEVEL', value: 'info' }],
          resources: { requests: { cpu: '500m', memory: '1Gi' } },
        },
      ],
    },
  };
}

// A pod is whatever the API server says; callers pick from it.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type PodObject = any;

/** Follows the running pods of a node until it is ended. An API server ends the watch of a reader that is slow for a moment: it is begun again. */
export async function watchRunningPods(
  cluster: KubernetesCluster,
  node: string,
  onPod: (pod: PodObject) => void,
): Promise<{ end(): Promise<void> }> {
  const { server, authority, certificate, key } = cluster.connection;
  const dispatcher = new Agent({ connect: { ca: authority, cert: certificate, key }, bodyTimeout: 0 });
  // Only pods that run: of every other change this watch hears nothing, and costs nothing.
  const fieldSelector = `spec.nodeName=${node},status.phase=Running`;
  const list = async (): Promise<string> => {
    const pods = await cluster.api.call('GET', `/api/v1/pods?${new URLSearchParams({ fieldSelector })}`);
    for (const pod of pods.items) onPod(pod);
    return pods.metadata.resourceVersion as string;
  };
  const watch = async (resourceVersion: string): Promise<void> => {
    const query = new URLSearchParams({ watch: '1', fieldSelector, resourceVersion, timeoutSeconds: '3600' });
    const answer = await request(`${server}/api/v1/pods?${query}`, { dispatcher, method: 'GET' });
    if (answer.statusCode !== 200) throw new Error(`watching pods: the API server answered ${answer.statusCode}`);
    let rest = '';
    for await (const chunk of answer.body.setEncoding('utf8')) {
      const lines = (rest + (chunk as string)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') onPod((JSON.parse(line) as { object: PodObject }).object);
    }
  };
  const ended = new AbortController();
  const first = await list();
  const reading = (async () => {
    for (let version = first; !ended.signal.aborted; version = await list()) {
      await watch(version).catch((error: unknown) => {
        if (!ended.signal.aborted) process.stderr.write(`bench: watching pods anew: ${String(error)}\n`);
      });
      if (ended.signal.aborted) return;
    }
  })();
  reading.catch(() => undefined);
  return {
    async end() {
      ended.abort();
      await dispatcher.destroy();
      await reading.catch(() => undefined);
    },
  };
}

/** Requests of the simulator's ledger that created groups for pods: when they came in (epoch milliseconds), by pod UID, the first of each. */
export async function createsByPod(simulator: EciSimulatorRig): Promise<ReadonlyMap<string, number>> {
  const creates = new Map<string, number>();
  for (let after = '0'; ;) {
    const query = new URLSearchParams({ action: 'CreateContainerGroup', limit: '5000', after });
    const page = await simulator.control<{
      requests: { at: string; parameters: Record<string, string> }[];
      next: string | null;
    }>('GET', `/ledger/requests?${query}`);
    for (const { at, parameters } of page.requests) {
      const uid = tagOf(parameters, 'eci-fleet-pod-uid');
      if (uid !== undefined && !creates.has(uid)) creates.set(uid, Date.parse(at));
    }
    if (page.next === null) return creates;
    after = page.next;
  }
}

function tagOf(parameters: Readonly<Record<string, string>>, key: string): string | undefined {
  const [name] =
    Object.entries(parameters).find(([name, value]) => /^Tag\.\d+\.Key$/.test(name) && value === key) ?? [];
  return name === undefined ? undefined : parameters[name.replace(/Key$/, 'Value')];
}

/** Does `work` for every item, at most `limit` at the same time. */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}
