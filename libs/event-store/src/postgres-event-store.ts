import type { Pool } from 'pg';
import { isRaised, isUndone } from '#libs/observability';
import { appendRequest, eventKeysJson, inboxJson } from './append-request.ts';
import { int8Array } from './binary-array.ts';
import { CursorOfAnotherLog } from './cursor.ts';
import { EVENT_COLUMNS, toEvent, type EventColumns } from './event-columns.ts';
import {
  EventStore,
  InboxMoved,
  type AppendResult,
  type Cursor,
  type InboxMove,
  type KeptEventKey,
  type RecordedEvent,
  type RemovedEffect,
  type StreamAppend,
} from './event-store.ts';
import { KnownStreams } from './known-streams.ts';
import { LogTail } from './log-tail.ts';
import { Nudge } from './nudge.ts';
import { isStorable } from './storable.ts';

interface PostgresStoreOptions {
  /** Uniform in [0, 1): moves the first probe of a new gate by ± 20 %. Default: no jitter. */
  readonly jitter?: () => number;
}

interface SubscriptionLag {
  readonly name: string;
  /** Who reads for it; null: nobody. */
  readonly owner: string | null;
  /** Events it has not seen, counted to 100,000. */
  readonly events: number;
  /** Age of the first of them. */
  readonly seconds: number;
  readonly parkedStreams: number;
  readonly queuedEvents: number;
}

export interface Lag {
  /** How long the oldest committed event has been hidden from readers by an older writing transaction; 0: none is. */
  readonly horizonLagSeconds: number;
  /** The session whose transaction is the horizon, wherever on the server. Fields are absent when the login may not see them. */
  readonly blocking?: {
    readonly pid: number;
    readonly application?: string;
    readonly database?: string;
    readonly transactionSeconds?: number;
  };
  readonly subscriptions: readonly SubscriptionLag[];
}

interface HorizonColumns {
  readonly seconds: number;
  readonly blocking_pid: number | null;
  readonly application: string | null;
  readonly database: string | null;
  readonly blocking_seconds: number | null;
}

interface EventKeyColumns {
  readonly stream_id: string;
  readonly key_id: string | null;
  readonly wrapped_key: Buffer | null;
  readonly closed_at: Date | null;
  readonly forgotten_at: Date | null;
}

interface HeadColumns {
  readonly head_stream: string;
  readonly head_version: string;
}

/** Streams whose events are kept in memory: those of pods on their way through a storm, at some 20 KB each. */
const KNOWN_STREAMS = 1_000;
/** Events that readers of the log share. */
const TAIL_EVENTS = 1_000;

interface Outcome {
  readonly s: number;
  readonly outcome: string;
  /** `kind:key` of effects. */
  readonly removed: readonly string[] | null;
}

const LOAD = `select e.head_stream, e.head_version, ${EVENT_COLUMNS} from es.load_after($1, $2) e`;
const WRITTEN = { outcome: 'ok', removed: null } as const;
const parameters = (count: number): string => Array.from({ length: count }, (_, index) => `$${index + 1}`).join(', ');
const APPEND = `select s, outcome, removed from es.append_2(${parameters(26)})`;
const APPEND_WITH_KEYS = `select s, outcome, removed from es.append_with_keys(${parameters(27)})`;

/** How often streams are tried again that met a younger transaction, or an append that the server undid. */
const FRESH_TRANSACTIONS = 5;

/**
 * The store on PostgreSQL. Pass a pool made by `createPool`; or a connection in a transaction, with which the events are kept or undone. A conflict may
 * then also mean that the transaction is older than the stream's last append: only a new one can append.
 */
export class PostgresEventStore extends EventStore {
  /** Told after every append of this process. */
  readonly appended = new Nudge();
  private readonly known = new KnownStreams(KNOWN_STREAMS);
  private readonly tail = new LogTail(TAIL_EVENTS);
  private readonly pool: Pick<Pool, 'query'>;
  private readonly jitter: () => number;

  constructor(pool: Pick<Pool, 'query'>, { jitter = () => 0.5 }: PostgresStoreOptions = {}) {
    super();
    this.pool = pool;
    this.jitter = jitter;
  }

  async loadMany(streamIds: readonly string[]): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> {
    const streams = new Map<string, readonly RecordedEvent[]>();
    const ids = [...new Set(streamIds)].filter(isStorable);
    // What is asked for by the thousand will not be asked for again soon.
    const known = ids.length <= KNOWN_STREAMS / 4 ? this.known : new KnownStreams(0);
    const unsettled = await this.loadNews(ids, known, streams);
    if (unsettled.length > 0) await this.loadNews(unsettled, new KnownStreams(0), streams);
    return streams;
  }

