import type { KubernetesApi } from './api.ts';
import type { KubernetesCluster } from './cluster.ts';

/** Pods of a node that nobody keeps, in a namespace of their own: what a kubelet would write of them, the spec writes. */
export class PodsWithoutKubelet {
  readonly namespace: string;
  private readonly cluster: KubernetesCluster;
  private readonly drop: () => Promise<void>;

  private constructor(cluster: KubernetesCluster, namespace: { readonly name: string; drop(): Promise<void> }) {
    this.cluster = cluster;
    this.namespace = namespace.name;
    this.drop = () => namespace.drop();
  }

  static async in(cluster: KubernetesCluster): Promise<PodsWithoutKubelet> {
    return new PodsWithoutKubelet(cluster, await cluster.createNamespace());
  }

  get api(): KubernetesApi {
    return this.cluster.api;
  }

  /** Of the object. */
  pathOf(name: string): string {
    return `/api/v1/namespaces/${this.namespace}/pods/${name}`;
  }

  /** Returns it as the API server has completed it. */
  async create(name: string, spec: object): ReturnType<KubernetesApi['call']> {
    return this.api.call('POST', `/api/v1/namespaces/${this.namespace}/pods`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: name } },
      spec: { nodeName: 'virtual-kubelet-of-this-test', terminationGracePeriodSeconds: 0, ...spec },
    });
  }

  /** Closes the cluster as well. */
  async close(): Promise<void> {
    await this.drop();
    await this.cluster.close();
  }
}
