import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, freePort, temporaryFolder, type TemporaryFolder, type TestProcess } from '#libs/testing';
import type { Refusal, RefuseRequest } from '../../../services/standalone/src/demo-cluster/api-server.ts';
import { startDemoCluster, type DemoCluster } from '../../../services/standalone/src/demo-cluster/demo-cluster.ts';
import { FaultProxy } from './proxy.ts';

// What an API server answers is whatever its kind says; a spec picks from it what it asserts.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type KubernetesObject = any;

interface AgentRequest {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly verb: string;
  readonly kind: string;
}

/** A pod that a user made. */
export interface Made {
  readonly name: string;
  readonly uid: string;
}

/**
 * A cluster for fault scenarios: the demo cluster's API server and scheduler in the test's own process, which start in milliseconds and know
 * everything an agent uses, and a broken wire between it and its agent. The test, as its user, goes to the server directly: pods come and go
 * also while the agent cannot see them.
 */
export class FaultCluster {
  readonly id: string;
  /** Between the agent and the API server. */
  readonly proxy: FaultProxy;
  /** The newest agent first started is first; a scenario of two agents adds the second. */
  readonly agents: TestProcess[] = [];
  readonly kubeconfigFile: string;
  /** What agents have asked the API server, oldest first. */
  readonly requests: readonly AgentRequest[];
  /** Every pod that a user made or removed, for the judge: what should be there now. */
  readonly wanted = new Map<string, Made>();
  readonly removed = new Map<string, Made>();
  readonly #server: DemoCluster;
  readonly #folder: TemporaryFolder;
  readonly #trouble: { refuse: RefuseRequest };

  private constructor(
    id: string,
    parts: {
      server: DemoCluster;
      proxy: FaultProxy;
      folder: TemporaryFolder;
      kubeconfig: string;
      requests: AgentRequest[];
    },
    trouble: { refuse: RefuseRequest },
  ) {
    this.id = id;
    this.#server = parts.server;
    this.proxy = parts.proxy;
    this.#folder = parts.folder;
    this.kubeconfigFile = parts.kubeconfig;
    this.requests = parts.requests;
    this.#trouble = trouble;
  }

  static async start(id: string): Promise<FaultCluster> {
    const trouble: { refuse: RefuseRequest } = { refuse: () => undefined };
    const requests: AgentRequest[] = [];
    const server = await startDemoCluster({
      onError: () => undefined,
      refuse: (request) => {
        const { verb, kind, userAgent } = request;
        if (!userAgent.startsWith('eci-fleet-agent')) return undefined;
        requests.push({ at: Date.now(), verb, kind });
        return trouble.refuse(request);
      },
    });
    const proxy = await FaultProxy.start(await freePort(), Number(new URL(server.url).port));
    const folder = temporaryFolder(`cluster-${id}`);
    const kubeconfig = join(folder.path, 'kubeconfig');
    await writeFile(kubeconfig, server.kubeconfig.replaceAll(server.url, `https://127.0.0.1:${proxy.port}`));
    return new FaultCluster(id, { server, proxy, folder, kubeconfig, requests }, trouble);
  }

  get agent(): TestProcess {
    const [agent] = this.agents;
    if (agent === undefined) throw new Error(`cluster ${this.id} has no agent`);
    return agent;
  }

  /** The API server cannot be reached by the agent, until `back`. */
  away(): Promise<void> {
    return this.proxy.refuse();
  }

  /** It answers those of the agent's requests that `which` names like this, until `back`; default: all with 500. */
  refuse(
    which: (request: Parameters<RefuseRequest>[0]) => boolean = () => true,
    answer: Refusal = { code: 500, reason: 'InternalError', message: 'etcdserver: request timed out' },
  ): void {
    this.#trouble.refuse = (request) => (which(request) ? answer : undefined);
    this.proxy.cut();
  }

  /** A compaction: the agent's next watch finds its bookmark expired (410) and lists anew. */
  forgetHistory(): void {
    this.#server.forgetHistory();
    this.proxy.cut();
  }

  async back(): Promise<void> {
    this.#trouble.refuse = () => undefined;
    await this.proxy.heal();
  }

  /** Makes pods for the virtual node, as fast as the server takes them. `spec` is merged over one nginx container. */
  async run(names: readonly string[], spec: Readonly<Record<string, unknown>> = {}): Promise<Made[]> {
    const made: Made[] = [];
    const queue = [...names];
    const worker = async (): Promise<void> => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        const pod = await this.ask('POST', '/api/v1/namespaces/default/pods', podOf(name, spec));
        const one = { name, uid: pod.metadata.uid as string };
        this.wanted.set(one.uid, one);
        made.push(one);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    return made.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  }

