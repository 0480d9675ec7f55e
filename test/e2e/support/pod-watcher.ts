import { Connection, KubernetesApi, Reflector, resources, type PodObject, type Stored } from '#libs/kubernetes';
import type { KubernetesCluster } from '#libs/testing';
import { SystemClock, SystemRandom } from '#libs/runtime';
import { goesOn } from '../../simulation/oracles/goes-on.ts';

/** Somebody who watches the pods of the virtual node, as controllers do, and takes note of every change that goes back on what they saw before. */
export class PodWatcher {
  private readonly objections: string[] = [];
  private readonly pods: Reflector<PodObject>;
  private readonly api: KubernetesApi;

  constructor(cluster: KubernetesCluster) {
    const [clock, random] = [new SystemClock(), new SystemRandom()];
    this.api = new KubernetesApi({
      connection: Connection.load({ kubeconfig: cluster.kubeconfig }),
      clock,
      userAgent: 'pod-watcher',
    });
    this.pods = new Reflector<PodObject>({
      api: this.api,
      clock,
      random,
      resource: resources.pods,
      fieldSelector: 'spec.nodeName=virtual-kubelet',
      onChange: (change) => {
        if (change.kind === 'modified') this.look(change.previous, change.object);
      },
    });
  }

  /** Resolves once it has seen all pods that there are. */
  start(): Promise<void> {
    this.pods.start();
    return this.pods.synced();
  }

  /** What went back since it was asked last, in words. */
  takeObjections(): readonly string[] {
    return this.objections.splice(0);
  }

  async stop(): Promise<void> {
    await this.pods.stop();
    await this.api.close();
  }

  private look(before: Stored<PodObject>, after: Stored<PodObject>): void {
    try {
      goesOn(before, after, after.metadata.deletionTimestamp !== undefined || isAnothersWord(after));
    } catch (error) {
      this.objections.push((error as Error).message);
    }
  }
}

/** The node controller calls pods of a silent node not ready, and leaves their containers as they are. */
function isAnothersWord({ status }: Stored<PodObject>): boolean {
  const containers = (status?.['containerStatuses'] ?? []) as readonly { readonly ready: boolean }[];
  return containers.length > 0 && containers.every(({ ready }) => ready);
}
