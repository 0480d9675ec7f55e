import { isNotFound, resources, type KubernetesApi } from '#libs/kubernetes';
import type { Logger } from '#libs/observability';
import { Loop, type Clock, type LoopStep, type Random } from '#libs/runtime';
import { LEASE_NAMESPACE, leaseOf } from './node-object.ts';

interface HeartbeatOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly nodeName: string;
  /** UID of the node object, once it is known. */
  readonly nodeUid: () => string | undefined;
  /** The API server did not answer for longer than a node's grace: whatever it did to the node has happened by now. */
  readonly onOutage: (awayMs: number) => void;
}

const PERIOD_MS = 10_000;
const RETRY_MS = 200;
const RETRY_FOR_MS = 7_000;
const OUTAGE_MS = 40_000;

/**
 * Renews the node's lease. It depends on the API server and this process, and on nothing else: tied to the cloud, to Kafka or to the control
 * plane, an outage of 50 s there would make the node unknown, and after 300 s delete its pods.
 */
export class Heartbeat {
  private readonly options: HeartbeatOptions;
  private readonly loop: Loop;
  private renewedAt: number;
  private owner: string | undefined;

  constructor(options: HeartbeatOptions) {
    this.options = options;
    this.renewedAt = options.clock.now();
    this.loop = new Loop({
      name: 'heartbeat',
      clock: options.clock,
      random: options.random,
      idleMs: PERIOD_MS,
      step: (stopping) => this.step(stopping),
      onError: (error) => options.logger.error('the lease of the node was not renewed', { error }),
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  nudge(): void {
    this.loop.nudge();
  }

  /** Milliseconds since the last renewal. */
  age(): number {
    return this.options.clock.now() - this.renewedAt;
  }

  private async step(stopping: AbortSignal): Promise<LoopStep> {
    const { clock, logger } = this.options;
    const begun = clock.now();
    while (true) {
      try {
        await this.renew();
        break;
      } catch (error) {
        if (stopping.aborted) return 'idle';
        if (clock.now() - begun > RETRY_FOR_MS) {
          logger.warn('the lease of the node cannot be renewed; trying on', { error });
          return RETRY_MS;
        }
        await clock.sleep(RETRY_MS, stopping);
      }
    }
    const awayMs = clock.now() - this.renewedAt;
    this.renewedAt = clock.now();
    if (awayMs > OUTAGE_MS) this.options.onOutage(awayMs);
    return Math.max(1_000, PERIOD_MS - (clock.now() - begun));
  }

  private async renew(): Promise<void> {
    const { api, clock, nodeName, nodeUid } = this.options;
    const uid = nodeUid();
    const lease = leaseOf(nodeName, uid, clock.now());
    const call = { priority: 'vital', timeoutMs: 5_000 } as const;
    const patch = {
      spec: lease.spec,
      ...(uid !== undefined && uid !== this.owner
        ? { metadata: { ownerReferences: lease.metadata.ownerReferences } }
        : {}),
    };
    try {
      await api.patch(resources.leases, { namespace: LEASE_NAMESPACE, name: nodeName }, 'merge', patch, call);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await api.create(resources.leases, { namespace: LEASE_NAMESPACE }, lease, call);
    }
    this.owner = uid;
  }
}
