import type { Pool, PoolClient } from 'pg';
import { parseStreamId } from '#libs/domain';
import type { EventMetadata, JsonObject } from '#libs/event-store';
import { recordOf } from '../container-groups/row-columns.ts';
import { stateOf } from '../streams/stored-events.ts';
import type { StoredEvent, StreamFacts } from './facts.ts';
import { inSnapshot } from './snapshot.ts';

/** Streams of one snapshot: a page of long streams stays in the low megabytes. */
const PAGE = 250;

/** Which streams to look at: every one, those that are not history, or those named. */
export type StreamChoice = { readonly kind: 'all' } | { readonly kind: 'open'; readonly also: readonly string[] };

/** Facts of some streams, and the streams whose events make no state at all. */
interface StreamPage {
  readonly facts: readonly StreamFacts[];
  readonly unreadable: readonly { readonly streamId: string; readonly error: unknown }[];
}

interface HeadRow {
  readonly stream_id: string;
  readonly version: string;
  readonly closed_at: Date | null;
}

/** Facts of the streams, page by page in order of stream id; each page is one snapshot. Never holds more than a page. */
export async function* streamsOf(pool: Pool, choice: StreamChoice, signal?: AbortSignal): AsyncGenerator<StreamPage> {
  let after = '';
  const named = choice.kind === 'open' ? choice.also.toSorted() : [];
  while (signal?.aborted !== true) {
    const from = after;
    const page = await inSnapshot(pool, async (client) => {
      const { rows: heads } = await client.query<HeadRow>(
        choice.kind === 'all'
          ? 'select stream_id, version, closed_at from es.stream where stream_id > $1 order by stream_id limit $2'
          : `select stream_id, version, closed_at from es.stream where closed_at is null and stream_id > $1 order by stream_id limit $2`,
        [from, PAGE],
      );
      return { heads, streams: await factsOf(client, heads) };
    });
    yield page.streams;
    const last = page.heads.at(-1);
    if (last === undefined || page.heads.length < PAGE) break;
    after = last.stream_id;
  }
  for (let start = 0; start < named.length && signal?.aborted !== true; start += PAGE) {
    const ids = named.slice(start, start + PAGE);
    yield await inSnapshot(pool, async (client) => {
      const { rows } = await client.query<HeadRow>(
        'select stream_id, version, closed_at from es.stream where stream_id = any ($1) and closed_at is not null',
        [ids],
      );
      return factsOf(client, rows);
    });
  }
}

interface EventRow {
  readonly stream_id: string;
  readonly version: string;
  readonly recorded_at: Date;
  readonly event_id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly data: JsonObject;
  readonly metadata: EventMetadata;
  readonly digest: Buffer;
  readonly transaction_id: string;
  readonly position: string;
  readonly projected: boolean;
}

async function factsOf(client: PoolClient, heads: readonly HeadRow[]): Promise<StreamPage> {
  const ours = heads.filter(({ stream_id }) => parseStreamId(stream_id) !== undefined);
  const ids = ours.map(({ stream_id }) => stream_id);
  if (ids.length === 0) return { facts: [], unreadable: [] };
  const { rows: events } = await client.query<EventRow>(
    `select e.stream_id, e.version, e.recorded_at, e.event_id, e.type, e.schema_version, e.data, e.metadata, e.digest,
            e.transaction_id::text as transaction_id, e.position::text as position,
            coalesce((e.transaction_id, e.position) <= (p.last_transaction_id, p.last_position), false) as projected
       from es.load($1) e left join es.subscription p on p.name = 'project'`,
    [ids],
  );
  const effects = await grouped(client, 'select stream_id, kind, key from es.effect where stream_id = any ($1)', ids);
  const parked = await grouped(client, 'select stream_id, gate from es.parked where stream_id = any ($1)', ids);
  const sealed = await grouped(client, 'select stream_id from es.sealed where stream_id = any ($1)', ids);
  const rows = await grouped(client, 'select * from fleet.container_group where stream_id = any ($1)', ids);
  const failed = await grouped(
    client,
    `select stream_id, error from es.subscription_parked where subscription = 'project' and stream_id = any ($1)`,
    ids,
  );
  const byStream = Map.groupBy(events, ({ stream_id }) => stream_id);
  const facts: StreamFacts[] = [];
  const unreadable: { streamId: string; error: unknown }[] = [];
  const factsOfOne = ({ stream_id: streamId, version, closed_at }: HeadRow): StreamFacts => {
    const stored = byStream.get(streamId) ?? [];
    const recorded = stored.map(toEvent);
    const names = parseStreamId(streamId);
    const [row] = rows.get(streamId) ?? [];
    const [waits] = parked.get(streamId) ?? [];
    const [failure] = failed.get(streamId) ?? [];
    return {
      streamId,
      clusterId: names?.clusterId ?? '',
      podUid: names?.podUid ?? '',
      head: { version: Number(version), ...(closed_at && { closedAt: closed_at.toISOString() }) },
      events: recorded,
      state: stateOf(recorded),
      effects: (effects.get(streamId) ?? []).map(({ kind, key }) => ({ kind: String(kind), key: String(key) })),
      ...(waits && { parkedAt: String(waits['gate']) }),
      hasSealed: sealed.has(streamId),
      ...(row && { row: recordOf(row) }),
      projected: stored.filter(({ projected }) => projected).length,
      ...(failure && { projectionError: String(failure['error']) }),
    };
  };
  for (const head of ours) {
    try {
      facts.push(factsOfOne(head));
    } catch (error) {
      unreadable.push({ streamId: head.stream_id, error });
    }
  }
  return { facts, unreadable };
}

async function grouped(
  client: PoolClient,
  sql: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly Record<string, unknown>[]>> {
  const { rows } = await client.query<Record<string, unknown>>(sql, [ids]);
  return Map.groupBy(rows, (row) => String(row['stream_id']));
}

function toEvent(row: EventRow): StoredEvent {
  return {
    streamId: row.stream_id,
    version: Number(row.version),
    cursor: { generation: 0, transactionId: row.transaction_id, position: row.position },
    recordedAt: row.recorded_at.toISOString(),
    eventId: row.event_id,
    type: row.type,
    schemaVersion: row.schema_version,
    data: row.data,
    metadata: row.metadata,
    digest: row.digest,
  };
}
