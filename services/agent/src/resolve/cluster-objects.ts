import {
  KubernetesError,
  resources,
  type ConfigMapObject,
  type KubernetesApi,
  type KubernetesObject,
  type Resource,
  type SecretObject,
  type ServiceObject,
} from '#libs/kubernetes';
import type { Clock } from '#libs/runtime';

/** Milliseconds that an answer may be used again; long enough for a burst of pods from one template, too short to notice. */
const LIFE_MS = 2_000;
const DNS_LIFE_MS = 60_000;
const SWEEP_ABOVE = 256;

interface Kept {
  readonly until: number;
  readonly answer: Promise<unknown>;
}

/**
 * Objects that pods name, read one by one when a pod needs them: the agent keeps no copy of the cluster, and may not list Secrets or
 * ConfigMaps. Answers, also "does not exist", are shared for two seconds. Failures are not kept.
 */
export class ClusterObjects {
  private readonly api: KubernetesApi;
  private readonly clock: Clock;
  private readonly kept = new Map<string, Kept>();

  constructor(api: KubernetesApi, clock: Clock) {
    this.api = api;
    this.clock = clock;
  }

  configMap(namespace: string, name: string, fresh = false): Promise<ConfigMapObject | undefined> {
    return this.object(resources.configMaps, namespace, name, LIFE_MS, fresh);
  }

  secret(namespace: string, name: string, fresh = false): Promise<SecretObject | undefined> {
    return this.object(resources.secrets, namespace, name, LIFE_MS, fresh);
  }

  /** Services of a namespace, for the variables of service links. */
  services(namespace: string): Promise<readonly ServiceObject[]> {
    return this.keep(`services ${namespace}`, LIFE_MS, false, async () => {
      const page = await this.api.list(resources.services, { namespace });
      return page.items;
    });
  }

  /** Service `kubernetes` of namespace `default`. */
  master(): Promise<ServiceObject | undefined> {
    return this.object(resources.services, 'default', 'kubernetes', DNS_LIFE_MS, false);
  }

  /** Address of the cluster's DNS, if it runs under the usual name. */
  async clusterDns(): Promise<string | undefined> {
    const service = await this.object(resources.services, 'kube-system', 'kube-dns', DNS_LIFE_MS, false);
    const ip = service?.spec?.clusterIP;
    return ip === undefined || ip === '' || ip === 'None' ? undefined : ip;
  }

  private object<T extends KubernetesObject>(
    resource: Resource<T>,
    namespace: string,
    name: string,
    lifeMs: number,
    fresh: boolean,
  ): Promise<T | undefined> {
    return this.keep(`${resource.plural} ${namespace}/${name}`, lifeMs, fresh, async () => {
      try {
        return await this.api.find(resource, { namespace, name }, { priority: 'high' });
      } catch (error) {
        // A name that no object can have is a name that does not exist.
        if (error instanceof KubernetesError && (error.status === 400 || error.status === 422)) return undefined;
        throw error;
      }
    });
  }

  private keep<T>(key: string, lifeMs: number, fresh: boolean, read: () => Promise<T>): Promise<T> {
    const now = this.clock.now();
    const kept = this.kept.get(key);
    if (kept && kept.until > now && !fresh) return kept.answer as Promise<T>;
    if (this.kept.size > SWEEP_ABOVE) {
      for (const [k, v] of this.kept) if (v.until <= now) this.kept.delete(k);
    }
    const answer = read();
    this.kept.set(key, { until: now + lifeMs, answer });
    answer.catch(() => {
      if (this.kept.get(key)?.answer === answer) this.kept.delete(key);
    });
    return answer;
  }
}
