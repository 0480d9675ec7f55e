import type { Pool } from 'pg';
import { HeldStops, type DueDecision } from './ports.ts';

interface Row {
  readonly stream_id: string;
  readonly verdict: 'release' | 'deny';
  readonly decided_by: string;
  readonly reason: string | null;
}

export class PostgresHeldStops extends HeldStops {
  private readonly pool: Pool;

  constructor(pool: Pool) {
    super();
    this.pool = pool;
  }

  async due(limit: number): Promise<readonly DueDecision[]> {
    const { rows } = await this.pool.query<Row>(
      // A stop that was on its way into a hold while it was decided shares its fate.
      `select s.stream_id, coalesce(s.wanted, h.decision) as verdict, coalesce(s.wanted_by, h.decided_by) as decided_by,
              case when s.wanted is null then h.decided_reason else s.wanted_reason end as reason
         from fleet.held_stop s left join fleet.hold h on h.id = s.hold_id and h.decision in ('release', 'deny')
        where s.wanted is not null or (h.decision is not null and s.denied_at is null)
        order by s.since, s.stream_id limit $1`,
      [limit],
    );
    return rows.map((row) => ({
      streamId: row.stream_id,
      verdict: row.verdict,
      by: row.decided_by,
      ...(row.reason === null ? {} : { reason: row.reason }),
    }));
  }

  async counts(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.pool.query<{ cluster_id: string; held: string }>(
      'select cluster_id, count(*) as held from fleet.held_stop group by cluster_id',
    );
    return new Map(rows.map((row) => [row.cluster_id, Number(row.held)]));
  }
}
