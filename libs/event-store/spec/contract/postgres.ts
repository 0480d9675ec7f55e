import pg from 'pg';
import { createPool } from '../../src/pool.ts';
import { PostgresCatalogue } from '../../src/postgres-catalogue.ts';
import { PostgresCheckpoints } from '../../src/postgres-checkpoints.ts';
import { PostgresEffectQueue } from '../../src/postgres-effect-queue.ts';
import { PostgresEventStore } from '../../src/postgres-event-store.ts';
import { PostgresGateQueue } from '../../src/postgres-gate-queue.ts';
import { PostgresTimerQueue } from '../../src/postgres-timer-queue.ts';
import { PostgresTransactions, asSqlClient } from '../../src/sql-client.ts';
import type { StoreUnderTest } from './under-test.ts';

export interface PostgresUnderTest extends StoreUnderTest {
  readonly store: PostgresEventStore;
  readonly effects: PostgresEffectQueue;
  readonly gates: PostgresGateQueue;
  readonly url: string;
  /** Connections as the product makes them. */
  readonly pool: pg.Pool;
  /** Connections of the database's owner, who may do what the product may not. */
  readonly owner: pg.Pool;
}

/** The store on a migrated, empty database whose clock stands still but for `advance`; `close` drops it. */
export async function postgresUnderTest(database: {
  readonly url: string;
  drop(): Promise<void>;
}): Promise<PostgresUnderTest> {
  const pool = createPool(database.url, { max: 8 });
  const owner = new pg.Pool({ connectionString: database.url, max: 4 });
  // Dropping the database ends idle connections.
  owner.on('error', () => {});
  let offsetMs = 0;
  await owner.query('select es.stop_clock(clock_timestamp())');
  return {
    url: database.url,
    pool,
    owner,
    store: new PostgresEventStore(pool),
    effects: new PostgresEffectQueue(pool),
    gates: new PostgresGateQueue(pool),
    timers: new PostgresTimerQueue(pool),
    catalogue: new PostgresCatalogue(asSqlClient(pool)),
    checkpoints: new PostgresCheckpoints(asSqlClient(pool), new PostgresTransactions(pool)),
    async closedStreams() {
      const { rows } = await owner.query<{ stream_id: string }>(
        'select stream_id from es.stream where closed_at is not null order by stream_id',
      );
      return rows.map((row) => row.stream_id);
    },
    async advance(ms) {
      offsetMs += ms;
      await owner.query('select es.set_clock_offset($1::interval)', [`${offsetMs} milliseconds`]);
    },
    async settled() {
      const deadline = performance.now() + 20_000;
      for (;;) {
        const { rows } = await owner.query<{ settled: boolean }>(
          'select not exists (select from es.event where transaction_id >= es.horizon()) as settled',
        );
        if (rows[0]!.settled) return;
        if (performance.now() > deadline)
          throw new Error('a transaction somewhere on the server has hidden events for 20 s');
      }
    },
    async close() {
      await Promise.all([pool.end(), owner.end()]);
      await database.drop();
    },
  };
}
