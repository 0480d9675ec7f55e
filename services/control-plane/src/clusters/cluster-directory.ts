import type { Pool } from 'pg';
import type { Clock } from '#libs/runtime';

/** What loops need to know of a cluster. */
interface KnownCluster {
  readonly id: string;
  readonly name: string;
  readonly accountId: string;
  /** It has joined and was not unregistered: it has a topic and may be spoken to. */
  readonly live: boolean;
  /** Number of its newest session. */
  readonly epoch: number;
}

const CACHE_MS = 5_000;
/** A session that was just made is known at once; one that somebody made up costs a query no more often than this. */
const EPOCH_MS = 100;

/** Clusters by id, read once every few seconds at most. What another replica changed is seen after 5 s. */
export class ClusterDirectory {
  private readonly pool: Pool;
  private readonly clock: Clock;
  private readonly cache = new Map<string, { readonly readAt: number; readonly cluster: KnownCluster | undefined }>();

  constructor(parts: { readonly pool: Pool; readonly clock: Clock }) {
    this.pool = parts.pool;
    this.clock = parts.clock;
  }

  /**
   * The cluster, also when it was unregistered; undefined when there never was one. Whoever has heard of a session `epoch` is not told of an older
   * one, unless there is none newer; such questions are answered from memory too, once every {@link EPOCH_MS}.
   */
  async find(clusterId: string, epoch = 0): Promise<KnownCluster | undefined> {
    const cached = this.cache.get(clusterId);
    const age = cached === undefined ? Infinity : this.clock.now() - cached.readAt;
    if (cached && age < ((cached.cluster?.epoch ?? epoch) < epoch ? EPOCH_MS : CACHE_MS)) return cached.cluster;
    const [cluster] = await this.read('where id = $1', [clusterId]);
    // Ids come from messages: a stranger's must not fill the memory.
    if (this.cache.size > 10_000) this.cache.clear();
    this.cache.set(clusterId, { readAt: this.clock.now(), cluster });
    return cluster;
  }

  /** Every cluster that may be spoken to. */
  live(): Promise<readonly KnownCluster[]> {
    return this.read('where joined_at is not null and unregistered_at is null order by id', []);
  }

  forget(clusterId: string): void {
    this.cache.delete(clusterId);
  }

  private async read(where: string, parameters: readonly unknown[]): Promise<KnownCluster[]> {
    const { rows } = await this.pool.query<{
      id: string;
      name: string;
      account_id: string;
      live: boolean;
      epoch: string;
    }>(
      `select id, name, account_id, epoch, joined_at is not null and unregistered_at is null as live from fleet.cluster ${where}`,
      [...parameters],
    );
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      accountId: row.account_id,
      live: row.live,
      epoch: Number(row.epoch),
    }));
  }
}
