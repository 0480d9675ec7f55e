/** What an answer is worth that lacks a group: who vouches for it. */

/**
 * A caller who lost the permission is answered with empty lists (eci.md §12 (17)), so that an empty one proves nothing as long as there is anything
 * that it should show.
 * - `witness`: it returned another group: whoever asked may see, and the cloud did look.
 * - `nothing to see`: it is empty, and so is the list of the whole fleet; and no other group should be there.
 * - `nobody`: others should be there, or may be, and it shows none of them.
 */
export type Vouched = 'witness' | 'nothing to see' | 'nobody';

/** The list of the whole fleet in one place. */
export interface FleetList {
  readonly shown: number;
  /** No further page. */
  readonly isComplete: boolean;
  /** Some group should be there, or nobody can tell. */
  readonly shouldShowSome: boolean;
}

/** Of a read that returned so many groups. `list`: how the fleet was listed just after one that returned none; undefined: it was not. */
export function vouchedBy(shown: number, list?: FleetList): Vouched {
  if (shown > 0) return 'witness';
  const nothing = list?.isComplete === true && list.shown === 0 && !list.shouldShowSome;
  return nothing ? 'nothing to see' : 'nobody';
}

/** Whether a complete list is evidence of what it lacks: an empty one is not where some group should be in it. */
export function isEvidence(shown: number, expected: number): boolean {
  return shown > 0 || expected === 0;
}
