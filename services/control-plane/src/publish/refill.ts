import type { Pool } from 'pg';
import type { PodStatusPublisher } from './pod-status.ts';

const PAGE = 200;

/**
 * Publishes every status of a cluster again, for a topic that was just made. The streams are taken from the read model; one that is not in it
 * yet is published by its own event, or asked for by the agent's next inventory.
 */
export class ClusterTopicRefill {
  private readonly pool: Pool;
  private readonly statuses: PodStatusPublisher;

  constructor(parts: { readonly pool: Pool; readonly statuses: PodStatusPublisher }) {
    this.pool = parts.pool;
    this.statuses = parts.statuses;
  }

  /** Returns how many streams were published. */
  async refill(clusterId: string): Promise<number> {
    let count = 0;
    for (let after = ''; ;) {
      const { rows } = await this.pool.query<{ stream_id: string }>(
        `select stream_id from fleet.container_group
          where cluster_id = $1 and stream_id > $2 and not (closed and pod_object_gone) order by stream_id limit $3`,
        [clusterId, after, PAGE],
      );
      const last = rows.at(-1);
      if (last === undefined) return count;
      await this.statuses.publish(rows.map((row) => row.stream_id));
      count += rows.length;
      after = last.stream_id;
    }
  }
}
