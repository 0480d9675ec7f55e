import type { Pool } from 'pg';
import { RECORDED_AT } from '../seal-store.ts';
import type { StreamFace } from './history.ts';

interface FaceRow {
  readonly stream_id: string;
  readonly head: string | null;
  /** Null: the stream has no event. */
  readonly version: string | null;
  readonly type: string;
  readonly recorded_at: string;
  readonly hidden: boolean;
}

/** Streams and events that are named at most. */
const MOST_STREAMS = 1_000;
const MOST_EVENTS = 20_000;

/**
 * Every stream is looked at, in the one statement and so in one snapshot: heads and events of a live fleet fit each other at any moment. The index
 * of the primary key answers what is asked of events.
 */
const ASTRAY = `
  with face as (
    select e.stream_id, count(*) as events, count(distinct e.version) as versions, min(e.version) as first, max(e.version) as last,
           min(e.recorded_at) as earliest, max(e.recorded_at) as latest
      from es.event e group by e.stream_id
  ), astray as (
    select coalesce(s.stream_id, f.stream_id) as stream_id, s.version as head, s.opened_at, s.last_recorded_at
      from face f full join es.stream s on s.stream_id = f.stream_id
     where ($1::timestamptz is null or s.last_recorded_at >= $1 or f.latest >= $1)
       and (s.stream_id is null or f.stream_id is null or f.last <> s.version or f.events <> f.versions
            or f.versions <> f.last - f.first + 1 or f.first < 1 or ($1 is null and f.first <> 1)
            or f.earliest < s.opened_at or f.latest > s.last_recorded_at)
     order by 1 limit ${MOST_STREAMS}
  )
  select a.stream_id, a.head, e.version, e.type, ${RECORDED_AT} as recorded_at,
         a.head is null or e.version > a.head or e.recorded_at < a.opened_at or e.recorded_at > a.last_recorded_at as hidden
    from astray a left join es.event e on e.stream_id = a.stream_id
   order by a.stream_id, e.version, e.recorded_at limit ${MOST_EVENTS}`;

/** Streams whose head and events do not fit each other. */
export async function streamsAstray(pool: Pool, since: string | undefined): Promise<readonly StreamFace[]> {
  const { rows } = await pool.query<FaceRow>(ASTRAY, [since ?? null]);
  return [...Map.groupBy(rows, (row) => row.stream_id)].map(([streamId, found]) => ({
    streamId,
    head: found[0]!.head === null ? undefined : Number(found[0]!.head),
    events: found.flatMap(({ version, type, recorded_at: recordedAt, hidden: isHidden }) =>
      version === null ? [] : [{ streamId, version: Number(version), type, recordedAt, isHidden }],
    ),
  }));
}
