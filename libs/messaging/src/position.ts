/** Offsets that a log holds: `start` is the first one, `end` the one that the next message will get. */
export interface LogRange {
  readonly start: bigint;
  readonly end: bigint;
}

export interface StoredOffset {
  readonly epoch: number;
  readonly offset: string;
}

export type Position =
  | { readonly kind: 'continue'; readonly epoch: number; readonly offset: bigint }
  /** A new log epoch begins here: what lies between the stored offset and this one is lost, if there was a stored one. */
  | { readonly kind: 'begin'; readonly offset: bigint; readonly why: string };

/**
 * Where to read on. The log restarted when it was made anew, when it ends below the stored offset (it was emptied or replaced) or when it
 * starts above it (retention took what was not read). In each case a new epoch begins at the log's start.
 */
export function decidePosition(stored: StoredOffset | undefined, range: LogRange, madeAnew: boolean): Position {
  const begin = (why: string): Position => ({ kind: 'begin', offset: range.start, why });
  if (!stored) return begin('nothing is stored for this partition');
  if (madeAnew) return begin('the log was made anew');
  const offset = BigInt(stored.offset);
  if (range.end < offset) return begin(`the log ends at ${range.end}, below the stored offset ${offset}`);
  if (range.start > offset) return begin(`the log starts at ${range.start}, above the stored offset ${offset}`);
  return { kind: 'continue', epoch: stored.epoch, offset };
}
