import {
  deletedOnceMore,
  evidenceOf,
  isUnvouchedForLong,
  lookForItAfterMs,
  missedOf,
  provesGone,
  wantsAnotherDelete,
  type Missed,
} from '#libs/domain';
import type { DeleteAnswer } from '#libs/eci';
import type { EffectRow, JsonObject } from '#libs/event-store';

type DeletionProof =
  /** What proves that the group is gone. */
  | { readonly gone: string }
  /** Nothing does yet: what the row is to remember, and when to look again. */
  | {
      readonly gone?: never;
      readonly data: JsonObject;
      readonly lookAgainMs: number;
      /** Others should be there, and for long none was shown. */
      readonly isUnvouchedForLong: boolean;
    };

/**
 * Whether a group is gone whose delete the cloud accepted, and which a read by id did not return: by what the read is worth beside those before it, or
 * by NotFound to a second delete, which is called from time to time. Whoever deletes groups proves it so, and remembers it in the row of that work.
 */
export async function proveDeletion(
  row: Pick<EffectRow, 'data'>,
  read: Pick<Missed, 'shown' | 'vouched'>,
  deleteAgain: () => Promise<DeleteAnswer>,
): Promise<DeletionProof> {
  const missed = missedOf(row, read);
  if (provesGone(missed)) return { gone: evidenceOf(missed) };
  const next = { lookAgainMs: lookForItAfterMs(missed), isUnvouchedForLong: isUnvouchedForLong(missed) };
  if (!wantsAnotherDelete(missed)) return { ...next, data: row.data };
  const again = await deleteAgain();
  if (again.kind === 'not-found') return { gone: 'the cloud answered NotFound to a second delete' };
  return { ...next, data: { ...row.data, ...deletedOnceMore(missed, again.kind === 'done') } };
}
