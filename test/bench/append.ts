import { createHash, randomUUID } from 'node:crypto';
import pg from 'pg';
import { createPool, PostgresEventStore, type NewEvent, type StreamAppend } from '#libs/event-store';
import { createDatabase, startPostgres } from '#libs/testing';
import { migrate } from '#migrations';
import { atLeast, rate, ratio, type Figure } from './figures.ts';
import { ProcessorTime } from './processor-time.ts';
import type { Undo } from './rig.ts';

const CONNECTIONS = 8;
const STREAMS_A_CALL = 50;
/** Ours and the baseline take turns, so that a neighbour on the machine slows both. */
const TURNS = 4;

/**
 * How fast events are appended through the store: half of them open streams, half follow on streams that exist; one event a stream and call. The
 * baseline inserts the same rows of `es.event`, and nothing else: no heads, no guard, no digest to compute, no canonical text to make, its columns
 * ready as arrays of text; same columns, keys and indexes, but no partitions, no rule against changing it.
 */
export async function append(undo: Undo, events: number): Promise<readonly Figure[]> {
  const postgres = await startPostgres({ settings: { fsync: 'on', full_page_writes: 'on', shared_buffers: '512MB' } });
  undo.add(() => postgres.stop());
  const { url } = await createDatabase(postgres.url, { name: 'bench' });
  await migrate(url);
  const pool = createPool(url, { max: CONNECTIONS });
  undo.add(() => pool.end());
  const owner = new pg.Pool({ connectionString: url, max: CONNECTIONS });
  owner.on('error', () => undefined);
  undo.add(() => owner.end());
  await owner.query('create schema bench');
  await owner.query(
    'create table bench.event (like es.event including defaults including indexes including constraints)',
  );
  const store = new PostgresEventStore(pool);

  // Connections are made, plans are kept, files have their first pages.
  const warm = callsOf(STREAMS_A_CALL * CONNECTIONS * 8, 'warm');
  await inTurn([...warm.opening, ...warm.following], (call) => appendAll(store, call));
  await inTurn([...warm.opening, ...warm.following].map(columnsOf), (columns) => insertAll(owner, columns));

  const time = new ProcessorTime({ postgres: postgres.process.pid });
  const ours = { opening: 0, following: 0 };
  const plain = { opening: 0, following: 0 };
  time.begin();
  for (let turn = 0; turn < TURNS; turn++) {
    const calls = callsOf(Math.ceil(events / TURNS), `turn-${turn}`);
    for (const kind of ['opening', 'following'] as const) {
      const columns = calls[kind].map(columnsOf);
      const baseline = async (): Promise<void> => {
        plain[kind] += await inTurn(columns, (call) => insertAll(owner, call));
      };
      if (turn % 2 === 1) await baseline();
      ours[kind] += await inTurn(calls[kind], (call) => appendAll(store, call));
      if (turn % 2 === 0) await baseline();
    }
  }
  const processors = time.end();
  const { rows } = await owner.query<{ ours: string; plain: string; bytes: number }>(
    `select (select count(*) from es.event) as ours, (select count(*) from bench.event) as plain,
            (select avg(octet_length(data::text) + octet_length(metadata::text))::int from es.event) as bytes`,
  );
  const { ours: written, plain: inserted, bytes } = rows[0]!;
  if (written !== inserted) throw new Error(`${written} events were appended, but ${inserted} rows inserted`);
  const count = Math.ceil(events / TURNS / STREAMS_A_CALL / 2) * STREAMS_A_CALL * TURNS;
  const perSecond = (ms: number, of: number): number => (of / ms) * 1_000;
  const total = perSecond(ours.opening + ours.following, 2 * count);
  const baseline = perSecond(plain.opening + plain.following, 2 * count);
  return [
    { what: `append, ${STREAMS_A_CALL} streams a call, ${bytes} bytes an event`, value: rate(total, 'events') },
    { what: `baseline: plain insert of the same events, ${CONNECTIONS} connections`, value: rate(baseline, 'events') },
    { what: 'of the baseline', value: ratio(total / baseline), aim: atLeast(0.6, total / baseline, ratio) },
    {
      what: '  that open streams',
      value: `${rate(perSecond(ours.opening, count), 'events')} ${ratio(plain.opening / ours.opening)}`,
    },
    {
      what: '  that follow on streams',
      value: `${rate(perSecond(ours.following, count), 'events')} ${ratio(plain.following / ours.following)}`,
    },
    { what: 'processors, both', value: processors },
  ];
}

/** Does `work` for every item over all connections; resolves with milliseconds. */
async function inTurn<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<number> {
  const queue = items.values();
  const began = performance.now();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (const item of queue) await work(item);
    }),
  );
  return performance.now() - began;
}

type Call = readonly StreamAppend[];

function callsOf(
  events: number,
  name: string,
): { readonly opening: readonly Call[]; readonly following: readonly Call[] } {
  const calls = Math.ceil(events / STREAMS_A_CALL / 2);
  const opening: Call[] = [];
  const following: Call[] = [];
  for (let call = 0; call < calls; call++) {
    const streams = Array.from({ length: STREAMS_A_CALL }, () => `container_group:${name}:${randomUUID()}`);
    opening.push(streams.map((streamId) => ({ streamId, expected: 0, events: [containersChanged()] })));
    following.push(streams.map((streamId) => ({ streamId, expected: 1, events: [containersChanged()] })));
  }
  return { opening, following };
}

/** An event of the usual size and shape. */
function containersChanged(): NewEvent {
  const at = new Date().toISOString();
  return {
    eventId: randomUUID(),
    type: 'ContainersChanged',
    schemaVersion: 1,
    data: {
      attempt: 1,
      containerGroupId: `eci-${randomUUID().slice(0, 18)}`,
      status: 'Running',
      ip: { internet: null, intranet: '192.168.10.57' },
      conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
        type,
        status: 'True',
        at,
      })),
      containers: [
        {
          name: 'web',
          image: 'registry.example.com/shop/web:1.27',
          ready: true,
          started: true,
          restartCount: 0,
          state: { kind: 'Running', startedAt: at },
        },
      ],
    },
    metadata: { actor: 'control-plane:observe', decidedAt: at, causationId: 'eci:DescribeContainerGroups' },
  };
}

async function appendAll(store: PostgresEventStore, call: Call): Promise<void> {
  const refused = (await store.append(call)).find((result) => !result.ok);
  if (refused) throw new Error(`${refused.streamId} was not appended`);
}

type Columns = readonly (readonly (string | number)[])[];

function columnsOf(call: Call): Columns {
  const rows = call.flatMap(({ streamId, expected, events }) =>
    events.map((event, index) => {
      const [data, metadata] = [JSON.stringify(event.data), JSON.stringify(event.metadata)];
      const digest = createHash('sha256').update(data).digest('hex');
      const { eventId, type, schemaVersion } = event;
      return [streamId, expected + index + 1, eventId, type, schemaVersion, data, metadata, `\\x${digest}`];
    }),
  );
  return rows[0]!.map((_, column) => rows.map((row) => row[column]!));
}

async function insertAll(pool: pg.Pool, columns: Columns): Promise<void> {
  await pool.query({
    name: 'plain',
    text: `insert into bench.event (recorded_at, stream_id, version, event_id, type, schema_version, data, metadata, digest)
           select clock_timestamp(), * from unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::smallint[], $6::jsonb[], $7::jsonb[], $8::bytea[])`,
    values: columns as unknown[],
  });
}
