import { mustKnow, READS_APART_MS, type Missed } from '#libs/domain';
import type { DeleteAnswer } from '#libs/eci';
import type { EffectRow, JsonObject } from '#libs/event-store';
import { waitedMs } from '../effects/held-effect.ts';

/**
 * What a row remembers of a deleted group that reads do not return, in milliseconds of pauses since the first of them (`missedMs`): `deleteTriedMs`,
 * when it was last deleted once more; `deletedAgainMs`, when the cloud accepted that.
 */
export function missedOf(row: Pick<EffectRow, 'data'>): Pick<Missed, 'waitedMs' | 'deletedAgainMs'> {
  const { deletedAgainMs } = row.data;
  return { waitedMs: waitedMs(row, 'missedMs'), ...(typeof deletedAgainMs === 'number' && { deletedAgainMs }) };
}

/** Deletes it once more, from time to time, until the cloud says so of a group that it must know. Answers what the row is to remember. */
export async function deleteOnceMore(
  row: Pick<EffectRow, 'data'>,
  missed: Missed,
  call: () => Promise<DeleteAnswer>,
): Promise<{ readonly data: JsonObject; readonly again?: DeleteAnswer }> {
  const { waitedMs, deletedAgainMs } = missed;
  const { deleteTriedMs } = row.data;
  const isEarly = typeof deleteTriedMs === 'number' && waitedMs - deleteTriedMs < READS_APART_MS;
  if (deletedAgainMs !== undefined || isEarly) return { data: row.data };
  const again = await call();
  const counts = again.kind === 'done' && mustKnow(missed);
  return { again, data: { ...row.data, deleteTriedMs: waitedMs, ...(counts && { deletedAgainMs: waitedMs }) } };
}

/** The evidence of one that is proven gone, in words. */
export function evidenceOf({ vouched, waitedMs }: Missed): string {
  return vouched === 'witness'
    ? 'after our delete a read by id returned another group, but not this one'
    : `after our delete reads by id did not return it for ${Math.round(waitedMs / 1000)} s, and no other group is there`;
}
