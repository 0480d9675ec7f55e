import { backoffMs, type Clock, type LoopStep, type Random } from '#libs/runtime';
import type { Cursor, EventStore, RecordedEvent } from './event-store.ts';
import type { SqlClient, TransactionRunner } from './sql-client.ts';
import { errorText, isTrouble } from './trouble.ts';

export interface SubscriptionOptions<Tx extends SqlClient> {
  /** Its checkpoint is kept under this name. */
  readonly name: string;
  /** Who reads; one at a time. Each process its own, new at every start. */
  readonly owner: string;
  readonly store: EventStore;
  /** For the lease and what is parked: outside any transaction. */
  readonly sql: SqlClient;
  /** The handler's transactions; the checkpoint moves in the same one. */
  readonly transactions: TransactionRunner<Tx>;
  /**
   * Gets events in order, at most `batchSize`. What it writes through `tx` is committed with the checkpoint, once. What it does elsewhere
   * happens at least once. Throw {@link TryLater} when what it needs is away: nothing is parked, the whole subscription waits.
   */
  readonly handler: (events: readonly RecordedEvent[], tx: Tx) => Promise<void>;
  /** Only these types reach the handler; default all. */
  readonly types?: readonly string[];
  /** Events read at a time; default 200. */
  readonly batchSize?: number;
  /** How long a reader that is not heard of keeps the others out; default 15,000 ms. */
  readonly leaseMs?: number;
  /** How often an event is tried before its stream is parked; default 3. */
  readonly attempts?: number;
  /** Told when a stream was parked; for a log line and an alarm. */
  readonly onParked?: (parked: {
    readonly streamId: string;
    readonly version: number;
    readonly error: unknown;
  }) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** A stream whose event could not be handled. That event and later ones of the stream wait for a replay; other streams flow. */
export interface ParkedStream {
  readonly streamId: string;
  /** The event that failed. */
  readonly version: number;
  readonly error: string;
  readonly since: string;
  /** How many events wait. */
  readonly queued: number;
}

/** Somebody else moved the checkpoint meanwhile: what the handler wrote is undone. */
class CheckpointMoved extends Error {}

/**
 * A named reader of all events whose checkpoint moves in the transaction of its handler. Any number of processes may run it: one holds the
 * lease, the others take over when it lapses; one that was replaced cannot commit.
 */
export class Subscription<Tx extends SqlClient = SqlClient> {
  readonly name: string;
  private readonly options: SubscriptionOptions<Tx>;

  constructor(options: SubscriptionOptions<Tx>) {
    this.options = options;
    this.name = options.name;
  }

  /** One round, for a `Loop`: `busy` when there may be more. */
  async step(stopping?: AbortSignal): Promise<LoopStep> {
    const { store, batchSize = 200 } = this.options;
    const from = await this.lease();
    if (!from) return 'idle';
    const { events, next } = await store.readAll(from, batchSize);
    if (events.length === 0) return 'idle';
    try {
      await this.handle(events, from, next);
    } catch (error) {
      if (error instanceof CheckpointMoved) return 'idle';
      if (isTrouble(error)) throw error;
      await this.handleOneByOne(events, from, stopping);
    }
    return events.length < batchSize ? 'idle' : 'busy';
  }

  /** Lets the next reader begin at once; call it after the loop has stopped. */
  async leave(): Promise<void> {
    await this.options.sql.query('select es.leave_subscription($1, $2)', [this.name, this.options.owner]);
  }

  async parkedStreams(): Promise<readonly ParkedStream[]> {
    const rows = await this.options.sql.query(
      `select k.stream_id, k.version, k.error, k.since,
              (select count(*)::int from es.subscription_queued q where (q.subscription, q.stream_id) = (k.subscription, k.stream_id)) as queued
         from es.subscription_parked k where k.subscription = $1 order by k.since, k.stream_id`,
      [this.name],
    );
    return rows.map((row) => ({
      streamId: String(row['stream_id']),
      version: Number(row['version']),
      error: String(row['error']),
      since: (row['since'] as Date).toISOString(),
      queued: Number(row['queued']),
    }));
  }

