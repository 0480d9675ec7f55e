import { RateLimiter } from '#libs/kubernetes';
import type { Clock } from '#libs/runtime';

interface EventPaceOptions {
  readonly clock: Clock;
  /** Kubernetes Events a second; twice as many may go at once after a pause, as with a kubelet (50 and 100). */
  readonly qps: number;
  /** Something more important waits for the API server: statuses, tokens. */
  readonly busy: () => boolean;
}

const BUSY_FOR_MS = 2_000;

/**
 * When the next Kubernetes Event may be written. Events are for people who look later: while anything else waits, they go at a tenth of their
 * pace, so that the story of a thousand pods does not delay the pods. What waits is kept by those who wait.
 */
export class EventPace {
  private readonly all: RateLimiter;
  private readonly yielding: RateLimiter;
  private readonly busy: () => boolean;
  private readonly clock: Clock;
  private busyAt = Number.NEGATIVE_INFINITY;

  constructor({ clock, qps, busy }: EventPaceOptions) {
    this.clock = clock;
    this.all = new RateLimiter({ clock, qps, burst: 2 * qps });
    this.yielding = new RateLimiter({ clock, qps: qps / 10, burst: 1 });
    this.busy = busy;
  }

  /** Resolves when the next one may go. */
  async turn(): Promise<void> {
    await this.all.take('normal');
    const now = this.clock.now();
    if (this.busy()) this.busyAt = now;
    // In the middle of a storm its queues are empty now and then.
    if (now - this.busyAt < BUSY_FOR_MS) await this.yielding.take('normal');
  }
}
