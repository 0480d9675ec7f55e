import type { Pool } from 'pg';

/** What runs SQL: a pool, a connection inside a transaction, or TypeORM's EntityManager. Used here for `select` only. */
export interface SqlClient {
  /** Rows of the answer; parameters are `$1`, `$2`, … */
  query(text: string, parameters?: unknown[]): Promise<Record<string, unknown>[]>;
}

/** Runs work in one transaction: committed when the promise resolves, undone when it rejects. */
export abstract class TransactionRunner<Tx extends SqlClient = SqlClient> {
  abstract run<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
}

/** Transactions on a pool of our own. With TypeORM, implement the port by `dataSource.transaction` instead. */
export class PostgresTransactions extends TransactionRunner {
  private readonly pool: Pool;

  constructor(pool: Pool) {
    super();
    this.pool = pool;
  }

  async run<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    // A connection that dies between two queries says so here, and the next query fails. Without a listener Node ends the process.
    const onError = (): void => {};
    client.on('error', onError);
    let broken: Error | boolean = true;
    try {
      await client.query('begin');
      try {
        const result = await work(asSqlClient(client));
        await client.query('commit');
        broken = false;
        return result;
      } catch (error) {
        await client.query('rollback').then(
          () => (broken = false),
          () => (broken = true),
        );
        throw error;
      }
    } finally {
      // A connection that could not even roll back is thrown away.
      client.release(broken);
      client.off('error', onError);
    }
  }
}

/** A pool or connection of `pg` as a {@link SqlClient}. */
export function asSqlClient(client: {
  query(text: string, parameters?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}): SqlClient {
  return { query: async (text, parameters) => (await client.query(text, parameters)).rows };
}
