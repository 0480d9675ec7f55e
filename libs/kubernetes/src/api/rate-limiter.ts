import type { Clock } from '#libs/runtime';

/**
 * `vital` requests (heartbeats) never wait; the others wait in the order of their class, then of their arrival. One bucket without classes
 * is what lets a bulk delete hold up a new pod for a minute in other virtual nodes.
 */
export type Priority = 'vital' | 'high' | 'normal' | 'low';

const CLASSES = ['high', 'normal', 'low'] as const;

interface RateLimiterOptions {
  readonly clock: Clock;
  /** Requests a second. */
  readonly qps: number;
  /** Requests that may go at once after a pause; default: one second's worth. */
  readonly burst?: number;
}

/** A token bucket over all requests of one client, so that one agent can never flood an API server. */
export class RateLimiter {
  private readonly clock: Clock;
  private readonly perMs: number;
  private readonly burst: number;
  private tokens: number;
  private filledAt: number;
  private readonly waiting: Record<(typeof CLASSES)[number], (() => void)[]> = { high: [], normal: [], low: [] };
  private draining = false;

  constructor({ clock, qps, burst = qps }: RateLimiterOptions) {
    if (!(qps > 0)) throw new Error(`requests a second must be above 0, not ${qps}`);
    this.clock = clock;
    this.perMs = qps / 1000;
    this.burst = Math.max(1, burst);
    this.tokens = this.burst;
    this.filledAt = clock.now();
  }

  /** Requests that wait for their turn. */
  get queued(): number {
    return CLASSES.reduce((sum, c) => sum + this.waiting[c].length, 0);
  }

  /** Resolves when the request may go. */
  take(priority: Priority): Promise<void> {
    this.fill();
    if (priority === 'vital') {
      // It is counted, so that the total stays near the limit, but it is never held.
      this.tokens -= 1;
      return Promise.resolve();
    }
    if (this.tokens >= 1 && this.queued === 0) {
      this.tokens -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.waiting[priority].push(resolve);
      void this.drain();
    });
  }

  private fill(): void {
    const now = this.clock.now();
    this.tokens = Math.min(this.burst, this.tokens + Math.max(0, now - this.filledAt) * this.perMs);
    this.filledAt = now;
  }

  private async drain(): Promise<void> {
    if (this.draining) return;
    this.draining = true;
    while (this.queued > 0) {
      this.fill();
      while (this.tokens >= 1 && this.queued > 0) {
        this.tokens -= 1;
        for (const c of CLASSES) {
          const next = this.waiting[c].shift();
          if (next) {
            next();
            break;
          }
        }
      }
      if (this.queued > 0) await this.clock.sleep(Math.max(1, Math.ceil((1 - this.tokens) / this.perMs)));
    }
    this.draining = false;
  }
}
