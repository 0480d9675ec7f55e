import { eventually, type KubernetesCluster } from '#libs/testing';

// What an API server answers is whatever its kind says; a spec picks from it what it asserts.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type KubernetesObject = any;

/** Pods of a cluster as a user sees them: made and removed by kubectl, looked at through the API server. */
export class Pods {
  readonly cluster: KubernetesCluster;

  constructor(cluster: KubernetesCluster) {
    this.cluster = cluster;
  }

  /** Runs kubectl to its end and returns what it printed; a failure throws with its message. */
  async kubectl(...args: string[]): Promise<string> {
    return (await this.cluster.kubectl(args)).stdout;
  }

  /** `kubectl apply -f -`. */
  async apply(...objects: KubernetesObject[]): Promise<void> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    await this.cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) });
  }

  async find(name: string, namespace = 'default'): Promise<KubernetesObject | undefined> {
    const answer = await this.cluster.api.ask('GET', `/api/v1/namespaces/${namespace}/pods/${name}`);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw new Error(`the API server answered ${answer.status}`);
    return answer.body;
  }

  async get(name: string, namespace = 'default'): Promise<KubernetesObject> {
    const pod = await this.find(name, namespace);
    if (pod === undefined) throw new Error(`there is no pod ${namespace}/${name}`);
    return pod;
  }

  async list(selector = '', namespace = 'default'): Promise<KubernetesObject[]> {
    const query = selector === '' ? '' : `?labelSelector=${encodeURIComponent(selector)}`;
    return (await this.cluster.api.call('GET', `/api/v1/namespaces/${namespace}/pods${query}`)).items;
  }

  /** Waits until the pod satisfies a condition; the failure shows its status. */
  until(
    name: string,
    what: string,
    condition: (pod: KubernetesObject) => unknown,
    { namespace = 'default', deadlineMs = 60_000 } = {},
  ): Promise<KubernetesObject> {
    return eventually(
      async () => {
        const pod = await this.get(name, namespace);
        if (condition(pod)) return pod;
        throw new Error(`its status is ${JSON.stringify(pod.status)}`);
      },
      { what: `pod ${namespace}/${name} ${what}`, deadlineMs, everyMs: 100 },
    );
  }

  untilPhase(
    name: string,
    phase: string,
    options: { namespace?: string; deadlineMs?: number } = {},
  ): Promise<KubernetesObject> {
    return this.until(name, `is ${phase}`, (pod) => pod.status.phase === phase, options);
  }

  async untilGone(name: string, { namespace = 'default', deadlineMs = 60_000 } = {}): Promise<void> {
    await eventually(async () => (await this.find(name, namespace)) === undefined, {
      what: `pod ${namespace}/${name} is gone`,
      deadlineMs,
      everyMs: 50,
    });
  }

  /** Kubernetes Events about one object, oldest first. */
  async events(name: string, namespace = 'default'): Promise<KubernetesObject[]> {
    const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=involvedObject.name%3D${name}`;
    const { items } = await this.cluster.api.call('GET', path);
    return items.sort((a: KubernetesObject, b: KubernetesObject) => timeOf(a) - timeOf(b));
  }

  untilEvent(
    name: string,
    reason: string,
    { namespace = 'default', deadlineMs = 30_000 } = {},
  ): Promise<KubernetesObject> {
    return eventually(
      async () => {
        const events = await this.events(name, namespace);
        const found = events.find((event) => event.reason === reason);
        if (found !== undefined) return found;
        throw new Error(`its events are ${events.map((event) => event.reason).join(', ') || 'none'}`);
      },
      { what: `pod ${namespace}/${name} has event ${reason}`, deadlineMs, everyMs: 100 },
    );
  }
}

const timeOf = (event: KubernetesObject): number => Date.parse(event.firstTimestamp ?? event.eventTime ?? 0);