  /**
   * Handles the waiting events of a parked stream in order, in one transaction, and lets the stream flow again. When one fails once more all
   * stays as it was, and its error is thrown. Resolves with the number of events handled.
   */
  async replay(streamId: string): Promise<number> {
    const { transactions, store, handler, types } = this.options;
    return transactions.run(async (tx) => {
      const [row] = await tx.query('select es.begin_replay($1, $2) as versions', [this.name, streamId]);
      const versions = new Set(((row?.['versions'] as unknown[] | null) ?? []).map(Number));
      const stream = (await store.loadMany([streamId])).get(streamId) ?? [];
      const events = stream.filter((event) => versions.has(event.version) && wanted(event, types));
      if (events.length > 0) await handler(events, tx);
      await tx.query('select es.end_replay($1, $2)', [this.name, streamId]);
      return events.length;
    });
  }

  private async lease(): Promise<Cursor | undefined> {
    const { sql, owner, leaseMs = 15_000 } = this.options;
    const [row] = await sql.query(
      'select generation, last_transaction_id::text as transaction_id, last_position::text as position from es.lease_subscription($1, $2, $3)',
      [this.name, owner, leaseMs],
    );
    if (!row) return undefined;
    return {
      generation: Number(row['generation']),
      transactionId: String(row['transaction_id']),
      position: String(row['position']),
    };
  }

  /** Handler and checkpoint in one transaction; events of parked streams are queued instead. */
  private async handle(events: readonly RecordedEvent[], from: Cursor, to: Cursor): Promise<void> {
    const { transactions, handler, types } = this.options;
    await transactions.run(async (tx) => {
      const relevant = events.filter((event) => wanted(event, types));
      if (relevant.length > 0) {
        const [row] = await tx.query('select es.queue_parked($1, $2, $3) as parked', [
          this.name,
          relevant.map((event) => event.streamId),
          relevant.map((event) => event.version),
        ]);
        const parked = new Set(row!['parked'] as string[]);
        const flowing = parked.size === 0 ? relevant : relevant.filter((event) => !parked.has(event.streamId));
        if (flowing.length > 0) await handler(flowing, tx);
      }
      await this.moveCheckpoint(tx, from, to);
    });
  }

  /** After a batch failed: finds the event that fails, and parks its stream when it fails again and again. */
  private async handleOneByOne(events: readonly RecordedEvent[], from: Cursor, stopping?: AbortSignal): Promise<void> {
    let at = from;
    for (const event of events) {
      if (stopping?.aborted) return;
      try {
        if (!(await this.handleOne(event, at, stopping))) return;
      } catch (error) {
        if (error instanceof CheckpointMoved) return;
        throw error;
      }
      at = event.cursor;
    }
  }

  /** False when it was asked to stop before the event was settled. */
  private async handleOne(event: RecordedEvent, at: Cursor, stopping?: AbortSignal): Promise<boolean> {
    const { attempts = 3, clock, random } = this.options;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.handle([event], at, event.cursor);
        return true;
      } catch (error) {
        if (error instanceof CheckpointMoved || isTrouble(error)) throw error;
        if (attempt >= attempts) {
          await this.park(event, at, error);
          return true;
        }
      }
      await clock.sleep(50 + backoffMs(attempt, { baseMs: 100, capMs: 1_000 }, random), stopping);
      if (stopping?.aborted) return false;
    }
  }

  private async park(event: RecordedEvent, at: Cursor, error: unknown): Promise<void> {
    await this.options.transactions.run(async (tx) => {
      await tx.query('select es.park_for_subscription($1, $2, $3, $4)', [
        this.name,
        event.streamId,
        event.version,
        errorText(error),
      ]);
      await this.moveCheckpoint(tx, at, event.cursor);
    });
    this.options.onParked?.({ streamId: event.streamId, version: event.version, error });
  }

  private async moveCheckpoint(tx: Tx, from: Cursor, to: Cursor): Promise<void> {
    const [row] = await tx.query(
      'select es.move_checkpoint($1, $2, $3, $4::text::xid8, $5, $6::text::xid8, $7) as moved',
      [
        this.name,
        this.options.owner,
        from.generation,
        from.transactionId,
        from.position,
        to.transactionId,
        to.position,
      ],
    );
    if (row?.['moved'] !== true) throw new CheckpointMoved();
  }
}

function wanted(event: RecordedEvent, types: readonly string[] | undefined): boolean {
  return types === undefined || types.includes(event.type);
}
