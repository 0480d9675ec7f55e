/** Offsets that a log holds: `start` is the first one, `end` the one that the next message will get. */
export interface LogRange {
  readonly start: bigint;
  readonly end: bigint;
}

interface StoredOffset {
  readonly epoch: number;
  readonly offset: string;
}

type Position =
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

interface LogNow extends LogRange {
  /** It is known to be another one than that of the stored offset; default false. */
  readonly madeAnew?: boolean;
}

/** What a reader with a store needs to find its place. Each may reject, and what it rejects with is passed on. */
interface Finding {
  /** What the store holds now. */
  readonly load: () => Promise<StoredOffset | undefined>;
  /** What the log holds now. */
  readonly look: () => Promise<LogNow> | LogNow;
  /** Begins a new epoch at this offset; returns which. */
  readonly begin: (offset: string) => Promise<number>;
  /** Aborted when the partition is taken away. */
  readonly signal: AbortSignal;
}

interface Found {
  readonly epoch: number;
  readonly offset: bigint;
  readonly range: LogRange;
  /** The epoch was begun by this very look. */
  readonly begun: boolean;
}

/**
 * Finds where to read on. The store is asked first and the log after it: another reader may go on meanwhile, for a store can take seconds, and a log
 * that was looked at earlier would end below an offset that lies within it. Undefined: the partition was taken away, and only who has it may begin
 * an epoch.
 */
export async function findPosition({ load, look, begin, signal }: Finding): Promise<Found | undefined> {
  const stored = await load();
  const { madeAnew = false, ...range } = await look();
  if (signal.aborted) return undefined;
  const found = decidePosition(stored, range, madeAnew);
  if (found.kind === 'continue') return { epoch: found.epoch, offset: found.offset, range, begun: false };
  const epoch = await begin(found.offset.toString());
  return { epoch, offset: found.offset, range, begun: true };
}
