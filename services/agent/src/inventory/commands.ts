import type { ClusterCommand } from '#libs/contracts';
import { resources, type KubernetesApi, type PodObject, type Reflector, type Stored } from '#libs/kubernetes';
import type { AsideItems, Logger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { PodIntents } from '../pods/pod-intents.ts';
import { isTrouble } from '../trouble.ts';
import { WorkQueue } from '../work-queue.ts';
import type { Inventories } from './inventories.ts';

interface CommandsOptions {
  readonly api: KubernetesApi;
  readonly pods: Pick<Reflector<PodObject>, 'get'>;
  readonly intents: PodIntents;
  readonly inventories: Pick<Inventories, 'sendNow'>;
  /** Namespace and name of a pod that the watch no longer has, from its last status. */
  readonly nameOf: (uid: string) => Name | undefined;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Pods that cannot be looked at again. */
  readonly aside: AsideItems;
}

interface Name {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Answers what the control plane asks. `Recheck` and `Refresh` say UIDs; what is true of each is read from the API server itself, not from the
 * cache, before anything is called absent: a wrong "absent" ends a workload.
 */
export class Commands {
  private readonly options: CommandsOptions;
  private readonly latest = new Map<ClusterCommand['name'], string>();
  private readonly queue: WorkQueue;
  private readonly askedAt = new Map<string, number>();
  private listing: { readonly begunAt: number; readonly names: Promise<ReadonlyMap<string, Name>> } | undefined;

  constructor(options: CommandsOptions) {
    this.options = options;
    this.queue = new WorkQueue({
      clock: options.clock,
      random: options.random,
      concurrency: 16,
      work: (uid) => this.check(uid),
      aside: options.aside,
      isTrouble,
      onError: (podUid, error, failures) => {
        if (isTrouble(error) && (failures === 1 || failures % 10 === 0))
          options.logger.warn('a pod was not rechecked; trying on', { podUid, error });
      },
    });
  }

  resume(): void {
    this.queue.resume();
  }

  pause(): void {
    this.queue.pause();
  }

  async stop(): Promise<void> {
    await this.queue.stop();
  }

  onCommand(command: ClusterCommand): void {
    const before = this.latest.get(command.name);
    // A topic that is read again from its beginning brings old commands; one that is older than what was done is done.
    if (before !== undefined && Date.parse(command.at) <= Date.parse(before)) return;
    this.latest.set(command.name, command.at);
    switch (command.name) {
      case 'SendInventory':
        this.options.inventories.sendNow();
        return;
      case 'Recheck':
      case 'Refresh':
        for (const uid of command.uids) {
          this.askedAt.set(uid, this.options.clock.now());
          this.queue.add(uid);
        }
    }
  }

  private async check(uid: string): Promise<void> {
    const { pods, intents, nameOf, nodeName, logger } = this.options;
    const name = pods.get(uid)?.metadata ?? intents.nameOf(uid) ?? nameOf(uid);
    const known = name && { namespace: name.namespace, name: name.name };
    const pod = known ? await this.read(known.namespace, known.name, uid) : await this.search(uid);
    this.askedAt.delete(uid);
    if (!pod) {
      // The watch may bring it in this very moment; it cannot have it and be right while the API server has not.
      intents.absent(uid, known);
      return;
    }
    if (pod.spec.nodeName !== nodeName) {
      logger.warn('asked about a pod of another node; leaving it alone', {
        podUid: uid,
        node: pod.spec.nodeName ?? '',
      });
      return;
    }
    intents.again(pod);
  }

  private async read(namespace: string, name: string, uid: string): Promise<Stored<PodObject> | undefined> {
    const pod = await this.options.api.find(resources.pods, { namespace, name });
    return pod?.metadata.uid === uid ? pod : undefined;
  }

  /**
   * No index leads from a UID to a pod, so all pods of the cluster are listed (names only), once for all that asked before the list began. The
   * list is complete, or it throws. The whole cluster, because a renamed node would make pods bound to the old name look absent.
   */
  private async search(uid: string): Promise<Stored<PodObject> | undefined> {
    const { api, clock } = this.options;
    const asked = this.askedAt.get(uid) ?? clock.now();
    if (!this.listing || this.listing.begunAt < asked) {
      const names = api
        .list(resources.pods, { metadataOnly: true, priority: 'low' })
        .then(
          ({ items }) => new Map(items.map(({ metadata: m }) => [m.uid, { namespace: m.namespace, name: m.name }])),
        );
      const listing = { begunAt: clock.now(), names };
      this.listing = listing;
      names.then(
        // Kept as long as somebody may use it, which is until the queue has run dry.
        () => undefined,
        () => {
          if (this.listing === listing) this.listing = undefined;
        },
      );
    }
    const found = (await this.listing.names).get(uid);
    if (this.queue.size <= 1) this.listing = undefined;
    return found && (await this.read(found.namespace, found.name, uid));
  }
}
