import type { Scheduler } from './scheduler.ts';

interface Sleeper {
  readonly earliest: number;
  wakeAt: number;
  cancel: () => void;
  readonly wake: () => void;
}

/**
 * Something that idle loops wait for. A loop that polls four times a second in the product may sleep longer here, for a slow machine is a
 * lawful machine; the bell wakes it, never before it would have looked anyway, when there is something to be seen. This is what makes an hour of
 * virtual time cheap.
 */
export class Bell {
  private readonly scheduler: Scheduler;
  private readonly sleepers = new Set<Sleeper>();

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  /** Calls `wake` once: after `ms` at the earliest, `maxMs` at the latest, in between when it rings. */
  wait(ms: number, maxMs: number, wake: () => void): () => void {
    const now = this.scheduler.now;
    const sleeper: Sleeper = { earliest: now + ms, wakeAt: 0, cancel: () => undefined, wake };
    this.sleepers.add(sleeper);
    this.arm(sleeper, now + Math.max(ms, maxMs));
    return () => {
      sleeper.cancel();
      this.sleepers.delete(sleeper);
    };
  }

  ring(): void {
    for (const sleeper of this.sleepers) {
      const at = Math.max(sleeper.earliest, this.scheduler.now);
      if (at < sleeper.wakeAt) this.arm(sleeper, at);
    }
  }

  private arm(sleeper: Sleeper, at: number): void {
    sleeper.cancel();
    sleeper.wakeAt = at;
    sleeper.cancel = this.scheduler.at(at, () => {
      this.sleepers.delete(sleeper);
      sleeper.wake();
    });
  }
}
