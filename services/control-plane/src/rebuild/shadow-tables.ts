import { randomUUID } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';
import { asSqlClient, PostgresCatalogue, type Cursor } from '#libs/event-store';
import { isRaised } from '#libs/observability';
import { inTransaction } from '../transaction.ts';
import type { FailedStream, TablesBeside } from './tables-beside.ts';

/** Another rebuild has begun: this one writes nothing more. */
export class RebuildReplaced extends Error {
  override readonly name = 'RebuildReplaced';
}

/** Events of one catch-up transaction: well under a second. */
const CATCH_UP_EVENTS = 2_000;
/** Streams of one statement. */
const STREAMS = 500;

interface CursorRow {
  readonly generation: number;
  readonly transaction_id: string;
  readonly position: string;
}

const cursorOf = (row: CursorRow): Cursor => ({
  generation: row.generation,
  transactionId: row.transaction_id,
  position: row.position,
});

const asReplaced = (error: unknown): unknown =>
  isRaised(error, 'RB001') ? new RebuildReplaced((error as Error).message) : error;

/** The tables that are filled beside those that serve, and the place in the log to which they have come. Every write checks that no later rebuild began. */
export class ShadowTables {
  readonly id: string;
  /** Streams that could not be folded: their rows are taken over as they serve now. */
  readonly failed = new Map<string, FailedStream>();
  place: Cursor;
  private readonly tables: TablesBeside;
  private readonly pool: Pool;

  private constructor(tables: TablesBeside, pool: Pool, id: string, place: Cursor) {
    this.tables = tables;
    this.pool = pool;
    this.id = id;
    this.place = place;
  }

  /** Empty tables, standing where the reader of the read model stands; whatever an earlier rebuild left is dropped. */
  static async begin(tables: TablesBeside, pool: Pool): Promise<ShadowTables> {
    const id = randomUUID();
    const { rows } = await pool.query<CursorRow>(
      `select generation, last_transaction_id::text as transaction_id, last_position::text as position from fleet.begin_rebuild($1)`,
      [id],
    );
    return new ShadowTables(tables, pool, id, cursorOf(rows[0]!));
  }

  /** Streams opened after `after` and not after `until`, in the order of their opening: rows written in this order grow lists at their end. */
  async openedStreams(
    after: Cursor,
    until: Cursor,
    limit: number,
  ): Promise<{ readonly streamIds: readonly string[]; readonly last: Cursor | undefined }> {
    const opened = await new PostgresCatalogue(asSqlClient(this.pool)).between(after, until, limit, 'opening');
    return { streamIds: this.tables.ownOf(opened), last: opened.at(-1)?.cursor };
  }

  /** Writes the rows of streams that have none here yet; one transaction. Returns how many events they have. */
  async fill(streamIds: readonly string[]): Promise<number> {
    const { rows, failed, events } = await this.tables.fold(asSqlClient(this.pool), streamIds);
    for (const stream of failed) this.failed.set(stream.streamId, stream);
    await this.write((connection) => this.tables.fill(asSqlClient(connection), rows));
    return events;
  }

  /** Brings the shadow to where the reader of the read model stands now; returns the events that were between. */
  async catchUp(): Promise<number> {
    const until = await new PostgresCatalogue(asSqlClient(this.pool)).progressOf('project');
    if (!until) return 0;
    let all = 0;
    for (;;) {
      const events = await this.write((connection) => this.step(connection, until));
      all += events;
      if (events < CATCH_UP_EVENTS) return all;
    }
  }

  /** The same in the caller's transaction. `tooFar`: more was between than may be done under a lock; nothing was written. */
  async catchUpIn(connection: PoolClient, until: Cursor, most: number): Promise<'done' | 'too-far'> {
    const between = await new PostgresCatalogue(asSqlClient(connection)).between(this.place, until, most + 1);
    if (between.length > most) return 'too-far';
    await this.step(connection, until);
    return 'done';
  }

  /** Folds these streams anew, wherever they stand. */
  async refold(streamIds: readonly string[]): Promise<void> {
    for (let start = 0; start < streamIds.length; start += STREAMS)
      await this.write((connection) => this.fold(connection, streamIds.slice(start, start + STREAMS)));
  }

  /** Makes every index that the serving table has or should have, each in a transaction of its own. */
  async index(progress: (line: string) => void): Promise<void> {
    const { rows } = await this.pool.query<{ name: string }>('select * from fleet.missing_shadow_indexes() as name');
    for (const { name } of rows) {
      await this.pool.query('select fleet.make_shadow_index($1, $2)', [this.id, name]).catch((error: unknown) => {
        throw asReplaced(error);
      });
      progress(`index ${name}`);
    }
  }

  async analyze(): Promise<void> {
    await this.pool.query('select fleet.analyze_shadow()');
  }

  /** Counts what was filled, anew; nobody else writes here, so that reading and writing may be two steps and the second a short one. */
  async count(): Promise<void> {
    const writeCounts = await this.tables.count(asSqlClient(this.pool));
    await this.write((connection) => writeCounts(asSqlClient(connection)));
  }

  async drop(): Promise<void> {
    await this.pool.query('select fleet.drop_rebuild($1)', [this.id]);
  }

  private async step(connection: PoolClient, until: Cursor): Promise<number> {
    const events = await new PostgresCatalogue(asSqlClient(connection)).between(this.place, until, CATCH_UP_EVENTS);
    const to = events.length < CATCH_UP_EVENTS ? until : events.at(-1)!.cursor;
    const streamIds = this.tables.ownOf(events);
    for (let start = 0; start < streamIds.length; start += STREAMS)
      await this.fold(connection, streamIds.slice(start, start + STREAMS));
    await connection.query('select fleet.move_rebuild($1, $2::text::xid8, $3)', [
      this.id,
      to.transactionId,
      to.position,
    ]);
    this.place = to;
    return events.length;
  }

  private async fold(connection: PoolClient, streamIds: readonly string[]): Promise<void> {
    const client = asSqlClient(connection);
    const { rows, failed } = await this.tables.fold(client, streamIds);
    for (const streamId of streamIds) this.failed.delete(streamId);
    for (const stream of failed) this.failed.set(stream.streamId, stream);
    await this.tables.write(client, rows);
  }

  /** One transaction; the place goes back when it is undone. */
  private async write<T>(work: (connection: PoolClient) => Promise<T>): Promise<T> {
    const before = this.place;
    try {
      return await inTransaction(this.pool, async (connection) => {
        await connection.query('select fleet.refuse_other_rebuild($1)', [this.id]);
        return work(connection);
      });
    } catch (error) {
      this.place = before;
      throw asReplaced(error);
    }
  }
}