  /** Reads what is not known yet; returns the streams of which what is known was wrong. */
  private async loadNews(
    ids: readonly string[],
    known: KnownStreams,
    streams: Map<string, readonly RecordedEvent[]>,
  ): Promise<readonly string[]> {
    if (ids.length === 0) return [];
    const after = new Map(ids.map((id) => [id, known.version(id)]));
    const { rows } = await this.pool.query<HeadColumns & EventColumns>({
      name: 'es-load-after',
      text: LOAD,
      values: [ids, int8Array([...after.values()])],
    });
    const heads = new Map<string, { readonly version: number; readonly generation: number; added: RecordedEvent[] }>();
    for (const row of rows) {
      let head = heads.get(row.head_stream);
      if (!head) {
        head = { version: Number(row.head_version), generation: row.generation, added: [] };
        heads.set(row.head_stream, head);
      }
      if (row.position !== null) head.added.push(toEvent(row));
    }
    const unsettled: string[] = [];
    for (const [streamId, head] of heads) {
      const events = known.complete(streamId, head, head.added);
      if (events) streams.set(streamId, events);
      else if (after.get(streamId) !== 0) unsettled.push(streamId);
      // Nothing was presumed, so months of it were archived: this is what there is.
      else if (head.added.length > 0) streams.set(streamId, head.added);
    }
    return unsettled;
  }

  async append(streams: readonly StreamAppend[], inbox?: InboxMove): Promise<readonly AppendResult[]> {
    if (streams.length === 0 && !inbox) return [];
    const results = new Map<string, AppendResult>();
    let pending = streams;
    for (let round = 1; ; round++) {
      // Once a stream has failed for good the offset stays where it is; that it was ours has been checked with the first round.
      const failed = [...results.values()].some((result) => !result.ok);
      const answer = new Map((await this.tryAppend(pending, failed ? undefined : inbox)).map((row) => [row.s, row]));
      const refused: StreamAppend[] = [];
      for (const [index, stream] of pending.entries()) {
        // Only what is out of the ordinary has a row.
        const { outcome, removed } = answer.get(index + 1) ?? WRITTEN;
        const { streamId } = stream;
        if (outcome === 'ok') {
          const version = stream.expected + stream.events.length;
          results.set(streamId, { ok: true, streamId, version, removedEffects: removedOf(stream, removed ?? []) });
        } else if (outcome === 'guard' && round < FRESH_TRANSACTIONS) {
          refused.push(stream);
        } else {
          results.set(streamId, { ok: false, streamId, reason: outcome === 'claim-lost' ? 'claim-lost' : 'conflict' });
        }
      }
      if (refused.length === 0) break;
      pending = refused;
    }
    if (streams.length > 0) this.appended.nudge();
    return streams.map((stream) => results.get(stream.streamId)!);
  }

  private async tryAppend(streams: readonly StreamAppend[], inbox: InboxMove | undefined): Promise<readonly Outcome[]> {
    const values = [...appendRequest(streams), inbox ? inboxJson(inbox) : null, this.jitter()];
    const keys = eventKeysJson(streams);
    const statement =
      keys === undefined
        ? { name: 'es-append-2', text: APPEND, values }
        : { name: 'es-append-keys', text: APPEND_WITH_KEYS, values: [...values, keys] };
    for (let round = 1; ; round++) {
      try {
        const { rows } = await this.pool.query<Outcome>(statement);
        return rows;
      } catch (error) {
        if (isRaised(error, 'ES001'))
          throw new InboxMoved(`${inboxName(inbox!)} was moved by another consumer; nothing was written`, {
            cause: error,
          });
        if (!isUndone(error) || round >= FRESH_TRANSACTIONS) throw error;
      }
    }
  }

  async readAll(
    after: Cursor,
    limit: number,
  ): Promise<{ readonly events: readonly RecordedEvent[]; readonly next: Cursor }> {
    const known = this.tail.after(after, limit) ?? [];
    const from = known.at(-1)?.cursor ?? after;
    if (known.length > 0 && known.length >= limit) return { events: known, next: from };
    const { rows } = await this.pool.query<EventColumns>({
      name: 'es-read-all',
      text: `select ${EVENT_COLUMNS} from (values (1)) one left join lateral es.read_all($1, $2, $3) e on true order by e.transaction_id, e.position`,
      values: [from.transactionId, from.position, limit - known.length],
    });
    const generation = rows[0]!.generation;
    if (from.generation !== 0 && from.generation !== generation) throw new CursorOfAnotherLog(from, generation);
    const read = rows.filter((row) => row.position !== null).map(toEvent);
    // News are about to be asked for stream by stream; a reader of old days is not to drive them out.
    if (this.tail.add(from, read)) for (const event of read) this.known.add(event);
    const events = known.length === 0 ? read : [...known, ...read];
    return { events, next: events.at(-1)?.cursor ?? { ...after, generation } };
  }

