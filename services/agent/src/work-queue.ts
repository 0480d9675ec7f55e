import type { AsideItems } from '#libs/observability';
import { backoffMs, type Clock, type Random } from '#libs/runtime';

interface WorkQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Keys worked on at the same time. */
  readonly concurrency: number;
  /** Works on one key. A number = look at it again after that many milliseconds. Throwing = again after a back-off. */
  readonly work: (key: string, signal: AbortSignal) => Promise<number | void>;
  readonly onError: (key: string, error: unknown, failures: number) => void;
  /** Told of keys that fail, as `onError` is, and of those that work again. */
  readonly aside?: AsideItems;
  /** What says nothing about the key: it is no reason to set it aside. Default: nothing. */
  readonly isTrouble?: (error: unknown) => boolean;
  /** Every other key is the one that was added last, so that a backlog holds nobody up. Default: all in their order. */
  readonly youngestToo?: boolean;
}

/** A reason that exists already: without one, every abort makes an exception with a stack. */
const LOOKED_AT = new Error('it need not be waited for any more');

/**
 * Keys that want to be looked at. A key is worked on by one worker at a time; added meanwhile, it is looked at once more, so no change is
 * missed and none is worked on twice. Urgent keys go first. What a key means is read when its turn comes, so the queue holds no data.
 */
export class WorkQueue {
  private readonly options: WorkQueueOptions;
  private readonly waiting = new Map<string, boolean>();
  private readonly urgent = new Set<string>();
  /** Waiting keys in the order of their adding; those that have gone meanwhile are passed over. */
  private recent: string[] = [];
  private youngestsTurn = false;
  private readonly active = new Set<string>();
  private readonly again = new Set<string>();
  private readonly failures = new Map<string, number>();
  private readonly delayed = new Map<string, AbortController>();
  private readonly stopping = new AbortController();
  private readonly idle = new Set<() => void>();
  private paused = true;

  constructor(options: WorkQueueOptions) {
    this.options = options;
  }

  /** Begins, or goes on after `pause`. */
  resume(): void {
    this.paused = false;
    this.pump();
  }

  /** Begins nothing new; keys stay. */
  pause(): void {
    this.paused = true;
  }

  /** Keys that wait or are worked on; those that wait for their time not counted. */
  get size(): number {
    return this.waiting.size + this.active.size;
  }

  add(key: string, urgent = false): void {
    if (this.stopping.signal.aborted) return;
    this.delayed.get(key)?.abort(LOOKED_AT);
    this.delayed.delete(key);
    if (this.active.has(key)) {
      this.again.add(key);
      return;
    }
    if (urgent) this.urgent.add(key);
    if (this.options.youngestToo && !this.waiting.has(key)) this.note(key);
    this.waiting.set(key, true);
    this.pump();
  }

  /** Forgets a key that is waiting. */
  drop(key: string): void {
    this.delayed.get(key)?.abort(LOOKED_AT);
    this.delayed.delete(key);
    this.waiting.delete(key);
    this.urgent.delete(key);
    this.again.delete(key);
    this.failures.delete(key);
    this.options.aside?.forget(key);
  }

  /** Resolves when what is being worked on is done; waiting keys are dropped. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.waiting.clear();
    this.urgent.clear();
    for (const d of this.delayed.values()) d.abort(LOOKED_AT);
    this.delayed.clear();
    if (this.active.size > 0) await new Promise<void>((resolve) => this.idle.add(resolve));
  }

  private pump(): void {
    while (!this.paused && !this.stopping.signal.aborted && this.active.size < this.options.concurrency) {
      const key = first(this.urgent) ?? this.next();
      if (key === undefined) return;
      this.urgent.delete(key);
      this.waiting.delete(key);
      this.active.add(key);
      void this.run(key);
    }
  }

  private next(): string | undefined {
    const youngest = this.youngestsTurn;
    this.youngestsTurn = this.options.youngestToo === true && !youngest;
    while (youngest && this.recent.length > 0) {
      const key = this.recent.pop()!;
      if (this.waiting.has(key)) return key;
    }
    return first(this.waiting.keys());
  }

  private note(key: string): void {
    if (this.recent.length > 2 * this.waiting.size + 100) this.recent = [...this.waiting.keys()];
    this.recent.push(key);
  }

  private async run(key: string): Promise<void> {
    let pause: number | undefined;
    try {
      const result = await this.options.work(key, this.stopping.signal);
      this.failures.delete(key);
      this.options.aside?.done(key);
      if (typeof result === 'number') pause = result;
    } catch (error) {
      if (!this.stopping.signal.aborted) {
        const failures = (this.failures.get(key) ?? 0) + 1;
        this.failures.set(key, failures);
        this.options.onError(key, error, failures);
        pause = 100 + backoffMs(failures, { baseMs: 200, capMs: 30_000 }, this.options.random);
        if (!this.options.isTrouble?.(error)) this.options.aside?.put(key, error, pause);
      }
    }
    this.active.delete(key);
    if (this.stopping.signal.aborted) {
      if (this.active.size === 0) for (const resolve of this.idle) resolve();
      return;
    }
    if (this.again.delete(key)) this.add(key);
    else if (pause !== undefined) this.later(key, pause);
    this.pump();
  }

  private later(key: string, ms: number): void {
    const controller = new AbortController();
    this.delayed.set(key, controller);
    void this.options.clock.sleep(ms, controller.signal).then(() => {
      if (this.delayed.get(key) !== controller || controller.signal.aborted) return;
      this.delayed.delete(key);
      this.add(key);
    });
  }
}

function first(keys: Iterable<string>): string | undefined {
  for (const key of keys) return key;
  return undefined;
}
