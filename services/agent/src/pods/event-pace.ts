import { RateLimiter } from '#libs/kubernetes';
import type { Clock } from '#libs/runtime';

export interface EventPaceOptions {
  readonly clock: Clock;
  /** Kubernetes Events a second; twice as many may go at once after a pause, as with a kubelet (50 and 100). */
  readonly qps: number;
  /** Something more important waits for the API server: statuses, tokens. */
  readonly busy: () => boolean;
}

/**
 * When the next Kubernetes Event may be written. Events are for people who look later: while anything else waits, they go at a tenth of their
 * pace, so that the story of a thousand pods does not delay the pods. What waits is kept by those who wait.
 */
export class EventPace {
  private readonly all: RateLimiter;
  private readonly yielding: RateLimiter;
  private readonly busy: () => boolean;

  constructor({ clock, qps, busy }: EventPaceOptions) {
    this.all = new RateLimiter({ clock, qps, burst: 2 * qps });
    this.yielding = new RateLimiter({ clock, qps: qps / 10, burst: 1 });
    this.busy = busy;
  }

  /** Resolves when the next one may go. */
  async turn(): Promise<void> {
    await this.all.take('normal');
    if (this.busy()) await this.yielding.take('normal');
  }
}
