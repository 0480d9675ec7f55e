import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import pg from 'pg';
import { createPool, PostgresEventStore, BEGINNING } from '#libs/event-store';
import { SystemClock, SystemRandom } from '#libs/runtime';
import { createDatabase, migrate, startPostgres } from '#libs/testing';
import { containerGroupTables } from '../../services/control-plane/src/container-groups/container-group-tables.ts';
import { rebuildBeside } from '../../services/control-plane/src/rebuild/rebuild-beside.ts';
import { atLeast, rate, ratio, seconds, type Figure } from './figures.ts';
import { ProcessorTime } from './processor-time.ts';
import type { Undo } from './rig.ts';
import { EVENTS_PER_LIFE, storeLives } from './stored-lives.ts';

const AIM = 50_000;
const PAGE = 5_000;
const DATABASE = 'bench_rebuild';

/** A read model rebuilt from a million events; baseline: reading the same events one after another, and doing nothing with them. */
export async function rebuild(undo: Undo, events: number): Promise<readonly Figure[]> {
  const postgres = await startPostgres({
    settings: { fsync: 'on', full_page_writes: 'on', shared_buffers: '1GB', max_wal_size: '8GB' },
  });
  undo.add(() => postgres.stop());
  const { url } = await createDatabase(postgres.url, { name: DATABASE });
  await migrate(url);
  const admin = new pg.Pool({ connectionString: url, max: 1 });
  await storeLives(admin, Math.ceil(events / EVENTS_PER_LIFE));
  await admin.query(
    `insert into es.subscription (name, generation, last_transaction_id, last_position, leased_until, moved_at)
     select 'project', 1, e.transaction_id, e.position, now(), now() from es.event e order by e.transaction_id desc, e.position desc limit 1`,
  );
  await admin.query('checkpoint');
  // The sessions of the rebuild are then the only ones.
  await admin.end();

  const pool = createPool(url, { max: 8 });
  undo.add(() => pool.end());
  const parts = { pool, clock: new SystemClock(), random: new SystemRandom() };
  const processors = new ProcessorTime({ postgres: postgres.process.pid });
  processors.begin();
  let began = performance.now();
  let foldedMs = 0;
  const beforeMs = ownMs();
  const first = await rebuildBeside(containerGroupTables, parts, {
    most: 0,
    progress: (line) => {
      if (line.includes('folded in')) foldedMs = ownMs() - beforeMs + sessionsMs(postgres.process.pid);
    },
  });
  const whole = performance.now() - began;
  const used = processors.end();
  // The second one meets what the first one made: both must be equal, row by row.
  const second = await rebuildBeside(containerGroupTables, parts, { compareOnly: true });
  if (
    second.beside?.serving !== second.beside?.rebuilt ||
    second.differences.length > 0 ||
    second.rows !== first.streams
  )
    throw new Error(`rebuilt twice, and not equal: ${second.beside?.serving} and ${second.beside?.rebuilt}`);

  began = performance.now();
  const read = await readAll(new PostgresEventStore(pool));
  const readMs = performance.now() - began;
  const ours = first.events / first.seconds;
  const plain = (read / readMs) * 1_000;
  return [
    { what: `${first.events} events of ${first.streams} streams → rows`, value: seconds(first.seconds * 1_000) },
    { what: 'events → rows', value: rate(ours, 'events'), aim: atLeast(AIM, ours, (value) => rate(value, 'events')) },
    {
      what: `the same by processor time, ${cpus().length} processors for it alone`,
      value: rate((first.events / foldedMs) * 1_000 * cpus().length, 'events'),
    },
    { what: 'the whole rebuild, indexes, comparison and swap included', value: seconds(whole) },
    { what: 'baseline: reading the same events in order', value: rate(plain, 'events') },
    { what: 'of the baseline', value: ratio(ours / plain) },
    { what: 'processors', value: used },
  ];
}

async function readAll(store: PostgresEventStore): Promise<number> {
  let count = 0;
  for (let from = BEGINNING; ;) {
    const { events, next } = await store.readAll(from, PAGE);
    count += events.length;
    if (events.length < PAGE) return count;
    from = next;
  }
}

function ownMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Processor time of the server's sessions with the bench's database, since each began; 0 where the system does not say. */
function sessionsMs(server: number): number {
  try {
    return readFileSync(`/proc/${server}/task/${server}/children`, 'utf8')
      .split(' ')
      .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(` ${DATABASE} `))
      .map((pid) =>
        readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')
          .map(Number),
      )
      .reduce((sum, fields) => sum + ((fields[11] ?? 0) + (fields[12] ?? 0)) * 10, 0);
  } catch {
    return 0;
  }
}
