/**
 * What proves that a group does not exist. No rule compares the clocks of two processes, for either may be wrong: that time has passed is told by
 * pauses that somebody waited out and counted (`waitedMs`), so that a clock that is set costs one pause at most. Sections are those of `eci.md`.
 */
import type { ContainerGroupState } from '../container-group/state.ts';

/** What is older is shown by reads and known to deletes. They follow creates with a delay for which the cloud names no bound (§5); far above what was met. */
export const VISIBLE_AFTER_MS = 60_000;
/** Between two reads by id that together show that a group is gone, when no other group vouches for them. */
export const READS_APART_MS = 10_000;
/** Between two complete lists that together show that a group is not there. */
export const LISTS_APART_MS = 60_000;
/** ECI forgets finished groups after an hour: for so long after an attempt's first call its absence proves that nothing was made. */
export const ABSENCE_PROVES_FOR_MS = 50 * 60_000;

/** A read has returned the group: the stream remembers its first sight. Twins were found by a read, or wait for a minute before anybody looks. */
export function wasShown({ group }: ContainerGroupState, containerGroupId: string): boolean {
  return group?.containerGroupId !== containerGroupId || group.status !== null || group.landed !== undefined;
}

/** The last of several reads by id, none of which returned a group that we deleted. */
export interface Missed {
  /** Some read has returned it once, so that one that does not means something at once. */
  readonly shown: boolean;
  /** The read returned another group: whoever asked may see, and the cloud did look. */
  readonly witnessed: boolean;
  /** Pauses since the first of these reads. */
  readonly waitedMs: number;
}

/** A group that was never shown may merely not be shown yet, beside others that are. */
export function provesGone({ shown, witnessed, waitedMs }: Missed): boolean {
  if (!shown) return waitedMs >= VISIBLE_AFTER_MS;
  return witnessed || waitedMs >= READS_APART_MS;
}

/** NotFound to a delete: of a group that the cloud has known, by a read or by accepting a delete, or that it should know by now. */
export function notFoundProvesGone(known: boolean, waitedMs: number): boolean {
  return known || waitedMs >= VISIBLE_AFTER_MS;
}
