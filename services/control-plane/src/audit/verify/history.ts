import type { Cursor } from '#libs/event-store';
import type { Seal, SealEntry } from '../seal.ts';

/** An event as it lies in the store now. */
export interface HistoricEvent extends SealEntry {
  readonly cursor: Cursor;
  /** `digest` of the entry is computed from what is stored; this is the digest that is stored beside it. */
  readonly storedDigest: string;
}

/** Where to begin and to end: a place in the log, or a time of recording (ISO). */
export type Bound = { readonly cursor: Cursor } | { readonly time: string };

/** What is checked: the store as it is, read without trust. */
export interface History {
  /** Sequence of the first seal that covers anything from `bound` on; undefined: none does. */
  firstSealFor(bound: Bound): Promise<number | undefined>;
  /** Seals from this sequence on, in order; missing ones are absent. */
  seals(from: number, limit: number): Promise<readonly Seal[]>;
  /** What the seal says of its events; undefined when that cannot be read. */
  entries(sequence: number): Promise<readonly SealEntry[] | undefined>;
  /** Settled events after a cursor, in order. */
  events(after: Cursor, limit: number): Promise<readonly HistoricEvent[]>;
  /** Those of these events that exist. */
  find(ids: readonly { readonly streamId: string; readonly version: number }[]): Promise<readonly HistoricEvent[]>;
  /** Streams that grew after `after` and whose head is not where their events end. */
  headsAstray(
    after: Cursor,
  ): Promise<readonly { readonly streamId: string; readonly head: number; readonly last: number }[]>;
}
