import type { Cursor, EventMetadata, RecordedEvent } from './event-store.ts';

/** Where an event lies. */
export interface EventPlace {
  readonly streamId: string;
  readonly cursor: Cursor;
}

/** An event as far as one needs it to fold its stream. */
export interface AbridgedEvent extends Pick<RecordedEvent, 'streamId' | 'version' | 'type' | 'schemaVersion' | 'data'> {
  readonly metadata: Pick<EventMetadata, 'decidedAt'>;
}

/** Members of `data` that nobody needs: those of one type of events, and those of all others. */
export interface LeftOut {
  readonly type: string;
  readonly ofType: readonly string[];
  readonly ofOthers: readonly string[];
}

/**
 * What the store holds, without going through streams one by one: how far its log and its readers are, which streams there are, and what they are
 * called. Reads only. A `prefix` is part of a name that ends in an ASCII character, such as `container_group:<cluster>:`.
 */
export abstract class Catalogue {
  /** Behind the last event that every reader may see; `BEGINNING` when there is none. */
  abstract head(): Promise<Cursor>;

  /** The last events that every reader may see, newest first. */
  abstract newest(limit: number): Promise<readonly RecordedEvent[]>;

  /**
   * Where the events after `after` lie, through `through`, in the order of the log; `opening`: only those that opened a stream. Both must be
   * places that every reader has passed.
   */
  abstract between(after: Cursor, through: Cursor, limit: number, only?: 'opening'): Promise<readonly EventPlace[]>;

  /**
   * Streams in order of version, without what is left out; missing streams are absent. For who folds them by the hundred thousand: what is left
   * out costs neither the wire nor the parser.
   */
  abstract abridged(
    streamIds: readonly string[],
    leftOut?: LeftOut,
  ): Promise<ReadonlyMap<string, readonly AbridgedEvent[]>>;

  /** How far the reader of that name has come; absent: it never read. */
  abstract progressOf(subscription: string): Promise<Cursor | undefined>;

  /** About how many streams there are, open or closed, without counting them. */
  abstract estimateStreams(): Promise<number>;

  /** Versions of streams, open or closed; absent: there is no such stream. */
  abstract versionsOf(streamIds: readonly string[]): Promise<ReadonlyMap<string, number>>;

  /** Versions of the streams that take new work and whose id begins so. */
  abstract openStreams(prefix: string): Promise<ReadonlyMap<string, number>>;

  /** How many those are. */
  abstract countOpenStreams(prefix: string): Promise<number>;

  /** Aliases that begin so, of streams that take new work, and those streams. */
  abstract openAliases(prefix: string): Promise<ReadonlyMap<string, string>>;
}
