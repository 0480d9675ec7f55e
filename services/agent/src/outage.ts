import { backoffMs, type Clock, type Random } from '#libs/runtime';

const BACKOFF = { baseMs: 500, capMs: 10_000 };
/** A probe that has not come back is given this long before another one goes. */
const PROBE_MS = 30_000;

/**
 * What many requests in a row learn from the one that got no answer: while the other side is away, one of them asks now and then, and the others
 * wait. Back again, all go on within ten seconds, as fast as the rate limit of the client lets them.
 */
export class Outage {
  private readonly clock: Clock;
  private readonly random: Random;
  private failures = 0;
  private retryAt = 0;
  private probing = false;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  /** 0 = ask; else the milliseconds until it is worth asking this again. */
  waitMs(): number {
    if (this.failures === 0) return 0;
    const now = this.clock.now();
    if (now < this.retryAt) return this.retryAt - now;
    this.probing = true;
    this.retryAt = now + PROBE_MS;
    return 0;
  }

  /** There was no answer. */
  lost(): void {
    // Requests that were on their way together are one failure.
    if (this.failures > 0 && !this.probing) return;
    this.probing = false;
    this.failures += 1;
    this.retryAt = this.clock.now() + 100 + backoffMs(this.failures, BACKOFF, this.random);
  }

  /** There was an answer, of any kind. */
  found(): void {
    this.failures = 0;
    this.probing = false;
  }
}
