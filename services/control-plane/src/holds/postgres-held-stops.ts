import type { Pool } from 'pg';
import type { MassDeleteLimits } from '#libs/domain';
import { HeldStops, type DueDecision } from './ports.ts';

interface Row {
  readonly stream_id: string;
  readonly verdict: 'release' | 'deny';
  readonly decided_by: string;
  readonly actor: string;
  readonly reason: string | null;
}

export class PostgresHeldStops extends HeldStops {
  private readonly pool: Pool;
  private readonly windowMs: number;

  constructor(parts: { readonly pool: Pool; readonly limits: Pick<MassDeleteLimits, 'windowMs'> }) {
    super();
    this.pool = parts.pool;
    this.windowMs = parts.limits.windowMs;
  }

  async due(limit: number): Promise<readonly DueDecision[]> {
    const { rows } = await this.pool.query<Row>(
      // A stop that was on its way into a hold while it was denied shares its fate. While it was released, it was not among those that the
      // operator saw: it waits.
      `select s.stream_id, coalesce(s.wanted, h.decision) as verdict, coalesce(s.wanted_by, h.decided_by) as decided_by,
              case when s.wanted is null then coalesce(h.decided_actor, h.decided_by) else coalesce(s.wanted_actor, s.wanted_by) end as actor,
              case when s.wanted is null then h.decided_reason else s.wanted_reason end as reason
         from fleet.held_stop s left join fleet.hold h on h.id = s.hold_id and h.decision = 'deny'
        where s.wanted is not null or (h.decision is not null and s.denied_at is null)
        order by s.since, s.stream_id limit $1`,
      [limit],
    );
    return rows.map((row) => ({
      streamId: row.stream_id,
      verdict: row.verdict,
      by: row.decided_by,
      actor: row.actor,
      ...(row.reason === null ? {} : { reason: row.reason }),
    }));
  }

  async endIdle(): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ id: string }>(
      `update fleet.hold h set ended_at = es.now(), decision = 'lapsed'
        where h.ended_at is null and h.last_held_at <= (select es.now()) - make_interval(secs => $1 / 1000.0)
          and not exists (select 1 from fleet.held_stop s where s.hold_id = h.id)
       returning h.id`,
      [this.windowMs],
    );
    return rows.map((row) => row.id);
  }

  async counts(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.pool.query<{ cluster_id: string; held: string }>(
      'select cluster_id, count(*) as held from fleet.held_stop group by cluster_id',
    );
    return new Map(rows.map((row) => [row.cluster_id, Number(row.held)]));
  }
}
