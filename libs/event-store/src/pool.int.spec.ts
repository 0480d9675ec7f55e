import { expect, it } from 'vitest';
import { createTestDatabase } from '#libs/testing';
import { postgresUnderTest } from './contract/postgres.ts';
import { PostgresTransactions } from './sql-client.ts';

it('survives a connection that dies between two statements of a transaction', async () => {
  const { pool, owner, close } = await postgresUnderTest(await createTestDatabase());
  try {
    const ended = Promise.withResolvers<void>();
    pool.once('connect', (client) => client.once('end', ended.resolve));
    // given a transaction that waits for something else
    const waiting = Promise.withResolvers<void>();
    const pid = Promise.withResolvers<number>();
    const work = new PostgresTransactions(pool).run(async (tx) => {
      const [row] = await tx.query('select pg_backend_pid() as pid');
      pid.resolve(Number(row!['pid']));
      await waiting.promise;
      return tx.query('select 1');
    });
    const failure = expect(work).rejects.toThrow();

    // when the server ends its session: without a listener that would end this process
    await owner.query('select pg_terminate_backend($1)', [await pid.promise]);
    await ended.promise;
    waiting.resolve();

    // then only that transaction fails
    await failure;
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  } finally {
    await close();
  }
});
