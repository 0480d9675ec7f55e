import { agentGroup, topics } from '#libs/contracts';
import type { Messaging } from '#libs/messaging';

/** The topic of each cluster, and who may read it. */
export class ClusterTopics {
  private readonly messaging: Messaging;
  private readonly fleet: string;
  private readonly refill: (clusterId: string) => Promise<void>;

  constructor(parts: {
    readonly messaging: Messaging;
    readonly fleet: string;
    /** Publishes again every status that a new, empty topic lacks. */
    readonly refill: (clusterId: string) => Promise<void>;
  }) {
    this.messaging = parts.messaging;
    this.fleet = parts.fleet;
    this.refill = parts.refill;
  }

  /** Makes the topic if it is missing, fills a new one, and lets the cluster's agent in. Repeating it is harmless. */
  async prepare(clusterId: string): Promise<void> {
    const names = topics(this.fleet);
    const topic = names.cluster(clusterId);
    const made = await this.messaging.ensureTopics([{ name: topic, partitions: 1, compacted: true }]);
    await this.messaging.grantCluster(this.principalOf(clusterId), {
      write: [names.intents],
      read: [topic],
      group: agentGroup(this.fleet, clusterId),
    });
    if (made.includes(topic)) await this.refill(clusterId);
  }

  /** Says to the cluster's topic everything that it should hold. */
  fill(clusterId: string): Promise<void> {
    return this.refill(clusterId);
  }

  /** Shuts the cluster's agent out and removes its topic. */
  async remove(clusterId: string): Promise<void> {
    await this.messaging.revokeCluster(this.principalOf(clusterId));
    await this.messaging.deleteTopic(topics(this.fleet).cluster(clusterId));
  }

  private principalOf(clusterId: string): string {
    return `${this.fleet}.${clusterId}`;
  }
}
