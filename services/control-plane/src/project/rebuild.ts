import type { Pool, PoolClient } from 'pg';
import { asSqlClient, checkpointTransaction, PostgresCatalogue, type Cursor } from '#libs/event-store';
import { errorMessage } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { compareTables, type Comparison } from './compare-tables.ts';
import { RebuildReplaced, ShadowTables } from './shadow-tables.ts';

/** Any number that no other program uses as an advisory lock in this database. */
const LOCK = 727_340_150;
/** Streams of one transaction: a few tenths of a second. */
const STREAMS = 1_000;
/** Events that may be caught up while the tables are locked. */
const EVENTS_UNDER_LOCK = 500;
/** Readers wait behind a lock that is waited for, so it is given up soon and tried again. */
const LOCK_WAIT_MS = 250;
const SWAP_TRIES = 400;
/** Smaller tables are indexed after they were filled; a large one grows with its indexes, for making one of them would stall readers of the log. */
const INDEX_FIRST_FROM = 250_000;

/** A rebuild runs already; its holder is named. */
export class RebuildRunning extends Error {
  override readonly name = 'RebuildRunning';
}

export interface RebuildOptions {
  /** Leave the tables that serve as they are; default false. */
  readonly compareOnly?: boolean;
  /** Connections that fill at once; default 2. */
  readonly workers?: number;
  /** Streams from which the new table grows with its indexes instead of getting them afterwards; default 250,000. */
  readonly indexFirstFrom?: number;
  /** Differences listed at most; default 100. */
  readonly most?: number;
  readonly progress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface RebuildParts {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Rebuilt extends Comparison {
  readonly streams: number;
  readonly events: number;
  readonly seconds: number;
  /** Where both stood when they were compared. */
  readonly place: Cursor;
  /** The rebuilt tables serve now. */
  readonly taken: boolean;
  /** Streams that could not be folded: their old rows, if any, were kept, and they are parked for the reader of the read model. */
  readonly failed: readonly string[];
}

/** Stopped by the operator; nothing was changed. */
export class RebuildStopped extends Error {
  override readonly name = 'RebuildStopped';

  constructor() {
    super('stopped; the tables that serve are as they were');
  }
}

/**
 * Makes the read model anew from the events beside the one that serves, compares both at one place of the log, and swaps them in one short
 * transaction. Readers and the role `project` of other processes go on throughout. A crash leaves the tables that serve; what is left of the
 * shadow is dropped by the next run. Throws {@link RebuildRunning} when one runs, {@link RebuildReplaced} when another took over.
 */
export async function rebuild(parts: RebuildParts, options: RebuildOptions = {}): Promise<Rebuilt> {
  const { pool } = parts;
  const turn = await pool.connect();
  try {
    await takeTurn(turn);
    return await run(parts, options);
  } finally {
    // The server notices the end of a session a moment later: given back here, the next rebuild may begin at once.
    await turn.query('select pg_advisory_unlock_all()').catch(() => undefined);
    turn.release(true);
  }
}

async function run(parts: RebuildParts, options: RebuildOptions): Promise<Rebuilt> {
  const { pool, clock } = parts;
  const { progress = () => undefined, compareOnly = false, most = 100, signal } = options;
  const beganAt = clock.now();
  const shadow = await ShadowTables.begin(pool);
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

    const { comparison, place } = await compareAtOnePlace(parts, shadow, most);
    await shadow.refold(comparison.behind);
    const failed = [...shadow.failed.keys()];
    const result = { ...comparison, streams, events, seconds, place, failed };
    if (compareOnly) {
      await shadow.drop();
      return { ...result, taken: false };
    }
    await keepFailed(pool, shadow);
    await swap(parts, shadow, signal);
    return { ...result, taken: true };
  } catch (error) {
    if (!(error instanceof RebuildReplaced)) await shadow.drop().catch(() => undefined);
    throw error;
  }
}

async function takeTurn(turn: PoolClient): Promise<void> {
  const { rows } = await turn.query<{ mine: boolean }>('select pg_try_advisory_lock($1) as mine', [LOCK]);
  if (rows[0]?.mine === true) return;
  const { rows: holders } = await turn.query<{ pid: number }>(
    `select pid from pg_locks where locktype = 'advisory' and classid = 0 and objid = $1 and granted and database = (select oid from pg_database where datname = current_database())`,
    [LOCK],
  );
  throw new RebuildRunning(
    `a rebuild runs already${holders[0] ? ` (PostgreSQL session ${holders[0].pid})` : ''}: wait for it, or end that session with select pg_terminate_backend(pid)`,
  );
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
    const comparison = await compareTables(reader, { parked, most });
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
async function keepFailed(pool: Pool, shadow: ShadowTables): Promise<void> {
  for (const { streamId, version, error } of shadow.failed.values()) {
    await pool.query(
      `insert into fleet.container_group_shadow select * from fleet.container_group where stream_id = $1 on conflict do nothing`,
      [streamId],
    );
    await checkpointTransaction('project', asSqlClient(pool)).park({ streamId, version }, error);
  }
  if (shadow.failed.size > 0) await shadow.recount();
}

/** The shadow takes over once it can have both locks within a moment and little is left to catch up; else it lets everybody go on and tries again. */
async function swap({ pool, clock, random }: RebuildParts, shadow: ShadowTables, signal?: AbortSignal): Promise<void> {
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
    const code = (error as { code?: unknown }).code;
    // Not available within the wait, or a deadlock that was resolved against us: nothing happened.
    if (code === '55P03' || code === '40P01') return false;
    if (code === 'RB001') throw new RebuildReplaced(errorMessage(error));
    throw error;
  } finally {
    connection.release(broken);
  }
}

function refuseStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new RebuildStopped();
}
