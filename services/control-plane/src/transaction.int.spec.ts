import { createPool } from '#libs/event-store';
import { createTestDatabase, eventually, type TestDatabase } from '#libs/testing';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inTransaction } from './transaction.ts';

let database: TestDatabase;
let pool: pg.Pool;
let admin: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 2 });
  admin = new pg.Pool({ connectionString: database.url, max: 1 });
});
afterAll(async () => {
  await pool.end();
  await admin.end();
  await database.drop();
});

it('outlives a connection that dies between two queries', async () => {
  // given a transaction whose server process is ended while nothing is being asked
  const transaction = inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const { pid } = rows[0]!;
    await admin.query('select pg_terminate_backend($1)', [pid]);
    await eventually(
      async () => (await admin.query('select 1 from pg_stat_activity where pid = $1', [pid])).rows.length === 0,
      { what: 'the session is gone' },
    );
    // The connection's end reaches us in a later turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    return client.query('select 1');
  });

  // then it fails, and the process lives: the next one works
  await expect(transaction).rejects.toThrow(/terminat|Connection|not queryable/i);
  expect((await inTransaction(pool, (client) => client.query('select 1 as one'))).rows).toEqual([{ one: 1 }]);
});
