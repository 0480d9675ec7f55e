/** When a create whose outcome is not known made no group. */
import { LISTS_APART_MS } from './absences.ts';
import { waitedMs } from './waited.ts';

/** So long after its claim was confirmed a call has ended or its deadline has passed: the client's timeouts are 15 s each (eci.md §8.7). */
const CALL_ENDS_WITHIN_MS = 45_000;
/** Pauses are waited out in steps: a clock of the database that is set shortens one of them, and one more is waited for that. */
export const LOOK_UP_STEP_MS = 10_000;
const LAST_CALL_ENDS_AFTER_MS = CALL_ENDS_WITHIN_MS + LOOK_UP_STEP_MS;
const LOOK_UPS_APART_MS = LISTS_APART_MS + LOOK_UP_STEP_MS;
/**
 * ECI forgets finished groups after an hour, and sooner where many end (eci.md §2.3): for so long after an attempt's first call its absence proves
 * that nothing was made.
 */
const ABSENCE_PROVES_FOR_MS = 50 * 60_000;

/**
 * How far the proof is: `nothing`, not even that no call of the attempt can go out any more; `no more calls`; `absent once`: one complete look-up
 * after that found no group. The second one proves it.
 */
export type LookedUp = 'nothing' | 'no more calls' | 'absent once';

/**
 * What a row remembers. `closingMs`: the Create row was taken away, and so long its last call was given time to end. `callsEnded`: no call can be on
 * its way any more. `firstAt` (epoch ms) and `absentMs`: the first complete look-up after that, and pauses since. `pause`: the one that goes on.
 */
export function lookedUp(
  row: { readonly data: Readonly<Record<string, unknown>> },
  attempt: number,
): { readonly proven: LookedUp; readonly pause?: string } {
  const goesOn = (name: string, untilMs: number) => (waitedMs(row, name) < untilMs ? { pause: name } : {});
  if (row.data['absentMs'] !== undefined) return { proven: 'absent once', ...goesOn('absentMs', LOOK_UPS_APART_MS) };
  // Of a pod that ran before we knew of it: nobody of ours ever called for it.
  if (row.data['callsEnded'] === true || attempt === 0) return { proven: 'no more calls' };
  if (row.data['closingMs'] === undefined) return { proven: 'nothing' };
  return { proven: 'no more calls', ...goesOn('closingMs', LAST_CALL_ENDS_AFTER_MS) };
}

/** Of an attempt whose first call is so old: else its group may have come, ended and been forgotten. */
export function absenceProvesNothingMade(ageMs: number): boolean {
  return ageMs <= ABSENCE_PROVES_FOR_MS;
}
