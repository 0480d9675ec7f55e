import type { Pool, PoolClient } from 'pg';
import { guardStops, streamIdOf, type MassDeleteLimits } from '#libs/domain';
import { asSqlClient, PostgresCatalogue } from '#libs/event-store';
import type { Logger, Metrics } from '#libs/observability';
import { inTransaction } from '../transaction.ts';
import { StopGuard } from './ports.ts';

/** Lives of groups that have not ended and that nobody stopped. */
const ALIVE = ['requested', 'placing', 'creating', 'starting', 'running', 'parked'];

interface Window {
  readonly passed: number;
  readonly population: number;
}

interface ActiveHold {
  readonly id: string;
  readonly idle: boolean;
}

/**
 * The mass-delete guard of each cluster. One row a cluster is locked while it decides, and what passed lies in rows, so the count holds across
 * replicas and restarts. All time is the database's.
 */
export class PostgresStopGuard extends StopGuard {
  private readonly pool: Pool;
  private readonly limits: MassDeleteLimits;
  private readonly logger: Logger;
  private readonly counted;
  private readonly fired;

  constructor(parts: {
    readonly pool: Pool;
    readonly limits: MassDeleteLimits;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    super();
    this.pool = parts.pool;
    this.limits = parts.limits;
    this.logger = parts.logger;
    this.counted = parts.metrics.counter(
      'eci_fleet_counted_stops_total',
      'Stops that the mass-delete guard counted, by what became of them',
      ['verdict'],
    );
    this.fired = parts.metrics.counter(
      'eci_fleet_mass_delete_guard_fired_total',
      'Times that the guard began to hold',
      ['cluster'],
    );
  }

  async admit(clusterId: string, podUids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const asked = [...new Set(podUids)];
    if (asked.length === 0) return new Map();
    return inTransaction(this.pool, (client) => this.decide(client, clusterId, asked));
  }

  async heldPods(clusterId: string): Promise<ReadonlySet<string>> {
    const { rows } = await this.pool.query<{ pod_uid: string }>(
      'select pod_uid from fleet.held_stop where cluster_id = $1',
      [clusterId],
    );
    return new Set(rows.map((row) => row.pod_uid));
  }

  private async decide(client: PoolClient, clusterId: string, asked: readonly string[]) {
    const from = await this.lock(client, clusterId);
    const known = await client.query<{ pod_uid: string }>(
      'select pod_uid from fleet.counted_stop where cluster_id = $1 and at > $2 and pod_uid = any ($3)',
      [clusterId, from, asked],
    );
    const passedBefore = new Set(known.rows.map((row) => row.pod_uid));
    const fresh = asked.filter((uid) => !passedBefore.has(uid));
    if (fresh.length === 0) return new Map<string, string>();

    const active = await this.activeHold(client, clusterId);
    if (active?.idle) await this.lapse(client, active.id);
    const holding = active && !active.idle ? active : undefined;
    const { passed, population } = await this.window(client, clusterId, from);
    const answer = guardStops({ population, passed, asked: fresh.length, holding: holding !== undefined }, this.limits);
    this.counted.inc({ verdict: answer.verdict }, fresh.length);
    if (answer.verdict === 'through') {
      await this.letThrough(client, clusterId, fresh, population);
      return new Map<string, string>();
    }
    const hold =
      holding?.id ?? (await this.fire(client, clusterId, { population, passed, asked: fresh.length, ...answer }));
    if (holding) await client.query('update fleet.hold set last_held_at = es.now() where id = $1', [hold]);
    return new Map(fresh.map((uid) => [uid, hold]));
  }

  /** Takes the cluster's turn; answers since when stops count. */
  private async lock(client: PoolClient, clusterId: string): Promise<Date> {
    await client.query('insert into fleet.mass_delete_guard (cluster_id) values ($1) on conflict do nothing', [
      clusterId,
    ]);
    const { rows } = await client.query<{ since: Date }>(
      `select greatest(case when counted_from = '-infinity' then null else counted_from end, es.now() - make_interval(secs => $2 / 1000.0)) as since
         from fleet.mass_delete_guard where cluster_id = $1 for update`,
      [clusterId, this.limits.windowMs],
    );
    return (rows[0] as { since: Date }).since;
  }

  /** `idle`: nothing waits in it any more, and nothing was held for a window; it was never decided. */
  private async activeHold(client: PoolClient, clusterId: string): Promise<ActiveHold | undefined> {
    const { rows } = await client.query<ActiveHold>(
      `select h.id, h.last_held_at <= es.now() - make_interval(secs => $2 / 1000.0)
                and not exists (select 1 from fleet.held_stop s where s.hold_id = h.id) as idle
         from fleet.hold h where h.cluster_id = $1 and h.ended_at is null`,
      [clusterId, this.limits.windowMs],
    );
    return rows[0];
  }

  private async lapse(client: PoolClient, hold: string): Promise<void> {
    await client.query(`update fleet.hold set ended_at = es.now(), decision = 'lapsed' where id = $1`, [hold]);
    this.logger.info('a hold of the mass-delete guard lapsed: nothing is held any more', { hold });
  }

  /**
   * The population is the largest of the window, so that the groups that were stopped in it still count. The read model may be behind, but never
   * says more than there are open streams; too small a number holds early.
   */
  private async window(client: PoolClient, clusterId: string, from: Date): Promise<Window> {
    const { rows } = await client.query<{ passed: string; before: number | null; groups: string }>(
      `select (select count(*) from fleet.counted_stop c where c.cluster_id = $1 and c.at > $2) as passed,
              (select max(c.population) from fleet.counted_stop c where c.cluster_id = $1 and c.at > $2) as before,
              (select coalesce(sum(g.groups), 0) from fleet.container_group_count g where g.cluster_id = $1 and g.life = any ($3)) as groups`,
      [clusterId, from, ALIVE],
    );
    const row = rows[0]!;
    const streams = await new PostgresCatalogue(asSqlClient(client)).countOpenStreams(streamIdOf(clusterId, ''));
    const now = Math.min(Number(row.groups), streams);
    return { passed: Number(row.passed), population: Math.max(now, row.before ?? 0) };
  }

  private async letThrough(
    client: PoolClient,
    clusterId: string,
    podUids: readonly string[],
    population: number,
  ): Promise<void> {
    await client.query(
      `insert into fleet.counted_stop (cluster_id, pod_uid, at, population)
       select $1, uid, es.now(), $3 from unnest($2::text[]) uid
       on conflict (cluster_id, pod_uid) do update set at = excluded.at, population = excluded.population`,
      [clusterId, podUids, population],
    );
    await client.query(
      'delete from fleet.counted_stop where cluster_id = $1 and at < es.now() - 2 * make_interval(secs => $2 / 1000.0)',
      [clusterId, this.limits.windowMs],
    );
  }

  private async fire(
    client: PoolClient,
    clusterId: string,
    saw: Window & { readonly asked: number; readonly allowance: number },
  ): Promise<string> {
    const { rows } = await client.query<{ holds: number }>(
      'update fleet.mass_delete_guard set holds = holds + 1 where cluster_id = $1 returning holds',
      [clusterId],
    );
    const id = `${clusterId}/${rows[0]!.holds}`;
    const { population, allowance, passed, asked } = saw;
    await client.query(
      `insert into fleet.hold (id, cluster_id, fired_at, last_held_at, population, allowance, passed, asked)
       values ($1, $2, es.now(), es.now(), $3, $4, $5, $6)`,
      [id, clusterId, population, allowance, passed, asked],
    );
    this.fired.inc({ cluster: clusterId });
    this.logger.error('the mass-delete guard holds stops of a cluster: an operator must decide', {
      clusterId,
      hold: id,
      population,
      allowance,
      passed,
      asked,
    });
    return id;
  }
}
