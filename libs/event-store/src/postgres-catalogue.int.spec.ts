import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestDatabase } from '#libs/testing';
import { postgresUnderTest, type PostgresUnderTest } from '../spec/contract/postgres.ts';
import { event } from '../spec/contract/under-test.ts';
import { PostgresCatalogue } from './postgres-catalogue.ts';
import { PostgresTransactions } from './sql-client.ts';

let under: PostgresUnderTest;
beforeEach(async () => void (under = await postgresUnderTest(await createTestDatabase())));
afterEach(() => under.close());

const append = (streamId: string) => under.store.append([{ streamId, expected: 0, events: [event()] }]);

it('reads in the transaction of its connection', async () => {
  await append('s:1');
  await new PostgresTransactions(under.pool).run(async (tx) => {
    await tx.query('set transaction isolation level repeatable read');
    const catalogue = new PostgresCatalogue(tx);
    expect(await catalogue.countOpenStreams('s:')).toBe(1);

    await append('s:2');

    expect(await catalogue.countOpenStreams('s:')).toBe(1);
  });
  expect(await under.catalogue.countOpenStreams('s:')).toBe(2);
});

it('estimates streams by what PostgreSQL saw last', async () => {
  expect(await under.catalogue.estimateStreams()).toBe(0);
  await append('s:1');
  await append('s:2');
  await under.owner.query('analyze es.stream');
  expect(await under.catalogue.estimateStreams()).toBe(2);
});
