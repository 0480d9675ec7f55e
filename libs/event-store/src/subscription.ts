import { backoffMs, type Clock, type LoopStep, type Random } from '#libs/runtime';
import { CheckpointMoved, type Checkpoints, type ParkedStream } from './checkpoints.ts';
import type { Cursor, EventStore, RecordedEvent } from './event-store.ts';
import type { SqlClient } from './sql-client.ts';
import { errorText, isTrouble } from './trouble.ts';

export interface SubscriptionOptions<Tx> {
  /** Its checkpoint is kept under this name. */
  readonly name: string;
  /** Who reads; one at a time. Each process its own, new at every start. */
  readonly owner: string;
  readonly store: EventStore;
  /** Where the checkpoint lies; it moves in the transaction of the handler. */
  readonly checkpoints: Checkpoints<Tx>;
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
  /** Told when a stream was parked, and each time that its replay failed; for a log line and an alarm. */
  readonly onParked?: (parked: {
    readonly streamId: string;
    /** The event that failed. */
    readonly version: number;
    readonly error: unknown;
    /** The next try of its waiting events, milliseconds from now. */
    readonly againMs: number;
  }) => void;
  /** Told when a parked stream flows again by itself. */
  readonly onFlowing?: (flowing: { readonly streamId: string; readonly events: number }) => void;
  readonly clock: Clock;
  readonly random: Random;
}

const REPLAY = { baseMs: 2_000, capMs: 60_000 };
/** Parked streams are looked for this often: some are known, or a former reader may have left some. */
const LOOK_FOR_KNOWN_MS = 1_000;
const LOOK_FOR_OTHERS_MS = 60_000;

interface Parked {
  readonly failures: number;
  readonly dueAt: number;
}

/**
 * A named reader of all events whose checkpoint moves in the transaction of its handler. Any number of processes may run it: one holds the
 * lease, the others take over when it lapses; one that was replaced cannot commit. A stream that cannot be handled is parked, so that the others
 * flow; its waiting events are tried again in their order, ever more seldom, until it flows again.
 */
export class Subscription<Tx = SqlClient> {
  readonly name: string;
  private readonly options: SubscriptionOptions<Tx>;
  private readonly parked = new Map<string, Parked>();
  private lookForParkedAt = -Infinity;

  constructor(options: SubscriptionOptions<Tx>) {
    this.options = options;
    this.name = options.name;
  }

  /** One round, for a `Loop`: `busy` when there may be more. */
  async step(stopping?: AbortSignal): Promise<LoopStep> {
    const { store, batchSize = 200 } = this.options;
    const from = await this.lease();
    if (!from) return 'idle';
    await this.replayDue(stopping);
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
    await this.options.checkpoints.leave(this.name, this.options.owner);
  }

  parkedStreams(): Promise<readonly ParkedStream[]> {
    return this.options.checkpoints.parkedStreams(this.name);
  }

  /**
   * Handles the waiting events of a parked stream in order, in one transaction, and lets the stream flow again. When one fails once more all
   * stays as it was, and its error is thrown. Resolves with the number of events handled.
   */
  async replay(streamId: string): Promise<number> {
    const { checkpoints, store, handler, types } = this.options;
    return checkpoints.transaction(this.name, async (transaction) => {
      const versions = new Set(await transaction.beginReplay(streamId));
      const stream = (await store.loadMany([streamId])).get(streamId) ?? [];
      const events = stream.filter((event) => versions.has(event.version) && wanted(event, types));
      if (events.length > 0) await handler(events, transaction.tx);
      await transaction.endReplay([streamId]);
      return events.length;
    });
  }

  private lease(): Promise<Cursor | undefined> {
    const { checkpoints, owner, leaseMs = 15_000 } = this.options;
    return checkpoints.lease(this.name, owner, leaseMs);
  }

  /** Handler and checkpoint in one transaction; events of parked streams are queued instead. */
  private async handle(events: readonly RecordedEvent[], from: Cursor, to: Cursor): Promise<void> {
    const { checkpoints, handler, types, owner } = this.options;
    await checkpoints.transaction(this.name, async (transaction) => {
      const relevant = events.filter((event) => wanted(event, types));
      if (relevant.length > 0) {
        const parked = await transaction.queueParked(relevant);
        const flowing = parked.size === 0 ? relevant : relevant.filter((event) => !parked.has(event.streamId));
        if (flowing.length > 0) await handler(flowing, transaction.tx);
      }
      await transaction.move(owner, from, to);
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
    const { checkpoints, owner } = this.options;
    await checkpoints.transaction(this.name, async (transaction) => {
      await transaction.park(event, errorText(error));
      await transaction.move(owner, at, event.cursor);
    });
    this.notePark(event, error);
  }

  /** Tries parked streams whose time has come; each by itself, in a transaction of its own. */
  private async replayDue(stopping?: AbortSignal): Promise<void> {
    const { clock, checkpoints } = this.options;
    if (clock.now() < this.lookForParkedAt) return;
    const parked = new Map((await checkpoints.parkedStreams(this.name)).map((each) => [each.streamId, each]));
    for (const known of this.parked.keys()) if (!parked.has(known)) this.parked.delete(known);
    for (const [streamId, each] of parked) {
      if (stopping?.aborted) return;
      if ((this.parked.get(streamId)?.dueAt ?? -Infinity) <= clock.now()) await this.tryReplay(each);
    }
    this.lookForParkedAt = clock.now() + (parked.size > 0 ? LOOK_FOR_KNOWN_MS : LOOK_FOR_OTHERS_MS);
  }

  private async tryReplay(parked: ParkedStream): Promise<void> {
    const { streamId } = parked;
    try {
      const events = await this.replay(streamId);
      this.parked.delete(streamId);
      this.options.onFlowing?.({ streamId, events });
    } catch (error) {
      if (isTrouble(error)) throw error;
      this.notePark(parked, error);
    }
  }

  private notePark({ streamId, version }: Pick<ParkedStream, 'streamId' | 'version'>, error: unknown): void {
    const { clock, random, onParked } = this.options;
    const failures = (this.parked.get(streamId)?.failures ?? 0) + 1;
    const againMs = REPLAY.baseMs / 2 + backoffMs(failures, REPLAY, random);
    this.parked.set(streamId, { failures, dueAt: clock.now() + againMs });
    this.lookForParkedAt = Math.min(this.lookForParkedAt, clock.now() + LOOK_FOR_KNOWN_MS);
    onParked?.({ streamId, version, error, againMs });
  }
}

function wanted(event: RecordedEvent, types: readonly string[] | undefined): boolean {
  return types === undefined || types.includes(event.type);
}
