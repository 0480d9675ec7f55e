import { expect, it } from 'vitest';
import { createTestDatabase } from '#libs/testing';
import { postgresUnderTest } from './contract/postgres.ts';

it('outlives a connection that dies between two statements, whoever uses it', async () => {
  const { pool, owner, close } = await postgresUnderTest(await createTestDatabase());
  try {
    // given a connection that is in use, and has nothing to say just now
    const client = await pool.connect();
    const ended = new Promise((resolve) => client.once('end', () => resolve(undefined)));
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');

    // when the server ends its session: without a listener that would end this process
    await owner.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
    await ended;

    // then only who uses it fails
    await expect(client.query('select 1')).rejects.toThrow();
    client.release(true);
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  } finally {
    await close();
  }
});
