import type { Clock } from '#libs/runtime';

/** Names that are remembered; whoever fails under ever new ones pushes out those that failed longest ago. */
const MOST_NAMES = 10_000;

/**
 * How often a name may fail: a minute's worth at once, then one by one as time passes. Successes cost nothing, so that nobody who is let in is ever
 * counted.
 */
export class FailureLimit {
  private readonly perMinute: number;
  private readonly clock: Clock;
  /** Failures that time has not forgiven yet, the name that failed last at the end. */
  private readonly failures = new Map<string, { count: number; at: number }>();

  constructor({ perMinute, clock }: { readonly perMinute: number; readonly clock: Clock }) {
    this.perMinute = perMinute;
    this.clock = clock;
  }

  /** Seconds until the name may fail again, at least 1; undefined: it may now. */
  mustWait(name: string): number | undefined {
    const over = this.unforgiven(name) + 1 - this.perMinute;
    return over <= 0 ? undefined : Math.max(1, Math.ceil((over / this.perMinute) * 60));
  }

  /** Whether the name may fail now; then it has. */
  admits(name: string): boolean {
    if (this.mustWait(name) !== undefined) return false;
    this.failed(name);
    return true;
  }

  failed(name: string): void {
    // Of many that were let in at the same moment all count, so that they are no more on the average; a name is out for two minutes at most.
    const count = Math.min(this.unforgiven(name) + 1, 3 * this.perMinute - 1);
    this.failures.delete(name);
    this.failures.set(name, { count, at: this.clock.now() });
    if (this.failures.size <= MOST_NAMES) return;
    const [oldest] = this.failures.keys();
    if (oldest !== undefined) this.failures.delete(oldest);
  }

  private unforgiven(name: string): number {
    const failed = this.failures.get(name);
    if (failed === undefined) return 0;
    const forgiven = (Math.max(0, this.clock.now() - failed.at) / 60_000) * this.perMinute;
    return Math.max(0, failed.count - forgiven);
  }
}
