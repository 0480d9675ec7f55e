import { join } from 'node:path';
import type { PodStatusMessage } from '#libs/contracts';
import { silentLogger } from '#libs/observability';
import {
  eventually,
  startKubernetes,
  type ApiAnswer,
  type KubernetesCluster,
  type KubernetesOptions,
  type KubernetesRig,
} from '#libs/testing';
import { startAgent, type RunningAgent } from '../../services/agent/src/agent.ts';
import { loadAgentConfig, type AgentConfig } from '../../services/agent/src/config.ts';
import { StubControlPlane } from './stub-control-plane.ts';

export type Json = ApiAnswer['body'];

export const MANIFESTS = join(import.meta.dirname, '../../deploy/agent');
export const NODE = 'virtual-kubelet';

/**
 * One API server of its own and one agent, under exactly the service account and the roles of the manifests. Of its own, because the webhook
 * steers pods of the whole cluster.
 */
export class AgentWorld {
  readonly controlPlane = new StubControlPlane();
  rig!: KubernetesRig;
  config!: AgentConfig;
  agent!: RunningAgent;
  private revision = 1;

  async start(options: KubernetesOptions = {}): Promise<void> {
    this.rig = await startKubernetes(options);
    // Nodes are given up, and pods evicted, only where another node is healthy.
    await this.cluster.addHealthyNode();
    for (const file of ['namespace.yaml', 'service-account.yaml', 'rbac.yaml']) {
      await this.cluster.kubectl(['apply', '-f', join(MANIFESTS, file)]);
    }
    await this.controlPlane.start();
    this.config = loadAgentConfig({
      CONTROL_PLANE_URL: this.controlPlane.url,
      JOIN_TOKEN: this.controlPlane.token,
      KUBECONFIG: await this.cluster.serviceAccountKubeconfig({ namespace: 'eci-fleet', name: 'eci-fleet-agent' }),
      ECI_REGION: 'cn-hangzhou',
      ECI_VSWITCH: 'vsw-a,vsw-b',
      ECI_SECURITY_GROUP: 'sg-1',
      WEBHOOK_HOST: '127.0.0.1',
      WEBHOOK_PORT: '0',
      WEBHOOK_URL: 'https://127.0.0.1:0',
      HEALTH_PORT: '0',
      INVENTORY_SECONDS: '3600',
    });
    await this.startAgent();
  }

  /** Resolves when the agent has a session and its webhook is registered. */
  async startAgent(config: Partial<AgentConfig> = {}): Promise<void> {
    this.agent = await startAgent(
      { ...this.config, ...config },
      { messaging: this.controlPlane.messaging, logger: silentLogger },
    );
    await eventually(() => this.agent.health().status === 'ok' && this.agent.health().webhook === 'registered', {
      what: 'the agent has a session and its webhook is registered',
      deadlineMs: 30_000,
    });
  }

  async stop(): Promise<void> {
    await (this.agent as RunningAgent | undefined)?.stop();
    await this.controlPlane.stop();
    await (this.rig as KubernetesRig | undefined)?.stop();
  }

  get cluster(): KubernetesCluster {
    return this.rig.cluster;
  }

  async json(args: readonly string[]): Promise<Json> {
    return JSON.parse((await this.cluster.kubectl([...args, '-o', 'json'])).stdout) as Json;
  }

  async namespace(labels: Record<string, string> = {}): Promise<string> {
    return (await this.cluster.createNamespace(labels)).name;
  }

  async apply(manifest: unknown): Promise<void> {
    await this.cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) });
  }

  getPod(ns: string, name: string): Promise<Json> {
    return this.json(['get', 'pod', name, '-n', ns]);
  }

  async bound(ns: string, name: string): Promise<{ uid: string; spec: Json; metadata: Json }> {
    return await eventually(
      async () => {
        const { spec, metadata } = await this.getPod(ns, name);
        return spec.nodeName === NODE && { uid: metadata.uid as string, spec, metadata };
      },
      { what: `pod ${ns}/${name} is bound to the virtual node`, deadlineMs: 20_000 },
    );
  }

  async gone(ns: string, name: string): Promise<void> {
    const path = `/api/v1/namespaces/${ns}/pods/${name}`;
    await eventually(async () => (await this.cluster.api.ask('GET', path)).status === 404, {
      what: `pod ${ns}/${name} is gone`,
    });
  }

  sent(uid: string): Promise<ReturnType<StubControlPlane['runs']>[number]> {
    return eventually(() => this.controlPlane.runs(uid)[0], { what: `a RunPod for ${uid}`, deadlineMs: 20_000 });
  }

  async eventsOf(ns: string, name: string): Promise<{ reason: string; message: string; count: number }[]> {
    return (await this.json(['get', 'events', '-n', ns, '--field-selector', `involvedObject.name=${name}`]))
      .items as never;
  }

  /** What the control plane would say of a pod that runs; each call is a newer revision. */
  runningStatus(ns: string, name: string, uid: string, more: Partial<PodStatusMessage> = {}): PodStatusMessage {
    const at = new Date(Date.now() - 1_000).toISOString();
    const state = { running: { startedAt: at } };
    this.revision += 1;
    return {
      kind: 'PodStatus',
      schemaVersion: 1,
      podUid: uid,
      namespace: ns,
      name,
      revision: this.revision,
      status: {
        phase: 'Running',
        startTime: at,
        hostIP: '127.0.0.1',
        podIP: '10.1.2.3',
        podIPs: [{ ip: '10.1.2.3' }],
        conditions: ['Initialized', 'ContainersReady', 'Ready'].map((type) => ({
          type,
          status: 'True',
          lastTransitionTime: at,
        })),
        containerStatuses: [
          { name: 'app', ready: true, started: true, restartCount: 0, image: 'nginx', imageID: '', state },
        ],
      },
      annotations: { 'k8s.aliyun.com/eci-instance-id': 'eci-1' },
      finalize: false,
      events: [],
      ...more,
    };
  }
}

/** One container, and the label that sends it to the virtual node. */
export const podOf = (
  ns: string,
  name: string,
  spec: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: ns, labels: { 'alibabacloud.com/eci': 'true' }, ...metadata },
  spec: { containers: [{ name: 'app', image: 'nginx' }], ...spec },
});
