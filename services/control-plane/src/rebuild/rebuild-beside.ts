import type { Pool } from 'pg';
import { asSqlClient, checkpointTransaction, PostgresCatalogue, type Cursor } from '#libs/event-store';
import { errorMessage, isLockMissed, isRaised } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import { refuseStopped, type RebuildOptions, type RebuildParts, type Rebuilt } from '../streams/projection.ts';
import { compareTables, type Comparison } from './compare-tables.ts';
import { RebuildReplaced, ShadowTables } from './shadow-tables.ts';
import type { TablesBeside } from './tables-beside.ts';

/** Streams of one transaction: a few tenths of a second. */
const STREAMS = 1_000;
/** Events that may be caught up while the tables are locked. */
const EVENTS_UNDER_LOCK = 500;
/** Readers wait behind a lock that is waited for, so it is given up soon and tried again. */
const LOCK_WAIT_MS = 250;
const SWAP_TRIES = 400;
/** Smaller tables are indexed after they were filled; a large one grows with its indexes, for making one of them would stall readers of the log. */
const INDEX_FIRST_FROM = 250_000;

/**
 * Makes tables anew from the events beside those that serve, compares both at one place of the log, and swaps them in one short transaction.
 * Readers and the role `project` of other processes go on throughout. A crash leaves the tables that serve; what is left of the shadow is
 * dropped by the next run. Throws {@link RebuildReplaced} when another took over, {@link RebuildStopped}.
 */
export async function rebuildBeside(
  tables: TablesBeside,
  parts: RebuildParts,
  options: RebuildOptions,
): Promise<Rebuilt> {
  const { pool, clock } = parts;
  const { progress = () => undefined, compareOnly = false, most = 100, signal } = options;
  const beganAt = clock.now();
  const shadow = await ShadowTables.begin(tables, pool);
  try {
    const large =
      (await new PostgresCatalogue(asSqlClient(pool)).estimateStreams()) >=
      (options.indexFirstFrom ?? INDEX_FIRST_FROM);
    if (large) await shadow.index(progress);
    const { streams, events } = await fill(shadow, clock, options);
    const seconds = (clock.now() - beganAt) / 1000;
    progress(
      `${streams} streams with ${events} events folded in ${seconds.toFixed(1)} s (${Math.round(events / Math.max(0.001, seconds))} events/s)`,
    );
    if (!large) await shadow.index(progress);
    await shadow.analyze();
    await shadow.count();
    await shadow.catchUp();
    refuseStopped(signal);

    const { comparison, place } = await compareAtOnePlace(tables, parts, shadow, most);
    await shadow.refold(comparison.behind);
    const failed = [...shadow.failed.keys()];
    const { serving, rebuilt, behind: _, ...compared } = comparison;
    const result = { ...compared, streams, events, seconds, failed, beside: { place, serving, rebuilt } };
    if (compareOnly) {
      await shadow.drop();
      return { ...result, taken: false };
    }
    await keepFailed(tables, pool, shadow);
    await swap(parts, shadow, options);
    return { ...result, taken: true };
  } catch (error) {
    if (!(error instanceof RebuildReplaced)) await shadow.drop().catch(() => undefined);
    throw error;
  }
}

