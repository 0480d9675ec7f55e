/**
 * What proves that a group does not exist. No rule compares the clocks of two processes, for either may be wrong: that time has passed is told by
 * pauses that somebody waited out and counted (`waitedMs`), so that a clock that is set costs one pause at most. Sections are those of `eci.md`.
 */
import type { ContainerGroupState } from '../container-group/state.ts';

/** What is older is shown by reads and known to deletes. They follow creates with a delay for which the cloud names no bound (§5); far above what was met. */
export const VISIBLE_AFTER_MS = 60_000;
/** So long after the cloud accepted a delete of a group that it knew, one is gone that reads do not show, when no other group can vouch for them. */
export const READS_APART_MS = 10_000;
/** Between two complete lists that together show that a group is not there. */
export const LISTS_APART_MS = 60_000;
/** ECI forgets finished groups after an hour: for so long after an attempt's first call its absence proves that nothing was made. */
export const ABSENCE_PROVES_FOR_MS = 50 * 60_000;

/** A read has returned the group: the stream remembers its first sight. Twins were found by a read, or wait for a minute before anybody looks. */
export function wasShown({ group }: ContainerGroupState, containerGroupId: string): boolean {
  return group?.containerGroupId !== containerGroupId || group.status !== null || group.landed !== undefined;
}

/**
 * Who vouches for an answer that lacks a group. A caller who lost the permission is answered with empty lists (§12), so that an empty one proves
 * nothing as long as there is anything that it should show.
 * - `witness`: it returned another group: whoever asked may see, and the cloud did look.
 * - `nothing to see`: it is empty, and so is the list of the whole fleet; and no other group should be there.
 * - `nobody`: others should be there, or may be, and it shows none of them.
 */
export type Vouched = 'witness' | 'nothing to see' | 'nobody';

/** The last of several reads by id, none of which returned a group that we deleted. */
export interface Missed {
  /** Some read has returned it once, so that one that does not means something at once. */
  readonly shown: boolean;
  readonly vouched: Vouched;
  /** Pauses since the first of these reads. */
  readonly waitedMs: number;
  /** What it was when the cloud accepted a delete of the group once more, as one that it must know ({@link mustKnow}). */
  readonly deletedAgainMs?: number;
}

/**
 * A group that was never shown may merely not be shown yet, beside others that are. Where nothing else is there, nobody can tell one that is gone
 * from one that the caller may not see: then at least it will not run on, for the cloud has accepted a delete that was not of an unknown id.
 */
export function provesGone(missed: Missed): boolean {
  const { shown, vouched, waitedMs, deletedAgainMs } = missed;
  switch (vouched) {
    case 'witness':
      return mustKnow(missed);
    case 'nothing to see':
      return (
        mustKnow({ shown, waitedMs }) && deletedAgainMs !== undefined && waitedMs - deletedAgainMs >= READS_APART_MS
      );
    case 'nobody':
      return false;
  }
}

/** Reads show it, and deletes reach it, if it is there. */
export function mustKnow({ shown, waitedMs }: Pick<Missed, 'shown' | 'waitedMs'>): boolean {
  return shown || waitedMs >= VISIBLE_AFTER_MS;
}

/** NotFound to a delete: of a group that the cloud has known, by a read or by accepting a delete, or that it should know by now. */
export function notFoundProvesGone(known: boolean, waitedMs: number): boolean {
  return mustKnow({ shown: known, waitedMs });
}
