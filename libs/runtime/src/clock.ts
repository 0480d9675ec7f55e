/** Where loops get time from. `now` is epoch milliseconds. */
export abstract class Clock {
  abstract now(): number;

  /** Milliseconds since some moment of this process. Unlike `now` nobody sets it: what tells how long something took. */
  abstract monotonic(): number;

  /** Resolves after `ms` milliseconds, or at once when `signal` is aborted (it never rejects: callers check the signal). */
  abstract sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, ms));
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}

interface Sleeper {
  readonly at: number;
  readonly order: number;
  readonly wake: () => void;
}

/** A clock that moves only when told to; for tests and simulations. Sleepers wake in order of their time, then of their arrival. */
export class VirtualClock extends Clock {
  private time: number;
  private arrivals = 0;
  private readonly sleepers = new Set<Sleeper>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    super();
    this.time = startMs;
  }

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        at: this.time + Math.max(0, ms),
        order: this.arrivals++,
        wake: () => {
          this.sleepers.delete(sleeper);
          signal?.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      this.sleepers.add(sleeper);
      signal?.addEventListener('abort', sleeper.wake, { once: true });
    });
  }

  /** Time of the next sleeper to wake, if any. */
  get nextWakeAt(): number | undefined {
    return this.next()?.at;
  }

  /** Moves time by `ms`, waking every sleeper that falls due on the way and letting it run until it waits again. */
  async advance(ms: number): Promise<void> {
    const target = this.time + ms;
    for (let next = this.next(); next && next.at <= target; next = this.next()) {
      this.time = Math.max(this.time, next.at);
      next.wake();
      await settled();
    }
    this.time = target;
    await settled();
  }

  private next(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const s of this.sleepers) {
      if (!first || s.at < first.at || (s.at === first.at && s.order < first.order)) first = s;
    }
    return first;
  }
}

/** One turn of the event loop: every promise chain that does no real I/O has run to its next wait. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
