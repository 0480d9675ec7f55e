import type { PoolClient } from 'pg';
import type { Projection, RebuildOptions, RebuildParts, Rebuilt } from '../streams/projection.ts';

/** Any number that no other program uses as an advisory lock in this database. */
const LOCK = 727_340_150;

/** A rebuild runs already; its holder is named. */
export class RebuildRunning extends Error {
  override readonly name = 'RebuildRunning';
}

/**
 * Makes the rows of these projections anew, one after the other; returns what each found, in that order. Throws {@link RebuildRunning} when a rebuild
 * runs, and what a projection throws that could not do it; `done` was told of those before.
 */
export async function rebuild(
  projections: readonly Projection[],
  parts: RebuildParts,
  options: RebuildOptions = {},
  done: (projection: Projection, rebuilt: Rebuilt) => void = () => undefined,
): Promise<readonly Rebuilt[]> {
  const turn = await parts.pool.connect();
  try {
    await takeTurn(turn);
    const all: Rebuilt[] = [];
    for (const projection of projections) {
      const rebuilt = await projection.rebuild(parts, options);
      done(projection, rebuilt);
      all.push(rebuilt);
    }
    return all;
  } finally {
    // The server notices the end of a session a moment later: given back here, the next rebuild may begin at once.
    await turn.query('select pg_advisory_unlock_all()').catch(() => undefined);
    turn.release(true);
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
