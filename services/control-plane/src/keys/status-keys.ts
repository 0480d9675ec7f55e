import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { macKeyOf, type MacKey } from '#libs/messaging';
import type { Clock } from '#libs/runtime';
import type { MasterKey } from './master-key.ts';

const HOUR_MS = 3_600_000;
/** A key signs for so long; the next one begins with a refill of the topic. */
const SIGNS_MS = 7 * 24 * HOUR_MS;
/** After the refill under the next one a key is still given to agents: for what a slow speaker had in hand. */
const KEPT_MS = HOUR_MS;
/** A control plane that says things without a MAC must not have been seen for so long before agents are told to believe nobody without one. */
export const QUIET_MS = 10 * 60_000;
/** A process that began to fill a topic counts as filling it for so long, unless it reports the end. */
const FILLING_MS = 5 * 60_000;

/**
 * What control planes that know MACs call the connection that each of them holds all the time. Those from before call theirs
 * {@link UNPROVEN_SPEAKER}, which is how they are told apart: they write nothing that says which they are.
 */
export const PROVEN_SPEAKER = 'eci-fleet wake-up (with MACs)';
export const UNPROVEN_SPEAKER = 'eci-fleet wake-up';

/** What the session of an agent is answered. */
export interface StatusProof {
  /** Oldest first. */
  readonly keys: readonly { readonly kid: string; readonly key: Uint8Array }[];
  /** The agent may believe nothing that carries no MAC. */
  readonly proven: boolean;
}

interface Row {
  readonly cluster_id: string;
  readonly kid: string;
  readonly wrapped: Buffer;
}

/** Of `fleet.cluster c` and `fleet.unproven_speaker u`: whether all of the cluster's topic was said anew since somebody last spoke there without a MAC. */
export const IS_PROVEN = 'coalesce(c.statuses_proven_at > u.seen_at, false)';

const NEWEST = `left join lateral (
  select * from fleet.status_key k where k.cluster_id = c.id and k.key_generation = c.key_generation order by k.number desc limit 1) k on true`;

/**
 * The keys under which a cluster's agent is spoken to. They rest wrapped by the master key, and end with the agent's key. The newest signs, from
 * when it is there: it is never read from memory, so that nobody goes on with one that has ended. All that are there are given to the agent.
 */
export class StatusKeys {
  private readonly pool: Pool;
  private readonly masterKey: MasterKey;
  private readonly clock: Clock;
  /** Unwrapped, by kid; a kid is never given twice. */
  private readonly unwrapped = new Map<string, MacKey>();

  constructor(parts: { readonly pool: Pool; readonly masterKey: MasterKey; readonly clock: Clock }) {
    this.pool = parts.pool;
    this.masterKey = parts.masterKey;
    this.clock = parts.clock;
  }

  /**
   * The key that signs for each of the clusters; makes what is missing. Those that were unregistered have none. A key is unwrapped when it is asked
   * for: throws `CannotUnwrap` then.
   */
  async signing(clusterIds: readonly string[]): Promise<ReadonlyMap<string, () => MacKey>> {
    if (clusterIds.length === 0) return new Map();
    const found = await this.newest(clusterIds);
    const missing = clusterIds.filter((id) => !found.has(id));
    if (missing.length === 0) return found;
    for (const id of missing) await this.make(id);
    return new Map([...found, ...(await this.newest(missing))]);
  }

  /** What the agent needs to tell who speaks. Empty when its key of this generation has ended. */
  async forAgent(clusterId: string, generation: number): Promise<StatusProof> {
    await this.signing([clusterId]);
    const { rows } = await this.pool.query<Row & { readonly proven: boolean }>(
      `select k.cluster_id, k.kid, k.wrapped, ${IS_PROVEN} as proven
         from fleet.status_key k join fleet.cluster c on c.id = k.cluster_id cross join fleet.unproven_speaker u
        where k.cluster_id = $1 and k.key_generation = $2 and c.key_generation = $2 and c.unregistered_at is null order by k.number`,
      [clusterId, generation],
    );
    return {
      keys: rows.map(({ kid, wrapped }) => ({ kid, key: this.masterKey.unwrap(wrapped, purpose(clusterId, kid)) })),
      proven: rows[0]?.proven ?? false,
    };
  }

  /** Clusters whose topic is to be said anew, because its newest key is new or too old, or because somebody spoke there without one; or one of them. */
  async due(clusterId?: string): Promise<readonly { readonly id: string; readonly rotate: boolean }[]> {
    const now = this.clock.now();
    const { rows } = await this.pool.query<{ id: string; rotate: boolean }>(
      `select c.id, k.kid is not null and k.made_at <= $3 as rotate
         from fleet.cluster c cross join fleet.unproven_speaker u ${NEWEST}
        where ($1::text is null or c.id = $1) and c.joined_at is not null and c.unregistered_at is null
          and u.seen_at <= $4 and (k.filling_until is null or k.filling_until <= $2)
          and (k.kid is null or k.made_at <= $3 or k.filled_at is null or not ${IS_PROVEN})
        order by c.id`,
      [clusterId ?? null, new Date(now), new Date(now - SIGNS_MS), new Date(now - QUIET_MS)],
    );
    return rows;
  }

