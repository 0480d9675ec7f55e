/** From when on a group that exists is shown by reads and known to deletes. */

/**
 * eci.md §11 (6): reads and deletes follow creates with a delay for which the cloud names no bound, and 30–60 s are advised. What is older than this
 * is shown, if it is there; far above what was met.
 */
export const VISIBLE_AFTER_MS = 60_000;
/** So long a delete waits for a group that no read has shown (eci.md §11 (6)): once it was shown its end is proven in seconds, else in a minute. */
const WAIT_FOR_SIGHT_MS = 5_000;

/** How far a group is known to the cloud. */
export interface Visibility {
  /** Some read has returned it once, so that one that does not means something at once. */
  readonly shown: boolean;
  /** Pauses since it was first looked for. */
  readonly waitedMs: number;
}

/** Reads show it, and deletes reach it, if it is there. */
export function mustKnow({ shown, waitedMs }: Visibility): boolean {
  return shown || waitedMs >= VISIBLE_AFTER_MS;
}

/** A list may lack it although it is there: made so long ago, by the clocks of two processes, which is a hint and no evidence. */
export function isYoung(ageMs: number): boolean {
  return ageMs < VISIBLE_AFTER_MS;
}

/** A delete of a group that nobody has seen yet is better sent a little later. */
export function isWorthWaitingFor({ shown, waitedMs }: Visibility): boolean {
  return !shown && waitedMs < WAIT_FOR_SIGHT_MS;
}

/**
 * NotFound to a delete: of a group that the cloud has known, or that it should know by now. What it answers for an id that it does not know is not
 * documented (eci.md §2.3, §11 (3)); what it does not know yet it may know in a moment.
 */
export function notFoundProvesGone(known: boolean, waitedMs: number): boolean {
  return mustKnow({ shown: known, waitedMs });
}
