import { resources, type KubernetesApi } from '#libs/kubernetes';
import type { Logger } from '#libs/observability';
import { Loop, type Clock, type LoopStep, type Random } from '#libs/runtime';
import type { PodEvents } from '../events/pod-events.ts';
import { isForVirtualNode, whyNeverBound } from './never-bound.ts';

interface UnboundPodsOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly events: Pick<PodEvents, 'say' | 'forget'>;
  readonly nodeName: string;
}

const LOOK_MS = 30_000;
/** A cluster with so many pods that wait is asked more rarely: each look reads all of them. */
const MANY = 500;
const LOOK_AT_MANY_MS = 600_000;

/**
 * Tells pods that are meant for the virtual node, and that no scheduler can ever bind to it, why they wait. Nobody else would: the watch of the agent
 * shows bound pods only, and the scheduler speaks of labels in general.
 */
export class UnboundPods {
  private readonly options: UnboundPodsOptions;
  private readonly loop: Loop;
  private told: ReadonlySet<string> = new Set();

  constructor(options: UnboundPodsOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'unbound pods',
      clock: options.clock,
      random: options.random,
      idleMs: LOOK_MS,
      step: () => this.look(),
      onError: (error, failures) => {
        if (failures === 1 || failures % 10 === 0)
          options.logger.warn('pods that wait for a node cannot be read', { error, failures });
      },
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  private async look(): Promise<LoopStep> {
    const { api, events, nodeName } = this.options;
    const fieldSelector = 'spec.nodeName=,status.phase=Pending';
    const { items } = await api.list(resources.pods, { fieldSelector, priority: 'low' });
    const ours = items.filter((pod) => pod.metadata.deletionTimestamp === undefined && isForVirtualNode(pod));
    const node = ours.length > 0 ? await api.find(resources.nodes, { name: nodeName }, { priority: 'low' }) : undefined;
    const told = new Set<string>();
    for (const pod of node ? ours : []) {
      const why = whyNeverBound(pod, nodeName, node!.metadata.labels ?? {});
      if (why === undefined) continue;
      told.add(pod.metadata.uid);
      events.say(pod, 'Warning', 'NeverFitsVirtualNode', why);
    }
    for (const uid of this.told) if (!told.has(uid)) events.forget(uid);
    this.told = told;
    return items.length > MANY ? LOOK_AT_MANY_MS : 'idle';
  }
}
