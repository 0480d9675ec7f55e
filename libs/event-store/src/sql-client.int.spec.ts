import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, eventually } from '#libs/testing';
import { postgresUnderTest, type PostgresUnderTest } from '../spec/contract/postgres.ts';
import { PostgresTransactions } from './sql-client.ts';

let under: PostgresUnderTest;
beforeEach(async () => void (under = await postgresUnderTest(await createTestDatabase())));
afterEach(() => under.close());

describe('transactions', () => {
  it('fail, and nothing more, when their connection ends while nobody asks it anything', async () => {
    const transactions = new PostgresTransactions(under.pool);
    const sessions = async (pid: number): Promise<number> =>
      (await under.owner.query('select from pg_stat_activity where pid = $1', [pid])).rows.length;

    const work = transactions.run(async (tx) => {
      const [row] = await tx.query('select pg_backend_pid() as pid');
      const pid = Number(row?.['pid']);
      await under.owner.query('select pg_terminate_backend($1)', [pid]);
      await eventually(async () => (await sessions(pid)) === 0, { what: 'the session has ended' });
      await tx.query('select 1');
    });

    // Without a listener the end of the connection is an uncaught error, which ends a process, and this test.
    await expect(work).rejects.toThrow(/terminat|connection/i);
    await expect(transactions.run((tx) => tx.query('select 1 as one'))).resolves.toEqual([{ one: 1 }]);
  });
});