  /** One more key, which signs from now on. */
  async make(clusterId: string): Promise<void> {
    const kid = randomBytes(9).toString('base64url');
    // The cluster's row is locked while keys are ended, so that none is made in between.
    await this.pool.query(
      `insert into fleet.status_key (cluster_id, kid, key_generation, wrapped, made_at)
       select id, $2, key_generation, $3, $4 from fleet.cluster where id = $1 and unregistered_at is null for share`,
      [
        clusterId,
        kid,
        Buffer.from(this.masterKey.wrap(randomBytes(32), purpose(clusterId, kid))),
        new Date(this.clock.now()),
      ],
    );
  }

  /** False: somebody else says everything anew under this key at the moment. */
  async beginFilling(clusterId: string, kid: string): Promise<boolean> {
    const now = this.clock.now();
    const { rowCount } = await this.pool.query(
      `update fleet.status_key set filling_until = $3
        where cluster_id = $1 and kid = $2 and (filling_until is null or filling_until <= $4)`,
      [clusterId, kid, new Date(now + FILLING_MS), new Date(now)],
    );
    return rowCount === 1;
  }

  /** Everything that was said on the topic before `since` (epoch milliseconds) has been said anew under this key or a newer one. */
  async filled(clusterId: string, kid: string, since: number): Promise<void> {
    await this.pool.query(
      `with filled as (
         update fleet.status_key set filled_at = $3, filling_until = null where cluster_id = $1 and kid = $2 returning cluster_id)
       update fleet.cluster c set statuses_proven_at = greatest(c.statuses_proven_at, $4) from filled where c.id = filled.cluster_id`,
      [clusterId, kid, new Date(this.clock.now()), new Date(since)],
    );
  }

  /** It was begun and not finished: whoever comes next may try. */
  async gaveUpFilling(clusterId: string, kid: string): Promise<void> {
    await this.pool.query('update fleet.status_key set filling_until = null where cluster_id = $1 and kid = $2', [
      clusterId,
      kid,
    ]);
  }

  /** Looks whether a control plane is there that says things without a MAC, and notes it. Such a one holds its connection for as long as it can speak. */
  async watchSpeakers(): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `update fleet.unproven_speaker set seen_at = greatest(seen_at, $1)
        where exists (select from pg_stat_activity where datname = current_database() and application_name = $2)`,
      [new Date(this.clock.now()), UNPROVEN_SPEAKER],
    );
    return rowCount === 1;
  }

  /** How many clusters' agents still believe what carries no MAC. */
  async unproven(): Promise<number> {
    const { rows } = await this.pool.query<{ count: string }>(
      `select count(*) from fleet.cluster c cross join fleet.unproven_speaker u
        where c.joined_at is not null and c.unregistered_at is null and not ${IS_PROVEN}`,
    );
    return Number(rows[0]?.count ?? 0);
  }

  /** Destroys keys of which nothing that counts is on a topic any more; returns how many. */
  async destroyOld(): Promise<number> {
    const { rowCount } = await this.pool.query(
      `delete from fleet.status_key old using fleet.cluster c
        where c.id = old.cluster_id and (old.key_generation <> c.key_generation or exists (
          select from fleet.status_key newer
           where newer.cluster_id = old.cluster_id and newer.key_generation = old.key_generation and newer.number > old.number
             and newer.filled_at <= $1))`,
      [new Date(this.clock.now() - KEPT_MS)],
    );
    return rowCount ?? 0;
  }

  private async newest(clusterIds: readonly string[]): Promise<ReadonlyMap<string, () => MacKey>> {
    const { rows } = await this.pool.query<Row>(
      `select c.id as cluster_id, k.kid, k.wrapped from fleet.cluster c ${NEWEST}
        where c.id = any ($1) and c.unregistered_at is null and k.kid is not null`,
      [clusterIds],
    );
    return new Map(rows.map((row) => [row.cluster_id, () => this.unwrap(row)]));
  }

  private unwrap({ cluster_id: clusterId, kid, wrapped }: Row): MacKey {
    let key = this.unwrapped.get(kid);
    if (!key) {
      key = macKeyOf(kid, this.masterKey.unwrap(wrapped, purpose(clusterId, kid)));
      if (this.unwrapped.size > 10_000) this.unwrapped.clear();
      this.unwrapped.set(kid, key);
    }
    return key;
  }
}

const purpose = (clusterId: string, kid: string): string => `status-key:${clusterId}:${kid}`;
