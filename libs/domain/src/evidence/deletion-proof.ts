/** When a group is gone whose delete the cloud accepted. */
import { mustKnow, type Visibility } from './visible.ts';
import type { Vouched } from './vouched.ts';
import { waitedMs } from './waited.ts';

/**
 * So long after the cloud accepted a delete of a group that it knew, one is gone that reads do not show, when no other group can vouch for them:
 * deletion is asynchronous, and lasts as long as containers take to stop (eci.md §2.3).
 */
const READS_APART_MS = 10_000;
/**
 * A group that is still there so long after its delete was accepted is deleted once more: a delete of an id that the cloud does not know yet may be
 * accepted as well (eci.md §2.3, §11 (3)). Four times the grace period of a pod that names none (eci.md §12 (9)).
 */
const DELETE_AGAIN_AFTER_MS = 120_000;

/** A group that may not be shown yet is looked for this often, one that was shown this often, and both this often once nobody vouches for long. */
const LOOK_AGAIN_MS = 2_000;
const LOOK_ONCE_MORE_MS = READS_APART_MS / 2;
const LOOK_SELDOM_MS = 30_000;
const UNVOUCHED_FOR_LONG_MS = 60_000;

/** The last of several reads by id, none of which returned the group. */
export interface Missed extends Visibility {
  readonly vouched: Vouched;
  /** `waitedMs` when the cloud accepted a delete of the group once more, as one that it must know ({@link mustKnow}). */
  readonly deletedAgainMs?: number;
  /** `waitedMs` when it was last deleted once more, whatever came of it. */
  readonly deleteTriedMs?: number;
}

/** What a row remembers of the reads that did not return its group, and of this one. */
export function missedOf(
  row: { readonly data: Readonly<Record<string, unknown>> },
  read: Pick<Missed, 'shown' | 'vouched'>,
): Missed {
  const { deletedAgainMs, deleteTriedMs } = row.data;
  return {
    ...read,
    waitedMs: waitedMs(row, 'missedMs'),
    ...(typeof deletedAgainMs === 'number' && { deletedAgainMs }),
    ...(typeof deleteTriedMs === 'number' && { deleteTriedMs }),
  };
}

/**
 * A group that was never shown may merely not be shown yet, beside others that are. Where nothing else is there, nobody can tell one that is gone
 * from one that the caller may not see: then at least it will not run on, for the cloud has accepted a delete that was not of an unknown id.
 */
export function provesGone({ shown, vouched, waitedMs, deletedAgainMs }: Missed): boolean {
  switch (vouched) {
    case 'witness':
      return mustKnow({ shown, waitedMs });
    case 'nothing to see':
      return (
        mustKnow({ shown, waitedMs }) && deletedAgainMs !== undefined && waitedMs - deletedAgainMs >= READS_APART_MS
      );
    case 'nobody':
      return false;
  }
}

/** The evidence of one that is proven gone, in words. */
export function evidenceOf({ vouched, waitedMs }: Missed): string {
  return vouched === 'witness'
    ? 'after our delete a read by id returned another group, but not this one'
    : `after our delete reads by id did not return it for ${Math.round(waitedMs / 1000)} s, and no other group is there`;
}

/** Whether to delete once more a group that is not proven gone: from time to time, until the cloud has accepted that when it must know the group. */
export function wantsAnotherDelete({ waitedMs, deletedAgainMs, deleteTriedMs }: Missed): boolean {
  const isEarly = deleteTriedMs !== undefined && waitedMs - deleteTriedMs < READS_APART_MS;
  return deletedAgainMs === undefined && !isEarly;
}

/** What is to be remembered of that delete. */
export function deletedOnceMore(
  missed: Missed,
  accepted: boolean,
): Required<Pick<Missed, 'deleteTriedMs'>> & Pick<Missed, 'deletedAgainMs'> {
  const counts = accepted && mustKnow(missed);
  return { deleteTriedMs: missed.waitedMs, ...(counts && { deletedAgainMs: missed.waitedMs }) };
}

/** Others should be there, and for so long none was shown that somebody should know. */
export function isUnvouchedForLong({ vouched, waitedMs }: Missed): boolean {
  return vouched === 'nobody' && waitedMs >= UNVOUCHED_FOR_LONG_MS;
}

/** The pause before the next look at one that is missing. */
export function lookForItAfterMs(missed: Missed): number {
  if (isUnvouchedForLong(missed)) return LOOK_SELDOM_MS;
  return missed.shown ? LOOK_ONCE_MORE_MS : LOOK_AGAIN_MS;
}

/** What to do about one that is still there, after so many pauses since it was first seen so. */
export function whilePresent(
  presentMs: number,
  isTerminating: boolean,
): { readonly deleteAgain: boolean; readonly lookAgainMs: number } {
  return {
    deleteAgain: presentMs > DELETE_AGAIN_AFTER_MS && !isTerminating,
    lookAgainMs: presentMs < 15_000 ? 1_000 : presentMs < DELETE_AGAIN_AFTER_MS ? 3_000 : 30_000,
  };
}
