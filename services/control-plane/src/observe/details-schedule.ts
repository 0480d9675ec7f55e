import type { KnownGroup } from '#libs/domain';

const FIRST_MS = 3_000;
const LONGEST_MS = 60_000;
/** Events of the cloud come a little later than what they tell of. */
const CALM_AFTER_MS = 10_000;

interface Again {
  at: number;
  waitMs: number;
  settled: boolean;
  changedAt: number;
}

/**
 * When to read the details of groups again that have landed. Init containers and the cloud's events are only there, and the status action does not
 * say when they change. A group that has not settled is read after 3 s, then after twice as long each time, at most a minute; news begin anew. One
 * that has settled is read until nothing was new for 10 s, and then no more: most groups cost nothing.
 */
export class DetailsSchedule {
  private readonly again = new Map<string, Again>();

  learn(
    id: string,
    { settled, changed, now }: { readonly settled: boolean; readonly changed: boolean; readonly now: number },
  ): void {
    const known = this.again.get(id);
    if (changed) {
      // Not later than planned: news every second would put the reading off for ever.
      const at = Math.min(known?.at ?? Infinity, now + FIRST_MS);
      this.again.set(id, { at, waitMs: FIRST_MS, settled, changedAt: now });
    } else if (known) {
      known.settled = settled;
    } else if (!settled) {
      this.again.set(id, { at: now + FIRST_MS, waitMs: FIRST_MS, settled, changedAt: -Infinity });
    }
  }

  forget(id: string): void {
    this.again.delete(id);
  }

  /** At most `limit` groups whose details are to be read now, those that have waited longest first; they count as read. */
  due(now: number, limit: number): readonly string[] {
    const due: (readonly [string, Again])[] = [];
    for (const entry of this.again) {
      // A time further away than any wait was set by another clock.
      const inMs = entry[1].at - now;
      if (inMs <= 0 || inMs > LONGEST_MS) due.push(entry);
    }
    due.sort(([, a], [, b]) => a.at - b.at);
    return due.slice(0, limit).map(([id, again]) => {
      if (again.settled && now - again.changedAt >= CALM_AFTER_MS) {
        this.again.delete(id);
      } else {
        again.waitMs = Math.min(again.waitMs * 2, LONGEST_MS);
        again.at = now + again.waitMs;
      }
      return id;
    });
  }
}

/** Nothing of it is on its way: its containers run or have ended, its init containers have ended. */
export function isSettled({ status, containers, initContainers }: KnownGroup): boolean {
  if (status === 'Terminating') return true;
  return (
    status === 'Running' &&
    containers.every(({ state }) => state.state !== 'waiting') &&
    initContainers.every(({ state }) => state.state === 'terminated')
  );
}
