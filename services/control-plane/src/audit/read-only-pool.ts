import type pg from 'pg';
import { WatchedPool } from '#libs/event-store';

/**
 * A pool that writes nothing, with whatever login the URL names: an auditor's needs no more than membership in `eci_fleet_auditor`. No limit on
 * how long a statement takes: nobody waits for a reader.
 */
export function readOnlyPool(databaseUrl: string): pg.Pool {
  const pool = new WatchedPool({
    connectionString: databaseUrl,
    max: 3,
    application_name: 'eci-fleet audit',
    options: '-c default_transaction_read_only=on -c timezone=UTC -c jit=off',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  // Without a listener Node ends the process; the query at hand says what is wrong.
  pool.on('error', () => undefined);
  return pool;
}
