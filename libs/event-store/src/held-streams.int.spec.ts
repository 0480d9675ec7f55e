import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestDatabase } from '#libs/testing';
import { postgresUnderTest, type PostgresUnderTest } from '../spec/contract/postgres.ts';
import { event } from '../spec/contract/under-test.ts';
import { eventsOfTypes, holdStreams } from './held-streams.ts';
import { asSqlClient, PostgresTransactions } from './sql-client.ts';

let under: PostgresUnderTest;
beforeEach(async () => void (under = await postgresUnderTest(await createTestDatabase())));
afterEach(() => under.close());

const append = (streamId: string, expected: number, ...events: ReturnType<typeof event>[]) =>
  under.store.append([{ streamId, expected, events }]);

it('a stream that is held goes on when the transaction ends, and what was read of it was all', async () => {
  await append('s:1', 0, event('Opened'));
  let isAppended = false;
  let waiting: Promise<unknown> | undefined;

  await new PostgresTransactions(under.pool).run(async (tx) => {
    await holdStreams(tx, ['s:2', 's:1', 's:\0']);
    waiting = append('s:1', 1, event('Moved')).then(() => (isAppended = true));
    await append('s:other', 0, event());
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isAppended).toBe(false);
    expect((await eventsOfTypes(tx, ['s:1'], ['Opened', 'Moved'])).get('s:1')).toHaveLength(1);
  });

  await waiting;
  expect(isAppended).toBe(true);
});

it('an append under way is waited for, and read', async () => {
  await append('s:1', 0, event('Opened'));
  const other = await under.owner.connect();
  await other.query('begin');
  await other.query(`update es.stream set version = version where stream_id = 's:1'`);
  let isHeld = false;
  const holding = new PostgresTransactions(under.pool).run(async (tx) => {
    await holdStreams(tx, ['s:1']);
    isHeld = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(isHeld).toBe(false);
  await other.query('commit');
  other.release();
  await holding;
  expect(isHeld).toBe(true);
});

it('events of some types are read with the very time at which they were recorded', async () => {
  await append('s:1', 0, event('Opened', { a: 1 }), event('Moved'), event('Opened', { a: 2 }));
  await append('s:2', 0, event('Moved'));

  const found = await eventsOfTypes(asSqlClient(under.pool), ['s:1', 's:2', 's:absent', 's:\0'], ['Opened']);

  expect([...found.keys()]).toEqual(['s:1']);
  expect(found.get('s:1')).toMatchObject([
    { streamId: 's:1', version: 1, type: 'Opened', schemaVersion: 1, data: { a: 1 } },
    { version: 3, data: { a: 2 }, metadata: { decidedAt: '2026-01-02T03:04:05.678Z' } },
  ]);
  const { rows } = await under.owner.query<{ same: boolean }>(
    `select recorded_at = $1::timestamptz as same from es.event where stream_id = 's:1' and version = 1`,
    [found.get('s:1')![0]!.recordedAt],
  );
  expect(rows[0]!.same).toBe(true);
});
