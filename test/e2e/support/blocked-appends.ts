import { eventually } from '#libs/testing';
import type pg from 'pg';

/**
 * Holds up every append, while everything can still be read: a session of another program that has locked the table of events, as an
 * operator's careless statement would. So a process can be killed exactly between what it did and what it wrote about it.
 */
export class BlockedAppends {
  readonly #holder: pg.PoolClient;
  readonly #database: pg.Pool;

  private constructor(holder: pg.PoolClient, database: pg.Pool) {
    this.#holder = holder;
    this.#database = database;
  }

  static async begin(database: pg.Pool): Promise<BlockedAppends> {
    const holder = await database.connect();
    await holder.query('begin');
    await holder.query('lock table es.event in share mode');
    return new BlockedAppends(holder, database);
  }

  /** Waits until a session stands in front of the lock with an append. */
  async untilWaiting(what: string): Promise<void> {
    await eventually(async () => (await this.#waiting()).length > 0, { what, deadlineMs: 12_000, everyMs: 20 });
  }

  /**
   * Ends the sessions that wait: their client is dead, but the server would still write for it once the lock is gone. Then lets
   * everybody go on.
   */
  async discardAndRelease(): Promise<void> {
    for (const pid of await this.#waiting()) await this.#database.query('select pg_terminate_backend($1)', [pid]);
    await eventually(async () => (await this.#waiting()).length === 0, { what: 'nobody waits any more' });
    await this.release();
  }

  /** Lets everybody go on. */
  async release(): Promise<void> {
    await this.#holder.query('rollback');
    this.#holder.release();
  }

  async #waiting(): Promise<number[]> {
    const { rows } = await this.#database.query<{ pid: number }>(
      `select pid from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%es.append%' and pid <> pg_backend_pid()`,
    );
    return rows.map(({ pid }) => pid);
  }
}
