import pg from 'pg';

/** Role that every connection of the product takes; made by the migrations. */
export const APPLICATION_ROLE = 'eci_fleet_app';

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

export interface PoolOptions {
  /** Connections at most; default 10. */
  readonly max?: number;
  readonly applicationName?: string;
  /** An idle connection died (the server restarted). Nothing is lost: the pool makes a new one. */
  readonly onIdleError?: (error: Error) => void;
}

/** A pool whose connections act as the application role. The database must have been migrated. */
export function createPool(
  databaseUrl: string,
  { max = 10, applicationName = 'eci-fleet', onIdleError }: PoolOptions = {},
): pg.Pool {
  // Options in the URL would replace ours, and with them the role; ours come last and win.
  const url = new URL(databaseUrl);
  const given = url.searchParams.get('options');
  url.searchParams.delete('options');
  const pool = new pg.Pool({
    connectionString: url.href,
    max,
    application_name: applicationName,
    options: given === null ? CONNECTION_OPTIONS : `${given} ${CONNECTION_OPTIONS}`,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  // Without a listener Node ends the process.
  pool.on('error', (error) => onIdleError?.(error));
  return pool;
}
