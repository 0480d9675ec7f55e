import { agentGroup, topics } from '#libs/contracts';
import type { Messaging } from '#libs/messaging';
import { agentPrincipal } from '../sessions/principals.ts';
import type { AgentQuotas } from './agent-quotas.ts';

/** The topic of each cluster, and who may read it. */
export class ClusterTopics {
  private readonly messaging: Messaging;
  private readonly fleet: string;
  private readonly refill: (clusterId: string) => Promise<void>;
  private readonly quotas: Pick<AgentQuotas, 'settleOne'> | undefined;

  constructor(parts: {
    readonly messaging: Messaging;
    readonly fleet: string;
    /** Publishes again every status that a new, empty topic lacks. */
    readonly refill: (clusterId: string) => Promise<void>;
    /** Absent: Kafka is told nothing of how much an agent may write. */
    readonly quotas?: Pick<AgentQuotas, 'settleOne'>;
  }) {
    this.messaging = parts.messaging;
    this.fleet = parts.fleet;
    this.refill = parts.refill;
    this.quotas = parts.quotas;
  }

  /** Makes the topic if it is missing, fills a new one, and lets the cluster's agent in, with a quota. Repeating it is harmless. */
  async prepare(clusterId: string): Promise<void> {
    const names = topics(this.fleet);
    const topic = names.cluster(clusterId);
    const made = await this.messaging.ensureTopics([{ name: topic, partitions: 1, compacted: true }]);
    await this.messaging.grantCluster(agentPrincipal(this.fleet, clusterId), {
      write: [names.intents],
      read: [topic],
      group: agentGroup(this.fleet, clusterId),
    });
    await this.quotas?.settleOne(clusterId);
    if (made.includes(topic)) await this.refill(clusterId);
  }

  /** Says to the cluster's topic everything that it should hold. */
  fill(clusterId: string): Promise<void> {
    return this.refill(clusterId);
  }

  /** Shuts the cluster's agent out and removes its topic. */
  async remove(clusterId: string): Promise<void> {
    await this.messaging.revokeCluster(agentPrincipal(this.fleet, clusterId));
    await this.messaging.deleteTopic(topics(this.fleet).cluster(clusterId));
    await this.quotas?.settleOne(clusterId);
  }
}
