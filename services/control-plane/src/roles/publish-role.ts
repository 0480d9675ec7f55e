import type { Checkpoints, EventStore } from '#libs/event-store';
import type { Messaging, TopicSpec } from '#libs/messaging';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock, Ids, Random } from '#libs/runtime';
import type { RunningRole } from '../running-role.ts';
import type { ClusterTopics } from '../publish/cluster-topics.ts';
import { EventPublisher } from '../publish/event-publisher.ts';
import type { PodStatusPublisher } from '../publish/pod-status.ts';
import type { KnownClusters } from '../publish/ports.ts';
import { PreparedClusters } from '../publish/prepared-clusters.ts';
import { startPublisherLoop } from '../publish/publisher-loop.ts';

interface PublishPorts<Tx> {
  readonly fleet: string;
  /** Events opened: a pod's owner is told what they say. */
  readonly store: EventStore;
  /** Events as they are stored: the feed tells these, and proves them. */
  readonly stored: EventStore;
  readonly checkpoints: Checkpoints<Tx>;
  readonly messaging: Messaging;
  readonly statuses: PodStatusPublisher;
  readonly clusters: KnownClusters;
  /** Topics that all clusters share. */
  readonly fleetTopics: readonly TopicSpec[];
  /** Topics of single clusters. */
  readonly topics: Pick<ClusterTopics, 'prepare' | 'fill'>;
  /** A hint that there may be new events. Returns how to stop listening. */
  readonly appended: { on(listener: () => void): () => void };
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Role `publish`: from events to pod statuses and CloudEvents. */
export function publishRole<Tx>(ports: PublishPorts<Tx>): RunningRole {
  const { stored, messaging, topics, fleetTopics, ids } = ports;
  const reach = new PreparedClusters({
    ...ports,
    loop: 'publish clusters',
    prepare: (id) => topics.prepare(id),
    fill: (id) => topics.fill(id),
  });
  const publisher = new EventPublisher({ ...ports, reach });
  return startPublisherLoop({
    ...ports,
    store: stored,
    publish: (events) => publisher.publish(events),
    prepareTopics: async () => {
      await messaging.ensureTopics(fleetTopics);
      await reach.all();
    },
    clusters: reach,
    owner: ids.uuid(),
  });
}
