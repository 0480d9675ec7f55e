import type { Pool, PoolClient } from 'pg';

/** What an agent of the cluster may be given now. */
export interface Standing {
  /** It was not unregistered: it has a topic. */
  readonly registered: boolean;
  /** An agent has joined, and its key is good. */
  readonly joined: boolean;
  /** Number of the cluster's key; it grows whenever one ends. */
  readonly generation: number;
}

/** Clusters as the database has them now, never from memory: rights hang on it. */
export class Standings {
  private readonly pool: Pool;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  async of(clusterId: string): Promise<Standing> {
    return (await this.all([clusterId])).get(clusterId) ?? { registered: false, joined: false, generation: 0 };
  }

  /** Those of the clusters that there are or were, by id. */
  async all(clusterIds: readonly string[]): Promise<ReadonlyMap<string, Standing>> {
    const { rows } = await this.pool.query<{ id: string } & Standing>(
      `select id, key_generation as generation, unregistered_at is null as registered, unregistered_at is null and public_key is not null as joined
         from fleet.cluster where id = any ($1)`,
      [clusterIds],
    );
    return new Map(rows.map(({ id, ...standing }) => [id, standing]));
  }
}

/**
 * Ends the key that the cluster's agent speaks with, and what was given for it: the envelope and status keys here and now; session and access token have
 * nothing to stand on any more; its rights on Kafka are another principal's than those of the next key. The caller holds the cluster's row, and says what becomes of the public key.
 */
export async function endAgentKey(
  client: PoolClient,
  cluster: { readonly id: string; readonly key_thumbprint: string | null },
  now: Date,
): Promise<void> {
  if (cluster.key_thumbprint !== null) {
    await client.query(
      'insert into fleet.retired_agent_key (cluster_id, thumbprint, retired_at) values ($1, $2, $3) on conflict do nothing',
      [cluster.id, cluster.key_thumbprint, now],
    );
  }
  await client.query(
    'update fleet.cluster set key_generation = key_generation + 1, session_agent_id = null where id = $1',
    [cluster.id],
  );
  await client.query('delete from fleet.envelope_key where cluster_id = $1', [cluster.id]);
  await client.query('delete from fleet.status_key where cluster_id = $1', [cluster.id]);
  await client.query('delete from fleet.agent_assertion where cluster_id = $1', [cluster.id]);
}