/** Reads streams in the order of their opening and writes their rows, several transactions at a time; progress once in five seconds. */
async function fill(
  shadow: ShadowTables,
  clock: Clock,
  { workers = 2, progress, signal }: RebuildOptions,
): Promise<{ readonly streams: number; readonly events: number }> {
  const until = shadow.place;
  let from: Cursor | undefined = { ...until, transactionId: '0', position: '0' };
  let streams = 0;
  let events = 0;
  let saidAt = clock.now();
  // One page after another is taken, each by whoever is free; reading ids is a hundredth of the work.
  let turn: Promise<readonly string[]> = Promise.resolve([]);
  const nextPage = (): Promise<readonly string[]> => {
    turn = turn.then(async () => {
      if (from === undefined) return [];
      const page = await shadow.openedStreams(from, until, STREAMS);
      from = page.last;
      return page.streamIds;
    });
    return turn;
  };
  const worker = async (): Promise<void> => {
    for (;;) {
      refuseStopped(signal);
      const page = await nextPage();
      if (page.length === 0 && from === undefined) return;
      const filled = await shadow.fill(page);
      events += filled;
      streams += page.length;
      if (clock.now() - saidAt >= 5_000) {
        saidAt = clock.now();
        progress?.(`${streams} streams, ${events} events`);
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return { streams, events };
}

/** Holds the reader of the read model for the moment in which the shadow reaches it and a snapshot is taken of both; compares in the snapshot. */
async function compareAtOnePlace(
  tables: TablesBeside,
  { pool }: RebuildParts,
  shadow: ShadowTables,
  most: number,
): Promise<{ readonly comparison: Comparison; readonly place: Cursor }> {
  await shadow.catchUp();
  const holder = await pool.connect();
  const reader = await pool.connect();
  let broken = true;
  try {
    await reader.query('set transaction_timeout = 0');
    await holder.query('begin');
    await checkpointTransaction('project', asSqlClient(holder)).hold();
    await shadow.catchUp();
    const place = shadow.place;
    await reader.query('begin isolation level repeatable read read only');
    const waiting = await checkpointTransaction('project', asSqlClient(reader)).parked();
    await holder.query('rollback');
    const parked = new Set([...waiting, ...shadow.failed.keys()]);
    const comparison = await compareTables(tables, reader, { parked, most });
    await reader.query('rollback');
    await reader.query('reset transaction_timeout');
    broken = false;
    return { comparison, place };
  } finally {
    holder.release(broken);
    reader.release(broken);
  }
}

/** What cannot be folded keeps the row it has, and is parked where people see it. */
async function keepFailed(tables: TablesBeside, pool: Pool, shadow: ShadowTables): Promise<void> {
  for (const { streamId, version, error } of shadow.failed.values()) {
    await pool.query(
      `insert into ${tables.made} select * from ${tables.serving} where stream_id = $1 on conflict do nothing`,
      [streamId],
    );
    await checkpointTransaction('project', asSqlClient(pool)).park({ streamId, version }, error);
  }
  if (shadow.failed.size > 0) await shadow.count();
}

/** The shadow takes over once it can have both locks within a moment and little is left to catch up; else it lets everybody go on and tries again. */
async function swap(
  { pool, clock, random }: RebuildParts,
  shadow: ShadowTables,
  { signal }: RebuildOptions,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    refuseStopped(signal);
    await shadow.catchUp();
    if (await trySwap(pool, shadow)) return;
    if (tries === SWAP_TRIES)
      throw new Error(
        `the tables were never free for ${LOCK_WAIT_MS} ms in ${tries} tries: look for long transactions`,
      );
    await clock.sleep(20 + random.next() * 100, signal);
  }
}

async function trySwap(pool: Pool, shadow: ShadowTables): Promise<boolean> {
  const connection = await pool.connect();
  const before = shadow.place;
  let broken: Error | undefined;
  try {
    await connection.query('begin');
    await connection.query(`set local lock_timeout = ${LOCK_WAIT_MS}`);
    const { rows } = await connection.query<{ generation: number; transaction_id: string; position: string }>(
      'select generation, transaction_id::text as transaction_id, position::text as position from fleet.lock_for_rebuild($1)',
      [shadow.id],
    );
    const [at] = rows;
    if (at) {
      const until = { generation: at.generation, transactionId: at.transaction_id, position: at.position };
      if ((await shadow.catchUpIn(connection, until, EVENTS_UNDER_LOCK)) === 'too-far') {
        await connection.query('rollback');
        return false;
      }
    }
    // Whatever waited for a replay has been folded with its stream; what cannot be folded waits on.
    const reader = checkpointTransaction('project', asSqlClient(connection));
    await reader.endReplay([...(await reader.parked())].filter((streamId) => !shadow.failed.has(streamId)));
    await connection.query('select fleet.take_rebuild($1)', [shadow.id]);
    await connection.query('commit');
    return true;
  } catch (error) {
    shadow.place = before;
    await connection.query('rollback').catch((failure: unknown) => {
      broken = new Error(errorMessage(failure));
    });
    // Nothing happened.
    if (isLockMissed(error)) return false;
    if (isRaised(error, 'RB001')) throw new RebuildReplaced(errorMessage(error));
    throw error;
  } finally {
    connection.release(broken);
  }
}
