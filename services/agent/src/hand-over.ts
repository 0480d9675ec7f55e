import type { AsideItems } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { WorkQueue } from './work-queue.ts';

interface HandOverOptions<T> {
  readonly take: (item: T) => void;
  readonly aside: AsideItems;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Hands items over to somebody who may fail at one of them: it is set aside and handed over again, ever more seldom, and those that come after it
 * are not held up. Items are states: a newer one of the same key takes the place of one that waits.
 */
export class HandOver<T> {
  private readonly options: HandOverOptions<T>;
  private readonly waiting = new Map<string, T>();
  private readonly queue: WorkQueue;

  constructor(options: HandOverOptions<T>) {
    this.options = options;
    this.queue = new WorkQueue({
      clock: options.clock,
      random: options.random,
      concurrency: 1,
      work: (key) => {
        const item = this.waiting.get(key);
        if (item !== undefined) options.take(item);
        this.waiting.delete(key);
        return Promise.resolve();
      },
      onError: () => undefined,
      aside: options.aside,
    });
    this.queue.resume();
  }

  /** Never throws. */
  give(key: string, item: T): void {
    try {
      this.options.take(item);
      this.waiting.delete(key);
      this.queue.drop(key);
    } catch {
      this.waiting.set(key, item);
      this.queue.add(key);
    }
  }

  stop(): Promise<void> {
    return this.queue.stop();
  }
}
