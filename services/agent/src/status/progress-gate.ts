import type { PodStatusMessage } from '#libs/contracts';
import type { PodObject } from '#libs/kubernetes';
import type { Clock } from '#libs/runtime';

/** How long a status that only reports progress may wait for the one that makes it needless. */
const HOLD_MS = 10_000;
const AT_ONCE = 20;
const PER_SECOND = 10;

/**
 * A pod that is still Pending and stays so: nobody waits for this status, and a newer one is likely to follow within seconds. Everything else
 * is news: a change of phase, a reason (the pod will not start), a pod being deleted.
 */
export function isProgress(pod: PodObject, { status }: Pick<PodStatusMessage, 'status'>): boolean {
  const phase = pod.status?.phase ?? 'Pending';
  return (
    phase === 'Pending' &&
    status?.phase === 'Pending' &&
    status.reason === undefined &&
    pod.metadata.deletionTimestamp === undefined
  );
}

/**
 * Statuses that only report progress go out at once while they are few. In a storm of pods they would cost the API server as much as the
 * statuses that matter, so there each waits up to ten seconds: by then most pods run, and only that is written.
 */
export class ProgressGate {
  private readonly clock: Clock;
  private readonly since = new Map<string, number>();
  private tokens = AT_ONCE;
  private filledAt: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.filledAt = clock.now();
  }

  /** Milliseconds until the progress of this pod is to be looked at again; 0 = it may be written now. */
  waitMs(uid: string): number {
    const now = this.clock.now();
    this.tokens = Math.min(AT_ONCE, this.tokens + (Math.max(0, now - this.filledAt) * PER_SECOND) / 1000);
    this.filledAt = now;
    const since = this.since.get(uid) ?? now;
    if (now - since < HOLD_MS && this.tokens < 1) {
      this.since.set(uid, since);
      return HOLD_MS - (now - since);
    }
    this.tokens = Math.max(0, this.tokens - 1);
    this.since.delete(uid);
    return 0;
  }

  forget(uid: string): void {
    this.since.delete(uid);
  }
}
