import { agentGroup, topics } from '#libs/contracts';
import type { Messaging } from '#libs/messaging';
import { agentOf, principalOf } from '../clusters/principal.ts';
import type { Standing } from '../clusters/standings.ts';
import type { AgentQuotas } from './agent-quotas.ts';

/** The topic of each cluster, and who may read it. */
export class ClusterTopics {
  private readonly messaging: Messaging;
  private readonly fleet: string;
  private readonly standing: (clusterId: string) => Promise<Standing>;
  private readonly refill: (clusterId: string) => Promise<void>;
  private readonly prove: ((clusterId: string) => Promise<void>) | undefined;
  private readonly quotas: Pick<AgentQuotas, 'settleOne'> | undefined;

  constructor(parts: {
    readonly messaging: Messaging;
    readonly fleet: string;
    /** What the cluster's agent may be given now. */
    readonly standing: (clusterId: string) => Promise<Standing>;
    /** Publishes again every status that a new, empty topic lacks. */
    readonly refill: (clusterId: string) => Promise<void>;
    /** Says everything once more where that is due, so that all of it can be proven under the newest key. Absent: nothing is due. */
    readonly prove?: (clusterId: string) => Promise<void>;
    /** Absent: Kafka is told nothing of how much an agent may write. */
    readonly quotas?: Pick<AgentQuotas, 'settleOne'>;
  }) {
    this.messaging = parts.messaging;
    this.fleet = parts.fleet;
    this.standing = parts.standing;
    this.refill = parts.refill;
    this.prove = parts.prove;
    this.quotas = parts.quotas;
  }

  /**
   * Makes the topic if it is missing, fills a new one, and lets the cluster's agent in, with a quota, unless the cluster was unregistered. Repeating it is
   * harmless. The broker knows no transaction with the database, so the cluster is looked at again after each change: whatever ended meanwhile
   * is taken back. What a process leaves that dies in between, {@link sweepRights} finds.
   */
  async prepare(clusterId: string): Promise<void> {
    const names = topics(this.fleet);
    const topic = names.cluster(clusterId);
    for (let before = await this.standing(clusterId); before.registered;) {
      const { generation } = before;
      const made = await this.messaging.ensureTopics([{ name: topic, partitions: 1, compacted: true }]);
      if (before.joined)
        await this.messaging.grantCluster(principalOf(this.fleet, clusterId, generation), {
          write: [names.intents],
          read: [topic],
          group: agentGroup(this.fleet, clusterId),
        });
      if (generation > 0) await this.messaging.revokeCluster(principalOf(this.fleet, clusterId, generation - 1));
      await this.quotas?.settleOne(clusterId);
      if (made.includes(topic)) await this.refill(clusterId);
      else if (before.joined) await this.prove?.(clusterId);

      const now = await this.standing(clusterId);
      if (!now.registered) return this.remove(clusterId, generation);
      if (now.generation === generation && now.joined === before.joined) return;
      if (now.generation !== generation)
        await this.messaging.revokeCluster(principalOf(this.fleet, clusterId, generation));
      before = now;
    }
  }

  /** Says to the cluster's topic everything that it should hold. */
  fill(clusterId: string): Promise<void> {
    return this.refill(clusterId);
  }

  /** Shuts out whoever spoke with this generation of the cluster's key, or one before: an earlier try may have ended halfway. */
  async shutOut(clusterId: string, generation: number): Promise<void> {
    const principals = new Set([principalOf(this.fleet, clusterId, generation)]);
    for (const principal of await this.messaging.principalsWithRights()) {
      const agent = agentOf(this.fleet, principal);
      if (agent?.clusterId === clusterId && agent.generation < generation) principals.add(principal);
    }
    for (const principal of principals) await this.messaging.revokeCluster(principal);
  }

  /** Shuts the cluster's agent out, whose key is of this generation, and removes its topic. */
  async remove(clusterId: string, generation: number): Promise<void> {
    await this.shutOut(clusterId, generation);
    await this.messaging.deleteTopic(topics(this.fleet).cluster(clusterId));
    await this.quotas?.settleOne(clusterId);
  }
}
