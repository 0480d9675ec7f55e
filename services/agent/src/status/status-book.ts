import { isDeepStrictEqual } from 'node:util';
import type { PodStatusMessage } from '#libs/contracts';

interface Entry {
  message: PodStatusMessage;
  /** Highest revision that the API server has taken. */
  written: number;
  /** Write although the revision was written: somebody may have changed the object since. */
  rewrite: boolean;
  /** The control plane has said it: it carried a MAC under a key of this cluster. */
  proven: boolean;
  /** Something else was said of the pod after it: a log that keeps what came last may have lost it. */
  overlaid: boolean;
}

/**
 * The newest status of each pod, and what of it the API server has. Statuses are state, not messages: only the highest revision counts, a
 * lower or equal one changes nothing, and a tombstone forgets the pod.
 */
export class StatusBook {
  private readonly entries = new Map<string, Entry>();

  /**
   * Takes a message; false = it is older than, or the same as, what is known. A newer one that asks for the same object as the one that was
   * written needs no writing: only its revision is new. One that is proven takes the place of one of the same revision that is not.
   */
  accept(message: PodStatusMessage, proven = true): boolean {
    const known = this.entries.get(message.podUid);
    const proves = known !== undefined && proven && !known.proven && known.message.revision === message.revision;
    if (known && known.message.revision >= message.revision && !proves) {
      known.overlaid = known.message.revision > message.revision;
      return false;
    }
    const same =
      known !== undefined && known.written === known.message.revision && asksForTheSame(known.message, message);
    this.entries.set(message.podUid, {
      message,
      written: same ? message.revision : (known?.written ?? 0),
      // What was written under this number may be something else.
      rewrite: (known?.rewrite ?? false) || (proves && !same && known.written > 0),
      proven,
      overlaid: false,
    });
    return true;
  }

  forget(podUid: string): void {
    this.entries.delete(podUid);
  }

  /** Something that does not count was said of the pod, and lies on the log where its status lay. */
  overlay(podUid: string): void {
    const entry = this.entries.get(podUid);
    if (entry) entry.overlaid = true;
  }

  /** Forgets every status that is not proven; returns how many there were. */
  distrust(): number {
    let count = 0;
    for (const [podUid, { proven }] of this.entries) {
      if (proven) continue;
      this.entries.delete(podUid);
      count += 1;
    }
    return count;
  }

  newest(podUid: string): PodStatusMessage | undefined {
    return this.entries.get(podUid)?.message;
  }

  /** The message that has to be written now, if any. */
  due(podUid: string): PodStatusMessage | undefined {
    const entry = this.entries.get(podUid);
    return entry && (entry.rewrite || entry.written < entry.message.revision) ? entry.message : undefined;
  }

  mustRewrite(podUid: string): boolean {
    return this.entries.get(podUid)?.rewrite ?? false;
  }

  /** Highest revision written; undefined = none. */
  written(podUid: string): number | undefined {
    const written = this.entries.get(podUid)?.written ?? 0;
    return written > 0 ? written : undefined;
  }

  /**
   * The revision that the control plane is told of: the one that was written, if a later start of this agent will find it on the log; undefined = it is to
   * be said once more.
   */
  kept(podUid: string): number | undefined {
    return this.entries.get(podUid)?.overlaid ? undefined : this.written(podUid);
  }

  wrote(podUid: string, revision: number): void {
    const entry = this.entries.get(podUid);
    if (!entry) return;
    entry.written = Math.max(entry.written, revision);
    if (revision >= entry.message.revision) entry.rewrite = false;
  }

  /** The story in this message has been told: it is the larger half of a message, and a newer one brings all of it again. */
  told(message: PodStatusMessage): void {
    const entry = this.entries.get(message.podUid);
    if (entry?.message === message && message.events.length > 0) entry.message = { ...message, events: [] };
  }

  rewrite(podUid: string): void {
    const entry = this.entries.get(podUid);
    if (entry) entry.rewrite = true;
  }

  uids(): IterableIterator<string> {
    return this.entries.keys();
  }

  get size(): number {
    return this.entries.size;
  }
}

function asksForTheSame(a: PodStatusMessage, b: PodStatusMessage): boolean {
  return isDeepStrictEqual(a.status, b.status) && isDeepStrictEqual(a.annotations, b.annotations);
}
