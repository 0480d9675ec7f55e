import type pg from 'pg';
import { WatchedPool } from '#libs/event-store';

const SETTINGS = [
  'default_transaction_read_only=on',
  'timezone=UTC',
  'search_path=pg_catalog,pg_temp',
  'row_security=off',
];

/**
 * Once more on every connection, for a login trigger may have changed them: nobody but us says which names mean what, and rows that are hidden from us
 * are an error. The pool waits for it.
 */
const insist = (client: pg.ClientBase): unknown => client.query(SETTINGS.map((setting) => `set ${setting}`).join('; '));

/**
 * A pool that writes nothing, with whatever login the URL names: an auditor's needs no more than membership in `eci_fleet_auditor`. No limit on
 * how long a statement takes: nobody waits for a reader.
 */
export function readOnlyPool(databaseUrl: string): pg.Pool {
  const pool = new WatchedPool({
    connectionString: databaseUrl,
    max: 3,
    application_name: 'eci-fleet audit',
    options: `${SETTINGS.map((setting) => `-c ${setting}`).join(' ')} -c jit=off`,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    onConnect: insist,
  });
  // Without a listener Node ends the process; the query at hand says what is wrong.
  pool.on('error', () => undefined);
  return pool;
}
