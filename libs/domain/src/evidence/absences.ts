/** When a group is gone that nobody deleted. */
import { VISIBLE_AFTER_MS } from './visible.ts';
import type { Vouched } from './vouched.ts';

/** Between two complete lists, or two reads, that together show that a group is not there: as long as one may not be shown yet (eci.md §11 (6)). */
export const LISTS_APART_MS = 60_000;

export interface CompleteList {
  /** By a clock that nobody sets, milliseconds. */
  readonly beganAt: number;
  readonly seen: ReadonlySet<string>;
}

/**
 * Which open groups, that nobody deleted, are gone? A group that is missing from two complete lists, the second begun at least a minute after the
 * first was known to lack it, is to be read directly; the caller judges by that read. A list that is too young to show the group counts as neither of
 * the two, else a single wrong list would be enough. Memory only: after a restart the evidence is gathered anew.
 */
export class Absences {
  /** When each was first missing, and since when its absence counts; by the clock of the list. */
  private readonly missing = new Map<string, { readonly first: number; readonly since?: number }>();

  /**
   * `known`: open groups as they are known at `now`, by the clock of the list; true = so young, as far as clocks can tell, that it may not be
   * listed yet, which is believed for as long as that can be so. Returns those to be read directly.
   */
  compare(list: CompleteList, known: ReadonlyMap<string, boolean>, now: number): readonly string[] {
    const suspects: string[] = [];
    for (const id of this.missing.keys()) if (list.seen.has(id) || !known.has(id)) this.missing.delete(id);
    for (const [id, isYoung] of known) {
      if (list.seen.has(id)) continue;
      const { first = now, since } = this.missing.get(id) ?? {};
      const counts = since !== undefined || !isYoung || now - first >= VISIBLE_AFTER_MS;
      this.missing.set(id, counts ? { first, since: since ?? now } : { first });
      if (since !== undefined && list.beganAt - since >= LISTS_APART_MS) suspects.push(id);
    }
    return suspects;
  }

  /** Something is missing from one list: a second one should follow soon. */
  get waiting(): boolean {
    return [...this.missing.values()].some(({ since }) => since !== undefined);
  }
}

/**
 * The same by reads of one group that was shown before: two so far apart lack it, and others vouch for both. `waitedMs`: pauses after reads that
 * others vouched for.
 */
export function provesVanished({
  vouched,
  waitedMs,
}: {
  readonly vouched: Vouched;
  readonly waitedMs: number;
}): boolean {
  return vouched === 'witness' && waitedMs >= LISTS_APART_MS;
}
