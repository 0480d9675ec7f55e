import type { Cursor } from '#libs/event-store';
import type { Seal, SealEntry } from '../seal.ts';
import type { NamedEvent } from './finding.ts';

/** An event as it lies in the store now. */
export interface HistoricEvent extends SealEntry {
  readonly cursor: Cursor;
  /** `digest` of the entry is computed from what is stored; this is the digest that is stored beside it. */
  readonly storedDigest: string;
}

/** An event that is there, and that readers in order do not see yet: an older transaction may still write before it. */
export interface UnsettledEvent extends HistoricEvent {
  /** It bears the number of a transaction that has not ended or not even begun: nobody can have written it so. */
  readonly isImpossible: boolean;
}

/** A stream as readers find it: by its head, which says how many events it has and between which times they lie. */
export interface StreamFace {
  readonly streamId: string;
  /** Events that its head counts; undefined: there is no head, and readers find nothing. */
  readonly head: number | undefined;
  /** In order of version. */
  readonly events: readonly (NamedEvent & {
    /** Readers do not come upon it: it lies beyond the head or outside of its times. */
    readonly isHidden: boolean;
  })[];
}

/** A table that does not show the same rows to everybody, or shows others than its own. */
export interface TwoFacedTable {
  readonly table: string;
  readonly fault: string;
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
  /** Events after a cursor that are there and not settled, in order. */
  unsettled(after: Cursor, limit: number): Promise<readonly UnsettledEvent[]>;
  /**
   * Streams whose head and events do not fit each other: a version that is missing or there twice, one that the head does not count or that lies
   * outside of its times. `since`: only streams with anything recorded from this time on (ISO), whose first versions may lie in an archive.
   */
  streamsAstray(since: string | undefined): Promise<readonly StreamFace[]>;
  twoFacedTables(): Promise<readonly TwoFacedTable[]>;
}
