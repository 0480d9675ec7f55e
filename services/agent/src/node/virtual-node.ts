import {
  isConflict,
  isNotFound,
  Reflector,
  resources,
  type KubernetesApi,
  type NodeObject,
  type Stored,
} from '#libs/kubernetes';
import type { Logger } from '#libs/observability';
import { Loop, type Clock, type LoopStep, type Random } from '#libs/runtime';
import type { AgentConfig } from '../config.ts';
import {
  needsWrite,
  nodeMetadataOf,
  nodeSpecOf,
  nodeStatusOf,
  wasNotReady,
  wholeSeconds,
  type NodeView,
} from './node-object.ts';

interface VirtualNodeOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly config: AgentConfig;
  readonly version: string;
  readonly view: () => NodeView;
  /** The node is Ready again after it was not: Kubernetes has set its pods to not ready, once, and nobody sets them back but us. */
  readonly onReadyAgain: () => void;
  /** The node object has (another) UID. */
  readonly onNode: (uid: string) => void;
}

const CHECK_MS = 10_000;
/** As a kubelet does without changes. */
const REPORT_MS = 300_000;

/**
 * The Node object: made when missing (within a second of its deletion, because the garbage collector takes the pods of a node that is gone
 * for a minute), kept as it should be by patches that leave the conditions, labels and taints of others alone.
 */
export class VirtualNode {
  private readonly options: VirtualNodeOptions;
  private readonly reflector: Reflector<NodeObject>;
  private readonly loop: Loop;
  private uid_: string | undefined;
  private reportedAt = 0;
  private recovering = false;

  constructor(options: VirtualNodeOptions) {
    this.options = options;
    const { api, clock, random, logger, config } = options;
    this.reflector = new Reflector<NodeObject>({
      api,
      clock,
      random,
      resource: resources.nodes,
      fieldSelector: `metadata.name=${config.nodeName}`,
      onChange: (change) => {
        if (change.kind === 'deleted') {
          if (change.object.metadata.uid === this.uid_) logger.warn('the node object was deleted; making it again');
          this.loop.nudge();
        } else if (wasNotReady(change.object)) {
          this.loop.nudge();
        }
      },
      onError: (error, failures) => {
        if (failures === 1) logger.warn('the node cannot be watched', { error });
      },
    });
    this.loop = new Loop({
      name: 'virtual-node',
      clock,
      random,
      idleMs: CHECK_MS,
      step: () => this.step(),
      onError: (error, failures) => {
        if (failures === 1 || failures % 10 === 0) logger.warn('the node cannot be written', { error });
      },
    });
  }

  start(): void {
    this.reflector.start();
    this.loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.loop.stop(), this.reflector.stop()]);
  }

  get uid(): string | undefined {
    return this.uid_;
  }

  /** Looks at the node now: something it shows has changed. */
  nudge(): void {
    this.loop.nudge();
  }

  /** Writes Ready with a new heartbeat even when nothing seems to differ: a fresh lease alone does not bring back a node given up. */
  reportNow(): void {
    this.reportedAt = 0;
    this.recovering = true;
    this.loop.nudge();
  }

  private async step(): Promise<LoopStep> {
    await this.reflector.synced();
    const { clock, config, version, view, onNode, onReadyAgain } = this.options;
    const node = this.current() ?? (await this.create());
    if (node.metadata.uid !== this.uid_) {
      this.uid_ = node.metadata.uid;
      onNode(node.metadata.uid);
    }
    const notReady = wasNotReady(node);
    if (notReady) this.recovering = true;
    await this.keepMetadata(node);
    const due = clock.now() - this.reportedAt >= REPORT_MS;
    if (notReady || due || needsWrite(node, config, version, view())) {
      await this.report(node);
      this.reportedAt = clock.now();
      if (this.recovering) {
        this.recovering = false;
        onReadyAgain();
      }
    }
    return 'idle';
  }

  private current(): Stored<NodeObject> | undefined {
    for (const node of this.reflector.values()) return node;
    return undefined;
  }

  private async create(): Promise<Stored<NodeObject>> {
    const { api, config, clock, version, view, logger } = this.options;
    const place = { name: config.nodeName };
    const found = await api.find(resources.nodes, place, { priority: 'vital' });
    if (found) return found;
    try {
      const node = await api.create(
        resources.nodes,
        {},
        {
          apiVersion: 'v1',
          kind: 'Node',
          metadata: { name: config.nodeName, ...nodeMetadataOf(config) },
          spec: nodeSpecOf(config),
          status: nodeStatusOf(config, version, view(), wholeSeconds(clock.now())),
        },
        { priority: 'vital' },
      );
      logger.info('made the node object', { node: config.nodeName });
      this.reportedAt = 0;
      // A node made anew has the pods of its predecessor; their conditions may have been touched meanwhile.
      this.recovering = this.uid_ !== undefined;
      return node;
    } catch (error) {
      if (isConflict(error)) return await api.get(resources.nodes, place, { priority: 'vital' });
      throw error;
    }
  }

  private async report(node: Stored<NodeObject>): Promise<void> {
    const { api, clock, config, version, view } = this.options;
    const status = nodeStatusOf(config, version, view(), wholeSeconds(clock.now()), node.status?.conditions);
    try {
      // Strategic: conditions are merged by type, addresses by type; those of others stay.
      await api.patch(
        resources.nodes,
        { name: config.nodeName, subresource: 'status' },
        'strategic',
        {
          metadata: { uid: node.metadata.uid },
          status: { ...status, addresses: [{ $patch: 'replace' }, ...(status.addresses as object[])] },
        },
        { priority: 'vital' },
      );
    } catch (error) {
      // Deleted, or replaced by another of its name: the watch says so too, and the next round makes or takes it.
      if (isNotFound(error) || isConflict(error)) this.loop.nudge();
      throw error;
    }
  }

  private async keepMetadata(node: Stored<NodeObject>): Promise<void> {
    const { api, config } = this.options;
    const wanted = nodeMetadataOf(config);
    const labels = missing(wanted.labels, node.metadata.labels);
    const annotations = missing(wanted.annotations, node.metadata.annotations);
    const taint = config.taint;
    const taints = node.spec?.taints ?? [];
    const tainted = taints.some(
      (t) => t.key === taint.key && t.effect === taint.effect && (t.value ?? '') === taint.value,
    );
    if (!labels && !annotations && tainted) return;
    await api.patch(
      resources.nodes,
      { name: config.nodeName },
      'merge',
      {
        metadata: {
          uid: node.metadata.uid,
          // Taints are written as a whole, so nobody may have changed them in between.
          ...(tainted ? {} : { resourceVersion: node.metadata.resourceVersion }),
          ...(labels ? { labels } : {}),
          ...(annotations ? { annotations } : {}),
        },
        ...(tainted
          ? {}
          : { spec: { taints: [...taints.filter((t) => t.key !== taint.key || t.effect !== taint.effect), taint] } }),
      },
      { priority: 'vital' },
    );
  }
}

function missing(
  wanted: Record<string, string>,
  is: Record<string, string> | undefined,
): Record<string, string> | undefined {
  const entries = Object.entries(wanted).filter(([key, value]) => is?.[key] !== value);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
