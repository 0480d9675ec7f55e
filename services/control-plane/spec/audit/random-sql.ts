/** For specs: statements that a superuser may come upon, drawn by seed. */
import type pg from 'pg';
import { recomputeDigests, recomputeSeals } from './tampering.ts';
import type { SealSigner } from '../../src/audit/seal.ts';

export interface Draw {
  /** 0 to `below` - 1. */
  number(below: number): number;
  of<T>(choices: readonly T[]): T;
}

export interface Tampering {
  readonly name: string;
  /** It changes nothing that anybody reads, nor who reads what. */
  readonly harmless?: true;
  /** It cuts seals off at the end or moves the sealer back: then copies of the seals tell, and the key alone does not. */
  readonly cutsOff?: true;
  run(db: pg.Client, draw: Draw): Promise<unknown>;
}

interface Target {
  readonly stream: string;
  readonly version: number;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

async function event(db: pg.Client, draw: Draw): Promise<Target> {
  const { rows } = await db.query<{ stream_id: string; version: string }>(
    'select stream_id, version from es.event order by stream_id, version',
  );
  const row = draw.of(rows);
  return { stream: row.stream_id, version: Number(row.version) };
}

async function stream(db: pg.Client, draw: Draw): Promise<string> {
  const { rows } = await db.query<{ stream_id: string }>('select stream_id from es.stream order by stream_id');
  return quoted(draw.of(rows).stream_id);
}

async function seal(db: pg.Client, draw: Draw): Promise<number> {
  const { rows } = await db.query<{ sequence: string }>('select sequence from es.seal order by sequence');
  return Number(draw.of(rows).sequence);
}

const where = ({ stream: of, version }: Target): string => `stream_id = ${quoted(of)} and version = ${version}`;

const onEvent = (name: string, set: (draw: Draw) => string): Tampering => ({
  name: `event: ${name}`,
  run: async (db, draw) => db.query(`update es.event set ${set(draw)} where ${where(await event(db, draw))}`),
});

const onStream = (name: string, set: (draw: Draw) => string): Tampering => ({
  name: `head: ${name}`,
  run: async (db, draw) => db.query(`update es.stream set ${set(draw)} where stream_id = ${await stream(db, draw)}`),
});

const onSeal = (name: string, set: (draw: Draw) => string): Tampering => ({
  name: `seal: ${name}`,
  run: async (db, draw) => db.query(`update es.seal set ${set(draw)} where sequence = ${await seal(db, draw)}`),
});

const statement = (name: string, text: string, more: Partial<Tampering> = {}): Tampering => ({
  name,
  run: (db) => db.query(text),
  ...more,
});

const interval = (draw: Draw): string =>
  `interval '${draw.of(['1 microsecond', '-1 microsecond', '1 second', '-1 hour', '1 hour'])}'`;

const transaction = (draw: Draw): string =>
  draw.of([
    `'3'::xid8`,
    'pg_current_xact_id()',
    `(pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 5000)::text::xid8`,
    `'9000000000000000000'::xid8`,
    '(select min(transaction_id) from es.event)',
    '(select max(transaction_id) from es.event)',
  ]);

const COPY = 'type, schema_version, data, metadata, digest';

const onEvents: readonly Tampering[] = [
  onEvent('data', () => `data = data || '{"containerGroupId": "eci-forged"}'`),
  onEvent('metadata', () => `metadata = metadata || '{"actor": "operator:alice"}'`),
  onEvent('type', () => `type = 'StopRequested'`),
  onEvent('schema version', () => 'schema_version = schema_version + 1'),
  onEvent('id', () => 'event_id = gen_random_uuid()'),
  onEvent('digest', () => `digest = sha256('x')`),
  onEvent('time', (draw) => `recorded_at = recorded_at + ${interval(draw)}`),
  onEvent('version', (draw) => `version = version + ${draw.of([1, -1, 10])}`),
  onEvent('stream', () => `stream_id = 'container_group:audited:new'`),
  onEvent('transaction', (draw) => `transaction_id = ${transaction(draw)}`),
  onEvent('position', (draw) => `position = position ${draw.of(['+', '-'])} ${draw.of([1, 2, 1000])}`),
  {
    name: 'event: delete',
    run: async (db, draw) => db.query(`delete from es.event where ${where(await event(db, draw))}`),
  },
  {
    name: 'event: delete the end of a stream',
    run: async (db, draw) => {
      const of = await event(db, draw);
      await db.query(`delete from es.event where stream_id = ${quoted(of.stream)} and version >= ${of.version}`);
    },
  },
  {
    name: 'event: two change their contents',
    run: async (db, draw) => {
      const [one, two] = [await event(db, draw), await event(db, draw)];
      await db.query(`update es.event e set data = o.data, type = o.type, event_id = o.event_id
        from es.event o
       where (e.stream_id, e.version, o.stream_id, o.version) in
             ((${quoted(one.stream)}, ${one.version}, ${quoted(two.stream)}, ${two.version}),
              (${quoted(two.stream)}, ${two.version}, ${quoted(one.stream)}, ${one.version}))`);
    },
  },
  statement('event: truncate', 'truncate es.event'),
];

const additions: readonly Tampering[] = [
  {
    name: 'event: one more at the end of its stream',
    run: async (db, draw) =>
      db.query(`insert into es.event (recorded_at, position, transaction_id, stream_id, version, event_id, ${COPY})
        select recorded_at, position + 1000, ${transaction(draw)}, stream_id,
               (select max(version) + 1 from es.event o where o.stream_id = e.stream_id), gen_random_uuid(), ${COPY}
          from es.event e where ${where(await event(db, draw))}`),
  },
  {
    name: 'event: a second of its version',
    run: async (db, draw) =>
      db.query(`insert into es.event (recorded_at, position, transaction_id, stream_id, version, event_id, ${COPY})
        select recorded_at + interval '1 microsecond', position + 1000, ${transaction(draw)}, stream_id, version, gen_random_uuid(), ${COPY}
          from es.event where ${where(await event(db, draw))}`),
  },
  {
    name: 'event: the first of a new stream',
    run: async (db, draw) =>
      db.query(`insert into es.event (recorded_at, position, transaction_id, stream_id, version, event_id, ${COPY})
        select recorded_at, position + 1000, ${transaction(draw)}, 'container_group:audited:new', 1, gen_random_uuid(), ${COPY}
          from es.event where ${where(await event(db, draw))}`),
  },
];

const onHeads: readonly Tampering[] = [
  onStream('version', (draw) => `version = greatest(1, version + ${draw.of([1, -1, 7])})`),
  onStream('opened', (draw) => `opened_at = opened_at + ${interval(draw)}`),
  onStream('last', (draw) => `last_recorded_at = last_recorded_at + ${interval(draw)}`),
  onStream('closed', () => 'closed_at = now()'),
  {
    name: 'head: delete',
    run: async (db, draw) => db.query(`delete from es.stream where stream_id = ${await stream(db, draw)}`),
  },
  statement('head: truncate', 'truncate es.stream'),
];

/** Who has changed something and knows how it all hangs together. */
const coveringUp = (mallory: SealSigner): readonly Tampering[] => [
  statement(
    'cover up: heads as their events say',
    `delete from es.stream s where not exists (select from es.event e where e.stream_id = s.stream_id);
     insert into es.stream (stream_id, version, last_transaction_id, last_recorded_at, opened_at)
     select stream_id, max(version), max(transaction_id), max(recorded_at), min(recorded_at) from es.event group by stream_id
     on conflict (stream_id) do update set version = excluded.version, last_recorded_at = excluded.last_recorded_at, opened_at = excluded.opened_at`,
  ),
  { name: 'cover up: digests anew', run: (db) => recomputeDigests(db) },
  { name: 'cover up: seals anew, not signed', run: (db) => recomputeSeals(db, undefined) },
  { name: 'cover up: seals anew, own key', run: (db) => recomputeSeals(db, mallory) },
  {
    name: 'cover up: seals cut off',
    cutsOff: true,
    run: async (db, draw) =>
      db.query(`delete from es.seal where sequence >= ${await seal(db, draw)};
        update es.subscription set (last_transaction_id, last_position) = (
          select coalesce(max(through_transaction_id::text::bigint), 0)::text::xid8, coalesce(max(through_position), 0) from es.seal)
         where name = 'audit-seal'`),
  },
];

const onSeals: readonly Tampering[] = [
  onSeal('time', () => `sealed_at = sealed_at - interval '1 day'`),
  onSeal('root', () => `merkle_root = sha256('x')`),
  onSeal('digest', () => `digest = sha256('x')`),
  onSeal('entries', () => `entries = replace(entries, 'Pod', 'Pad')`),
  onSeal('no signature', () => 'key_id = null, signature = null'),
  onSeal('fleet', () => `fleet = 'another'`),
  {
    name: 'seal: delete',
    run: async (db, draw) => db.query(`delete from es.seal where sequence = ${await seal(db, draw)}`),
    cutsOff: true,
  },
  statement('seal: truncate', 'truncate es.seal', { cutsOff: true }),
];

const policy = (table: string): string =>
  `alter table es.${table} enable row level security;
   drop policy if exists face on es.${table};
   create policy face on es.${table} using (pg_has_role(current_user, 'eci_fleet_app', 'member') or stream_id not like '%:new')`;

const onTables: readonly Tampering[] = [
  statement('table: row security hides new streams from auditors', `${policy('event')}; ${policy('stream')}`),
  statement(
    'table: row security hides a stream from everybody else',
    `alter table es.event enable row level security; create policy none on es.event using (stream_id not like '%:b')`,
  ),
  statement(
    'table: a view in place of events',
    `alter table es.event rename to event_behind;
     create view es.event as select * from es.event_behind where stream_id not like '%:a' or current_user <> 'eci_fleet_app';
     grant select on es.event to eci_fleet_app, eci_fleet_auditor`,
  ),
  statement('table: a rule', 'create rule face as on update to es.stream do instead nothing'),
  statement(
    'table: an heir of heads',
    `create table es.heir () inherits (es.stream);
     insert into es.heir select 'container_group:audited:new', 1, last_transaction_id, last_recorded_at, opened_at, null from es.stream limit 1`,
  ),
  statement(
    'table: a month is detached',
    `do $$ begin execute (select format('alter table es.event detach partition %s', tableoid::regclass) from es.event limit 1); end $$`,
  ),
];

const nothing: readonly Tampering[] = [
  statement(
    'nothing: guards are off',
    'alter table es.event disable trigger all; alter table es.seal disable trigger all',
    {
      harmless: true,
    },
  ),
  statement(
    'nothing: every row is written anew',
    'update es.event set data = data; update es.stream set version = version',
    {
      harmless: true,
    },
  ),
  statement('nothing: an index', 'create index on es.event (type); analyze es.event', { harmless: true }),
  statement('nothing: a comment and a grant', `comment on table es.seal is 'x'; grant select on es.seal to public`, {
    harmless: true,
  }),
  statement(
    'nothing: statements that are undone',
    'savepoint undone; truncate es.event, es.seal, es.stream; rollback to undone',
    {
      harmless: true,
    },
  ),
  statement(
    'nothing: a transaction that writes nothing',
    'savepoint undone; select pg_current_xact_id(); rollback to undone',
    {
      harmless: true,
    },
  ),
];

/** Some statements in a row; who covers up does so at last, and more or less of it. */
export function tamperings(draw: Draw, mallory: SealSigner): readonly Tampering[] {
  const some = (lists: readonly (readonly Tampering[])[]): readonly Tampering[] =>
    Array.from({ length: 1 + draw.number(2) }, () => draw.of(draw.of(lists)));
  const [heads, digests, unsigned, ownKey, cutOff] = coveringUp(mallory) as [Tampering, ...Tampering[]] & Tampering[];
  const harm = some([onEvents, onEvents, additions, onHeads, onSeals, onTables]);
  const quiet = some([onEvents, additions]);
  switch (draw.number(8)) {
    case 0:
      return some([nothing]);
    case 1:
      return harm;
    case 2:
      return [...harm, heads, digests!, ...(draw.number(2) === 0 ? [draw.of(onTables)] : [])];
    case 3:
    case 7:
      // With a face for auditors in which what was added is not there.
      return [...some([additions]), heads, digests!, ...(draw.number(2) === 0 ? [onTables[0]!] : [])];
    case 4:
      return [...harm, heads, digests!, cutOff!];
    default:
      return [...quiet, heads, digests!, draw.of([unsigned!, unsigned!, ownKey!])];
  }
}
