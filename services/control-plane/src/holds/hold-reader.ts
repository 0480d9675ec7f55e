import type { Pool } from 'pg';
import { z } from 'zod';
import { idPosition, isoPosition, PageCursor, pageOf } from '../answers/page.ts';
import { HELD_DIGEST, holdNumber, holdTag, NOTHING_HELD, type HoldState } from './hold-state.ts';
import type { HeldStopFilter, HeldStopPage, HeldStopView, HoldsList, HoldView } from './hold-view.ts';

const CURSOR = new PageCursor('held-stops', z.tuple([isoPosition, idPosition]));

interface HoldRow {
  readonly cluster_id: string;
  readonly held: string;
  readonly denied: string;
  readonly under_way: string;
  readonly since: Date | null;
  readonly digest: string | null;
  readonly id: string | null;
  readonly fired_at: Date;
  readonly population: number;
  readonly allowance: number;
  readonly passed: number;
  readonly asked: number;
}

interface StopRow {
  readonly stream_id: string;
  readonly pod_uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly hold_id: string;
  readonly reason: string;
  readonly disruption: string | null;
  readonly since: Date;
  readonly denied_at: Date | null;
  readonly denied_by: string | null;
  readonly denied_reason: string | null;
  readonly wanted: 'release' | 'deny' | null;
}

/** Reads holds for people. Rows of held stops are written beside each append, so that who decided reads his decision. */
export class HoldReader {
  private readonly pool: Pool;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** Clusters with held or denied stops, or whose guard holds; one cluster when it is named. */
  async list(clusterId?: string): Promise<HoldsList> {
    const { rows } = await this.pool.query<HoldRow>(
      `select coalesce(s.cluster_id, h.cluster_id) as cluster_id, coalesce(s.held, 0) as held, coalesce(s.denied, 0) as denied,
              coalesce(s.under_way, 0) as under_way, s.since, s.digest, h.id, h.fired_at, h.population, h.allowance, h.passed, h.asked
         from (select cluster_id, min(since) as since,
                      count(*) filter (where denied_at is null and wanted is null) as held,
                      count(*) filter (where denied_at is not null and wanted is null) as denied,
                      count(*) filter (where wanted is not null) as under_way,
                      ${HELD_DIGEST} as digest
                 from fleet.held_stop group by cluster_id) s
         full join (select * from fleet.hold where ended_at is null) h on h.cluster_id = s.cluster_id
        where $1::text is null or coalesce(s.cluster_id, h.cluster_id) = $1
        order by 1`,
      [clusterId ?? null],
    );
    return { items: rows.map(holdView) };
  }

  /** Entity tag of what is held in a cluster now: what a decision about all of it names. */
  async tag(clusterId: string): Promise<string> {
    const [hold] = (await this.list(clusterId)).items;
    return hold?.etag ?? holdTag({ hold: 0, held: 0, denied: 0, digest: NOTHING_HELD });
  }

  /** Held stops of one cluster, the longest held first. */
  async stops(clusterId: string, { limit, cursor }: HeldStopFilter): Promise<HeldStopPage> {
    const [since, streamId] = cursor === undefined ? [null, null] : CURSOR.decode(cursor);
    const { rows } = await this.pool.query<StopRow>(
      `select * from fleet.held_stop
        where cluster_id = $1 and ($2::text is null or (date_trunc('milliseconds', since), stream_id) > ($2::timestamptz, $3))
        order by date_trunc('milliseconds', since), stream_id limit $4`,
      [clusterId, since, streamId, limit + 1],
    );
    const page = pageOf(rows, limit, stopView, (row) => CURSOR.encode([row.since.toISOString(), row.stream_id]));
    return { ...page, items: [...page.items] };
  }
}

const stateOf = (row: HoldRow): HoldState => ({
  hold: holdNumber(row.id),
  held: Number(row.held),
  denied: Number(row.denied),
  digest: row.digest ?? NOTHING_HELD,
});

function holdView(row: HoldRow): HoldView {
  return {
    clusterId: row.cluster_id,
    etag: holdTag(stateOf(row)),
    held: Number(row.held),
    denied: Number(row.denied),
    underWay: Number(row.under_way),
    ...(row.since === null ? {} : { since: row.since.toISOString() }),
    ...(row.id === null
      ? {}
      : {
          active: {
            id: row.id,
            firedAt: row.fired_at.toISOString(),
            population: row.population,
            allowance: row.allowance,
            passed: row.passed,
            asked: row.asked,
          },
        }),
  };
}

function stopView(row: StopRow): HeldStopView {
  return {
    streamId: row.stream_id,
    podUid: row.pod_uid,
    namespace: row.namespace,
    name: row.name,
    hold: row.hold_id,
    reason: row.reason,
    since: row.since.toISOString(),
    ...(row.disruption === null ? {} : { disruption: row.disruption }),
    ...(row.denied_at === null
      ? {}
      : {
          denied: {
            at: row.denied_at.toISOString(),
            by: row.denied_by ?? '',
            ...(row.denied_reason === null ? {} : { reason: row.denied_reason }),
          },
        }),
    ...(row.wanted === null ? {} : { underWay: row.wanted }),
  };
}