  /** Deletes pods as `kubectl delete` does: with their grace period, which ends when their groups are gone. */
  async remove(pods: readonly Made[]): Promise<void> {
    for (const pod of pods) {
      await this.ask('DELETE', `/api/v1/namespaces/default/pods/${pod.name}`, { preconditions: { uid: pod.uid } });
      this.wanted.delete(pod.uid);
      this.removed.set(pod.uid, pod);
    }
  }

  /** Takes the object away at once, as a forced delete or a restored backup does. */
  async erase(pods: readonly Made[]): Promise<void> {
    for (const pod of pods) {
      await this.ask('DELETE', `/api/v1/namespaces/default/pods/${pod.name}`, { gracePeriodSeconds: 0 });
      this.wanted.delete(pod.uid);
      this.removed.set(pod.uid, pod);
    }
  }

  async list(): Promise<KubernetesObject[]> {
    return (await this.ask('GET', '/api/v1/namespaces/default/pods')).items;
  }

  async get(name: string): Promise<KubernetesObject> {
    return this.ask('GET', `/api/v1/namespaces/default/pods/${name}`);
  }

  /** Kubernetes Events about one object, by its name. */
  async events(name: string): Promise<KubernetesObject[]> {
    const { items } = await this.ask('GET', '/api/v1/events');
    return items.filter((event: KubernetesObject) => (event.involvedObject ?? event.regarding)?.name === name);
  }

  /** Waits until all of these pods are in a phase. */
  async untilPhase(pods: readonly Made[], phase = 'Running', deadlineMs = 120_000): Promise<void> {
    const uids = new Set(pods.map(({ uid }) => uid));
    await eventually(
      async () => {
        const there = (await this.list()).filter(({ metadata }) => uids.has(metadata.uid));
        const others = there.filter(({ status }) => status?.phase !== phase);
        if (there.length === uids.size && others.length === 0) return true;
        const [first] = others;
        throw new Error(
          `${there.length - others.length} of ${uids.size} are` +
            (first === undefined ? '' : `; ${first.metadata.name} is ${JSON.stringify(first.status).slice(0, 400)}`),
        );
      },
      { what: `${uids.size} pods of cluster ${this.id} are ${phase}`, deadlineMs, everyMs: 200 },
    );
  }

  async untilGone(pods: readonly Made[], deadlineMs = 120_000): Promise<void> {
    const uids = new Set(pods.map(({ uid }) => uid));
    await eventually(
      async () => {
        const left = (await this.list()).filter(({ metadata }) => uids.has(metadata.uid));
        if (left.length === 0) return true;
        throw new Error(`${left.length} are left, such as ${left[0].metadata.name}`);
      },
      { what: `${uids.size} pods of cluster ${this.id} are gone`, deadlineMs, everyMs: 200 },
    );
  }

  /** What the agent says of itself. */
  async health(agent: TestProcess = this.agent): Promise<KubernetesObject> {
    const port = healthPorts.get(agent);
    return (await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(5_000) })).json();
  }

  /** One figure of the agent's metrics; undefined when it is not there. */
  async figure(name: string, agent: TestProcess = this.agent): Promise<number | undefined> {
    const answer = await fetch(`http://127.0.0.1:${healthPorts.get(agent)}/metrics`);
    return figureOf(await answer.text(), name);
  }

  /** One request of the API server, past the broken wire. */
  async ask(method: string, path: string, body?: unknown): Promise<KubernetesObject> {
    const { status, body: said } = await this.#server.ask(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: the API server answered ${status}: ${JSON.stringify(said)}`);
    return said as KubernetesObject;
  }

  async stop(): Promise<void> {
    await this.proxy.close();
    await this.#server.stop();
    await this.#folder.remove();
  }
}

/** Where each agent answers about itself. */
export const healthPorts = new WeakMap<TestProcess, number>();

/** The sum of a metric over its labels, from the text of `/metrics`. */
export function figureOf(text: string, name: string): number | undefined {
  const values = text
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

/** Sent to the node by its own fields: nothing steers it, so it needs no webhook. */
function podOf(name: string, spec: Readonly<Record<string, unknown>>): object {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      nodeSelector: { type: 'virtual-kubelet' },
      tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists' }],
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: 'nginx' }],
      ...spec,
    },
  };
}
