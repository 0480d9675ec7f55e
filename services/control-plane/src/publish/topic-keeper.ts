import type { Parts } from '../parts.ts';
import type { RunningRole } from '../running-role.ts';
import { SupervisedLoop } from '../supervised-loop.ts';
import { fleetTopics } from './fleet-topics.ts';
import { PreparedClusters } from './prepared-clusters.ts';

const EVERY_MS = 30_000;

/**
 * Makes the fleet's topics again when they are gone, with the rights on them: brokers that were lost with their data, a topic that somebody removed.
 * Without it nothing would be made until something is published, and agents would have nowhere to say what they want. Any number of processes
 * may do it: whoever makes a topic fills it.
 */
export function startTopicKeeper(
  parts: Pick<Parts, 'config' | 'messaging' | 'clusters' | 'topics' | 'clock' | 'random' | 'logger' | 'metrics'>,
): RunningRole {
  const { config, messaging, clusters, topics, clock, random, logger, metrics } = parts;
  const name = 'topics';
  const prepared = new PreparedClusters({
    loop: name,
    clusters,
    prepare: (id) => topics.prepare(id),
    fill: (id) => topics.fill(id),
    clock,
    random,
    logger,
    metrics,
  });
  const loop = new SupervisedLoop({
    name,
    clock,
    random,
    logger,
    metrics,
    idleMs: EVERY_MS,
    step: async () => {
      const made = await messaging.ensureTopics(fleetTopics(config));
      if (made.length > 0) {
        logger.warn('topics of the fleet were gone; made them again', { topics: made });
        await prepared.all();
      } else {
        await prepared.again();
      }
      return Math.min(prepared.dueInMs() ?? EVERY_MS, EVERY_MS);
    },
  });
  loop.start();
  // A broker that is away is told by messaging itself.
  return { stop: () => loop.stop(), trouble: () => undefined, setAside: () => prepared.setAside() };
}