  async findByAlias(aliases: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (aliases.length === 0) return new Map();
    const { rows } = await this.pool.query<{ alias: string; stream_id: string }>({
      name: 'es-alias',
      text: 'select alias, stream_id from es.alias where alias = any($1)',
      values: [aliases.filter(isStorable)],
    });
    return new Map(rows.map((row) => [row.alias, row.stream_id]));
  }

  async readSealed(
    streamIds: readonly string[],
  ): Promise<
    ReadonlyMap<string, { readonly wrappedKey: Uint8Array; readonly keyId: string; readonly sealed: Uint8Array }>
  > {
    if (streamIds.length === 0) return new Map();
    const { rows } = await this.pool.query<{ stream_id: string; wrapped_key: Buffer; key_id: string; sealed: Buffer }>({
      name: 'es-sealed',
      text: 'select stream_id, wrapped_key, key_id, sealed from es.sealed where stream_id = any($1)',
      values: [streamIds.filter(isStorable)],
    });
    return new Map(
      rows.map((row) => [row.stream_id, { wrappedKey: row.wrapped_key, keyId: row.key_id, sealed: row.sealed }]),
    );
  }

  async readEventKeys(streamIds: readonly string[]): Promise<ReadonlyMap<string, KeptEventKey>> {
    if (streamIds.length === 0) return new Map();
    const { rows } = await this.pool.query<EventKeyColumns>({
      name: 'es-event-keys',
      text: 'select stream_id, key_id, wrapped_key, closed_at, forgotten_at from es.event_key where stream_id = any($1)',
      values: [streamIds.filter(isStorable)],
    });
    return new Map(rows.map((row) => [row.stream_id, toEventKey(row)]));
  }

  async forgetEventKeys(closedBefore: number, most: number): Promise<number> {
    const { rows } = await this.pool.query<{ count: number }>('select es.forget_event_keys($1, $2) as count', [
      new Date(closedBefore),
      most,
    ]);
    return rows[0]!.count;
  }

  async inboxOffset(
    group: string,
    topic: string,
    partition: number,
  ): Promise<{ epoch: number; offset: string } | undefined> {
    const { rows } = await this.pool.query<{ epoch: number; offset: string }>(
      `select epoch, next_offset as "offset" from es.inbox_offset where consumer_group = $1 and topic = $2 and partition = $3`,
      [group, topic, partition],
    );
    return rows[0];
  }

  async beginInboxEpoch(group: string, topic: string, partition: number, offset: string): Promise<number> {
    const { rows } = await this.pool.query<{ epoch: number }>('select es.begin_inbox_epoch($1, $2, $3, $4) as epoch', [
      group,
      topic,
      partition,
      offset,
    ]);
    return rows[0]!.epoch;
  }

  /** How far readers are behind, for metrics and health. */
  async lag(): Promise<Lag> {
    const { rows } = await this.pool.query<HorizonColumns>('select * from es.horizon_lag()');
    const horizon = rows[0]!;
    const blocking = horizon.blocking_pid === null ? undefined : toBlocking(horizon, horizon.blocking_pid);
    const { rows: subscriptions } = await this.pool.query<SubscriptionLag>(
      `select name, owner, events::int as events, seconds, parked_streams::int as "parkedStreams", queued_events::int as "queuedEvents"
         from es.subscription_lag() order by name`,
    );
    return { horizonLagSeconds: horizon.seconds, ...(blocking && { blocking }), subscriptions };
  }

  /** Makes the partitions of this month and the `months` after it. At start and once a day; appends do not depend on it. */
  async makePartitions(months = 3): Promise<void> {
    await this.pool.query('select es.make_partitions($1)', [months]);
  }
}

function toBlocking(
  { application, database, blocking_seconds: seconds }: HorizonColumns,
  pid: number,
): NonNullable<Lag['blocking']> {
  return {
    pid,
    ...(application !== null && { application }),
    ...(database !== null && { database }),
    ...(seconds !== null && { transactionSeconds: seconds }),
  };
}

function inboxName({ group, topic, partition, epoch, from }: InboxMove): string {
  return `inbox offset ${from} of ${group} on ${topic}/${partition} (epoch ${epoch})`;
}

function toEventKey({ key_id, wrapped_key, closed_at, forgotten_at }: EventKeyColumns): KeptEventKey {
  return {
    ...(key_id !== null && wrapped_key !== null && { key: { keyId: key_id, wrappedKey: wrapped_key } }),
    ...(closed_at && { closedAt: closed_at.toISOString() }),
    ...(forgotten_at && { forgottenAt: forgotten_at.toISOString() }),
  };
}

/** Of what was to be removed, that which has gone. */
function removedOf({ effects = [] }: StreamAppend, gone: readonly string[]): readonly RemovedEffect[] {
  return gone.flatMap((name) => {
    const asked = effects.find(({ op, kind, key }) => op === 'remove' && `${kind}:${key}` === name);
    return asked ? [{ kind: asked.kind, key: asked.key }] : [];
  });
}
