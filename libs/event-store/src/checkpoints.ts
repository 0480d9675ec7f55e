import type { Cursor } from './event-store.ts';

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

/** Somebody else moved the checkpoint meanwhile: what was written in this transaction is undone. */
export class CheckpointMoved extends Error {
  override readonly name = 'CheckpointMoved';
}

/** What a reader does in the transaction of its handler. All of it holds when that transaction commits, none when it does not. */
export interface CheckpointTransaction<Tx> {
  /** For the handler's own rows. */
  readonly tx: Tx;
  /** Where the reader stands, and stays until the transaction ends; undefined: it never read. */
  hold(): Promise<Cursor | undefined>;
  /** Streams that are parked. */
  parked(): Promise<ReadonlySet<string>>;
  /** Queues the events whose stream is parked; returns which streams those are. */
  queueParked(events: readonly { readonly streamId: string; readonly version: number }[]): Promise<ReadonlySet<string>>;
  /** Parks the stream of an event that could not be handled, with that event as the first that waits. */
  park(event: { readonly streamId: string; readonly version: number }, error: string): Promise<void>;
  /** @throws CheckpointMoved here or at the commit, unless `owner` holds the subscription and it stands at `from`. */
  move(owner: string, from: Cursor, to: Cursor): Promise<void>;
  /** Versions of a parked stream that wait, in order; its later ones cannot pass until the transaction ends. */
  beginReplay(streamId: string): Promise<readonly number[]>;
  /** The streams flow again. */
  endReplay(streamIds: readonly string[]): Promise<void>;
}

/** How far each named reader has read, who reads for it, and which streams are parked for it. `Tx`: what a handler writes through. */
export abstract class Checkpoints<Tx> {
  /** Gives the subscription to `owner` when it is free, lapsed or already its own: where it stands. Undefined: somebody else reads. */
  abstract lease(name: string, owner: string, leaseMs: number): Promise<Cursor | undefined>;
  /** Lets the next reader begin at once. */
  abstract leave(name: string, owner: string): Promise<void>;
  abstract parkedStreams(name: string): Promise<readonly ParkedStream[]>;
  /** Committed when the promise of `work` resolves, undone when it rejects. */
  abstract transaction<T>(name: string, work: (transaction: CheckpointTransaction<Tx>) => Promise<T>): Promise<T>;
}
