import { CheckpointMoved, Checkpoints, type CheckpointTransaction, type ParkedStream } from './checkpoints.ts';
import type { Cursor } from './event-store.ts';
import type { SqlClient, TransactionRunner } from './sql-client.ts';

/** Checkpoints on PostgreSQL: they move in the transaction of the handler. */
export class PostgresCheckpoints<Tx extends SqlClient = SqlClient> extends Checkpoints<Tx> {
  private readonly sql: SqlClient;
  private readonly transactions: TransactionRunner<Tx>;

  /** `sql`: for the lease and what is parked, outside any transaction. `transactions`: the handler's. */
  constructor(sql: SqlClient, transactions: TransactionRunner<Tx>) {
    super();
    this.sql = sql;
    this.transactions = transactions;
  }

  async lease(name: string, owner: string, leaseMs: number): Promise<Cursor | undefined> {
    const [row] = await this.sql.query(
      'select generation, last_transaction_id::text as transaction_id, last_position::text as position from es.lease_subscription($1, $2, $3)',
      [name, owner, leaseMs],
    );
    return row && cursorOf(row);
  }

  async leave(name: string, owner: string): Promise<void> {
    await this.sql.query('select es.leave_subscription($1, $2)', [name, owner]);
  }

  async parkedStreams(name: string): Promise<readonly ParkedStream[]> {
    const rows = await this.sql.query(
      `select k.stream_id, k.version, k.error, k.since,
              (select count(*)::int from es.subscription_queued q where (q.subscription, q.stream_id) = (k.subscription, k.stream_id)) as queued
         from es.subscription_parked k where k.subscription = $1 order by k.since, k.stream_id`,
      [name],
    );
    return rows.map((row) => ({
      streamId: String(row['stream_id']),
      version: Number(row['version']),
      error: String(row['error']),
      since: (row['since'] as Date).toISOString(),
      queued: Number(row['queued']),
    }));
  }

  transaction<T>(name: string, work: (transaction: CheckpointTransaction<Tx>) => Promise<T>): Promise<T> {
    return this.transactions.run((tx) => work(checkpointTransaction(name, tx)));
  }
}

/** The same for who has a transaction of his own. */
export function checkpointTransaction<Tx extends SqlClient>(name: string, tx: Tx): CheckpointTransaction<Tx> {
  return {
    tx,
    async hold() {
      const [row] = await tx.query(
        'select generation, transaction_id::text as transaction_id, position::text as position from es.hold_subscription($1)',
        [name],
      );
      return row && cursorOf(row);
    },
    async parked() {
      const rows = await tx.query('select stream_id from es.subscription_parked where subscription = $1', [name]);
      return new Set(rows.map((row) => String(row['stream_id'])));
    },
    async queueParked(events) {
      const [row] = await tx.query('select es.queue_parked($1, $2, $3) as parked', [
        name,
        events.map((event) => event.streamId),
        events.map((event) => event.version),
      ]);
      return new Set(row!['parked'] as string[]);
    },
    async park({ streamId, version }, error) {
      await tx.query('select es.park_for_subscription($1, $2, $3, $4)', [name, streamId, version, error]);
    },
    async move(owner, from, to) {
      const [row] = await tx.query(
        'select es.move_checkpoint($1, $2, $3, $4::text::xid8, $5, $6::text::xid8, $7) as moved',
        [name, owner, from.generation, from.transactionId, from.position, to.transactionId, to.position],
      );
      if (row?.['moved'] !== true) throw new CheckpointMoved();
    },
    async beginReplay(streamId) {
      const [row] = await tx.query('select es.begin_replay($1, $2) as versions', [name, streamId]);
      return ((row?.['versions'] as unknown[] | null) ?? []).map(Number);
    },
    async endReplay(streamIds) {
      await tx.query('select es.end_replay($1, stream_id) from unnest($2::text[]) s (stream_id)', [name, streamIds]);
    },
  };
}

const cursorOf = (row: Record<string, unknown>): Cursor => ({
  generation: Number(row['generation']),
  transactionId: String(row['transaction_id']),
  position: String(row['position']),
});
