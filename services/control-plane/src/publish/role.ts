import { PostgresCheckpoints, PostgresTransactions } from '#libs/event-store';
import { startAudit } from '../audit/start-audit.ts';
import type { Parts, RunningRole } from '../parts.ts';
import { sqlClientOf } from '../transaction.ts';
import { EventPublisher } from './event-publisher.ts';
import { fleetTopics } from './fleet-topics.ts';
import { PreparedClusters } from './prepared-clusters.ts';
import { startPublisherLoop } from './publisher-loop.ts';

/** Role `publish`: from events to pod statuses, CloudEvents and seals. */
export function startPublish(parts: Parts): Promise<RunningRole> {
  const { pool, store, stored, clock, random, ids, logger, metrics, appended } = parts;
  const prepared = new PreparedClusters({
    loop: 'publish clusters',
    clusters: parts.clusters,
    prepare: (id) => parts.topics.prepare(id),
    fill: (id) => parts.topics.fill(id),
    clock,
    random,
    logger,
    metrics,
  });
  const publisher = new EventPublisher({
    store,
    messaging: parts.messaging,
    statuses: parts.statuses,
    reach: prepared,
    fleet: parts.config.fleet,
    metrics,
  });
  const role = startPublisherLoop({
    // The feed tells what is stored, and proves it.
    store: stored,
    checkpoints: new PostgresCheckpoints(sqlClientOf(pool), new PostgresTransactions(pool)),
    publish: (events) => publisher.publish(events),
    prepareTopics: async () => {
      await parts.messaging.ensureTopics(fleetTopics(parts.config));
      await prepared.all();
    },
    clusters: prepared,
    appended,
    owner: ids.uuid(),
    clock,
    random,
    logger,
    metrics,
  });
  const audit = startAudit(parts);
  return Promise.resolve({
    trouble: () => role.trouble(),
    setAside: () => [...role.setAside(), ...audit.setAside()],
    async stop() {
      await Promise.all([role.stop(), audit.stop()]);
    },
  });
}
