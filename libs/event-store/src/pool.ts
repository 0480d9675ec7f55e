import type pg from 'pg';
import { WatchedPool } from './watched-pool.ts';

/** Role that every connection of the product takes; made by the migrations. */
const APPLICATION_ROLE = 'eci_fleet_app';

/**
 * What every connection of the product sets, as PostgreSQL start options. For pools of others (TypeORM: `extra: { options: CONNECTION_OPTIONS }`).
 *
 * The role holds even when the login owns the database. An open writing transaction stalls every reader of the log, hence the short limits.
 * Needs a direct connection or a pooler in session mode.
 */
export const CONNECTION_OPTIONS = [
  `role=${APPLICATION_ROLE}`,
  'transaction_timeout=15s',
  'idle_in_transaction_session_timeout=10s',
  'timezone=UTC',
  'jit=off',
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

/**
 * How long a connection is waited for, and an answer, milliseconds; for pools of others too. The server ends what takes longer than 15 s by itself, so
 * no answer after 20 s means that none will come: a network that swallows packets would hold a caller for a quarter of an hour otherwise.
 *
 * A connection lives 300 s at most: one that only reads never hears that its server was demoted, and would read what is old for ever. It is kept as
 * long, idle or not: a new one plans each statement anew, which costs the first who gets it some 30 ms, in every burst (the driver would close what was
 * idle for ten seconds).
 */
export const PATIENCE = {
  maxLifetimeSeconds: 300,
  idleTimeoutMillis: 300_000,
  connectionTimeoutMillis: 10_000,
  query_timeout: 20_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
} as const;

interface PoolOptions {
  /** Connections at most; default 10. */
  readonly max?: number;
  readonly applicationName?: string;
  /** How long an answer is waited for, milliseconds; default 20,000. 0 = as long as it takes, for whoever lifts the server's own limit as well. */
  readonly answerWithinMs?: number;
  /** An idle connection died (the server restarted). Nothing is lost: the pool makes a new one. */
  readonly onIdleError?: (error: Error) => void;
}

/** A pool whose connections act as the application role. The database must have been migrated. */
export function createPool(
  databaseUrl: string,
  { max = 10, applicationName = 'eci-fleet', answerWithinMs = PATIENCE.query_timeout, onIdleError }: PoolOptions = {},
): pg.Pool {
  // Options in the URL would replace ours, and with them the role; ours come last and win.
  const url = new URL(databaseUrl);
  const given = url.searchParams.get('options');
  url.searchParams.delete('options');
  const pool = new WatchedPool({
    connectionString: url.href,
    max,
    application_name: applicationName,
    options: given === null ? CONNECTION_OPTIONS : `${given} ${CONNECTION_OPTIONS}`,
    ...PATIENCE,
    query_timeout: answerWithinMs,
  });
  // Without a listener Node ends the process: the pool speaks for its idle connections, one that is in use for itself when it dies between two
  // statements. Whoever uses it learns of it from the next statement.
  pool.on('error', (error) => onIdleError?.(error));
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}
