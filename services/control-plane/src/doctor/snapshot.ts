import type { Pool, PoolClient } from 'pg';

/**
 * Runs `work` on one snapshot of the database, read only, however long it takes. It takes no transaction id, so it stalls no reader of the log;
 * while it lasts PostgreSQL keeps old versions of rows.
 */
export async function inSnapshot<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    // Set before the transaction begins: ours end after 15 s because they write, this one does not.
    await client.query('set transaction_timeout = 0');
    await client.query('begin isolation level repeatable read read only');
    return await work(client);
  } finally {
    await client
      .query('rollback')
      .then(() => client.query('reset transaction_timeout'))
      .catch((error: unknown) => {
        broken = error instanceof Error ? error : new Error('rollback failed');
      });
    client.release(broken);
  }
}
