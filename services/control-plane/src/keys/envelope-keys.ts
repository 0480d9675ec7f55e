import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { Pool } from 'pg';
import type { Clock } from '#libs/runtime';
import type { MasterKey } from './master-key.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** An agent that cannot renew its session goes on sealing with a key for this long after the key's day. */
const GRACE_MS = DAY_MS;
/** Retention of the intents topic, and some more, since a broker removes whole segments only. */
const RETENTION_MS = DAY_MS + 6 * HOUR_MS;
/** How long this process believes what it has read; a revoked cluster's keys are refused everywhere after it. */
const CACHE_MS = 10_000;
/** A key that was just made is known at once; one that somebody made up costs a query no more often than this. */
const UNKNOWN_MS = 100;

/** One key as the session answers it. `key` is 256 bits. */
export interface EnvelopeKey {
  readonly kid: string;
  readonly key: Uint8Array;
  readonly notBefore: string;
  readonly notAfter: string;
}

interface Row {
  readonly kid: string;
  readonly wrapped: Buffer;
  readonly not_before: Date;
  readonly not_after: Date;
}

interface Cached {
  readonly readAt: number;
  readonly keys: ReadonlyMap<string, KeyObject>;
}

/**
 * The keys under which agents seal intents: random for each cluster and each day (UTC). Keys of neighbouring days overlap, so that neither a
 * late renewal nor a clock that is off by hours leaves an agent without one. A key rests wrapped by the master key, and is destroyed when no
 * message sealed with it can lie in the log any more.
 */
export class EnvelopeKeys {
  private readonly pool: Pool;
  private readonly masterKey: MasterKey;
  private readonly clock: Clock;
  private readonly cache = new Map<string, Cached>();

  constructor(parts: { readonly pool: Pool; readonly masterKey: MasterKey; readonly clock: Clock }) {
    this.pool = parts.pool;
    this.masterKey = parts.masterKey;
    this.clock = parts.clock;
  }

  /**
   * Yesterday's, today's and tomorrow's key of a cluster, oldest first; makes what is missing. Replicas agree on them. Undefined when the agent's
   * key of this generation has ended, or the cluster was unregistered: neither gets a key, however slow its call was.
   */
  async forCluster(clusterId: string, generation: number): Promise<readonly EnvelopeKey[] | undefined> {
    const now = this.clock.now();
    const today = now - (now % DAY_MS);
    let rows = await this.read(clusterId, generation, now);
    const missing = [today - DAY_MS, today, today + DAY_MS].filter(
      (day) => !rows.some((row) => row.not_before.getTime() === day),
    );
    // Yesterday's key is made for a new cluster only: an agent whose clock is late finds one that is valid already.
    const wanted = rows.length === 0 ? missing : missing.filter((day) => day >= today);
    if (wanted.length > 0) {
      for (const day of wanted) await this.make(clusterId, generation, day);
      rows = await this.read(clusterId, generation, now);
    }
    if (rows.length === 0) return undefined;
    return rows.map((row) => ({
      kid: row.kid,
      key: this.masterKey.unwrap(row.wrapped, purpose(clusterId, row.kid)),
      notBefore: row.not_before.toISOString(),
      notAfter: row.not_after.toISOString(),
    }));
  }

  /** The key that opens a message, or undefined when the cluster has none of that name (any more). */
  async find(clusterId: string, kid: string): Promise<KeyObject | undefined> {
    const now = this.clock.now();
    let cached = this.cache.get(clusterId);
    if (!cached || now - cached.readAt > (cached.keys.has(kid) ? CACHE_MS : UNKNOWN_MS)) {
      const { rows } = await this.pool.query<Row>(
        'select kid, wrapped, not_before, not_after from fleet.envelope_key where cluster_id = $1',
        [clusterId],
      );
      cached = {
        readAt: now,
        keys: new Map(
          rows.map(({ kid: name, wrapped }) => [
            name,
            createSecretKey(this.masterKey.unwrap(wrapped, purpose(clusterId, name))),
          ]),
        ),
      };
      this.cache.set(clusterId, cached);
      if (this.cache.size > 10_000) this.cache.delete(this.cache.keys().next().value as string);
    }
    return cached.keys.get(kid);
  }

  /** The cluster's keys have ended or changed: what was read of them here is no longer so. */
  forget(clusterId: string): void {
    this.cache.delete(clusterId);
  }

  /** Destroys keys whose messages are gone from the log; returns how many. */
  async destroyExpired(): Promise<number> {
    const { rowCount } = await this.pool.query('delete from fleet.envelope_key where destroy_at <= $1', [
      new Date(this.clock.now()),
    ]);
    return rowCount ?? 0;
  }

  private async read(clusterId: string, generation: number, now: number): Promise<Row[]> {
    const { rows } = await this.pool.query<Row>(
      `select k.kid, k.wrapped, k.not_before, k.not_after
         from fleet.envelope_key k join fleet.cluster c on c.id = k.cluster_id
        where k.cluster_id = $1 and c.key_generation = $2 and c.unregistered_at is null and k.not_after > $3 order by k.not_before`,
      [clusterId, generation, new Date(now)],
    );
    return rows;
  }

  private async make(clusterId: string, generation: number, day: number): Promise<void> {
    const kid = `${new Date(day).toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`;
    const notAfter = day + DAY_MS + GRACE_MS;
    // Another replica may make the same day's key at the same moment: the first one stands. Whoever ends keys holds the cluster's row meanwhile.
    await this.pool.query(
      `insert into fleet.envelope_key (cluster_id, kid, wrapped, not_before, not_after, destroy_at)
       select id, $2, $3, $4, $5, $6 from fleet.cluster where id = $1 and key_generation = $7 and unregistered_at is null for share
       on conflict (cluster_id, not_before) do nothing`,
      [
        clusterId,
        kid,
        Buffer.from(this.masterKey.wrap(randomBytes(32), purpose(clusterId, kid))),
        new Date(day),
        new Date(notAfter),
        new Date(notAfter + RETENTION_MS),
        generation,
      ],
    );
    this.cache.delete(clusterId);
  }
}

const purpose = (clusterId: string, kid: string): string => `envelope-key:${clusterId}:${kid}`;
