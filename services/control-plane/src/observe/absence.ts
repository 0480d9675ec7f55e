/** An empty list is no evidence once more groups than this should be in it: permission lost, or the cloud's fault. */
export const FREEZE_ABOVE = 10;
/** A group this young may not be visible in lists yet. */
export const GRACE_MS = 60_000;
/** Between the beginnings of the two lists that count. */
const APART_MS = 60_000;

export interface CompleteList {
  /** Epoch milliseconds. */
  readonly beganAt: number;
  readonly seen: ReadonlySet<string>;
}

/**
 * Which open groups, that nobody deleted, are gone? One that is missing from two complete lists, at least a minute apart, is to be read directly;
 * what that read says is the caller's. Memory only: after a restart the evidence is gathered anew.
 */
export class Absences {
  private readonly missing = new Map<string, number>();

  /** An empty list where many groups should be: it proves nothing, and nothing is concluded from it. */
  static provesNothing(list: CompleteList, open: number): boolean {
    return list.seen.size === 0 && open > FREEZE_ABOVE;
  }

  /**
   * `known`: open groups → since when they are known (epoch ms). Answers those to be read directly now.
   */
  compare(list: CompleteList, known: ReadonlyMap<string, number>): readonly string[] {
    const suspects: string[] = [];
    for (const id of this.missing.keys()) if (list.seen.has(id) || !known.has(id)) this.missing.delete(id);
    for (const [id, since] of known) {
      if (list.seen.has(id) || list.beganAt - since < GRACE_MS) continue;
      const first = this.missing.get(id);
      if (first === undefined) this.missing.set(id, list.beganAt);
      else if (list.beganAt - first >= APART_MS) suspects.push(id);
    }
    return suspects;
  }

  /** Something is missing from one list: a second one should follow soon. */
  get waiting(): boolean {
    return this.missing.size > 0;
  }
}
