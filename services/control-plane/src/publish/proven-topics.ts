import type { AsideItem, Logger, Metrics } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { isNobodysFault } from '../clusters/whose-fault.ts';
import type { StatusKeys } from '../keys/status-keys.ts';
import type { Parts } from '../parts.ts';
import type { RunningRole } from '../running-role.ts';
import { SetAside } from '../streams/set-aside.ts';
import { SupervisedLoop } from '../supervised-loop.ts';

const EVERY_MS = 15_000;

/** Keys of clusters, as the filling of topics needs them; see {@link StatusKeys}. */
export type FillingKeys = Pick<StatusKeys, 'signing' | 'due' | 'make' | 'beginFilling' | 'filled' | 'gaveUpFilling'>;

/**
 * Sees to it that all of a cluster's topic can be proven under the key that signs: a key begins, and its predecessor ends, with every live status said
 * anew. The same is done once nobody speaks without a MAC any more; from then on the cluster's agent is told to believe nobody who does.
 */
export class ProvenTopics {
  private readonly keys: FillingKeys;
  private readonly refill: (clusterId: string) => Promise<number>;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly aside: SetAside<string>;

  constructor(parts: {
    readonly keys: FillingKeys;
    /** Says every live status of the cluster; returns how many. */
    readonly refill: (clusterId: string) => Promise<number>;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    this.keys = parts.keys;
    this.refill = parts.refill;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.aside = new SetAside({ ...parts, loop: 'status-keys', isTrouble: isNobodysFault });
  }

  /** Does what is due, for all clusters or for one; a cluster whose topic cannot be filled is set aside, and the others are not kept waiting. */
  async settle(clusterId?: string): Promise<void> {
    const due = await this.keys.due(clusterId);
    // One after the other: a fleet that was just upgraded has all of them due.
    for (const { id, rotate } of due)
      await this.aside.each(
        [id],
        (each) => each,
        async () => {
          if (rotate) await this.keys.make(id);
          await this.fill(id, 'unless another does');
        },
      );
    if (clusterId !== undefined) return;
    const stillDue = new Set(due.map(({ id }) => id));
    for (const id of this.aside.due()) if (!stillDue.has(id)) this.aside.forget(id);
  }

  /** Says every live status anew. `even if another does`: the topic is new, and what the other has said may have been on the old one. */
  async fill(clusterId: string, when: 'even if another does' | 'unless another does'): Promise<void> {
    const since = this.clock.now();
    const key = (await this.keys.signing([clusterId])).get(clusterId)?.();
    // Unregistered meanwhile.
    if (!key) return;
    const isOurs = await this.keys.beginFilling(clusterId, key.kid);
    if (!isOurs && when === 'unless another does') return;
    try {
      const statuses = await this.refill(clusterId);
      await this.keys.filled(clusterId, key.kid, since);
      if (statuses > 0) this.logger.info('say all statuses of a cluster anew done', { clusterId, statuses });
    } catch (error) {
      // The one who fails tells of its own failure; if this fails too, the claim ends by itself.
      await this.keys.gaveUpFilling(clusterId, key.kid).catch(() => undefined);
      throw error;
    }
  }

  /** Milliseconds until one that was set aside is tried again; undefined when none waits. */
  dueInMs(): number | undefined {
    return this.aside.dueInMs();
  }

  setAside(): readonly AsideItem[] {
    return this.aside.list();
  }
}

/** Watches who speaks without a MAC, and does what is due. Any number of processes may do it: each cluster has one at a time that fills its topic. */
export function startProvenTopics(
  parts: Pick<Parts, 'clock' | 'random' | 'logger' | 'metrics'> & {
    readonly topics: Pick<ProvenTopics, 'settle' | 'setAside' | 'dueInMs'>;
    readonly keys: Pick<StatusKeys, 'watchSpeakers' | 'unproven'>;
  },
): RunningRole {
  const { topics, keys, clock, random, logger, metrics } = parts;
  const unproven = metrics.gauge(
    'eci_fleet_clusters_unproven_statuses',
    'Clusters whose agents still believe statuses and commands that carry no MAC',
  );
  let wereSeen = false;
  const loop = new SupervisedLoop({
    name: 'status-keys',
    clock,
    random,
    logger,
    metrics,
    idleMs: EVERY_MS,
    step: async () => {
      const areSeen = await keys.watchSpeakers();
      if (areSeen && !wereSeen)
        logger.warn(
          'a control plane of an older version is there, which proves nothing of what it says: agents believe it until it has been gone for a while',
        );
      wereSeen = areSeen;
      await topics.settle();
      unproven.set(await keys.unproven());
      return Math.min(topics.dueInMs() ?? EVERY_MS, EVERY_MS);
    },
  });
  loop.start();
  return { stop: () => loop.stop(), trouble: () => loop.trouble(), setAside: () => topics.setAside() };
}
