import { describeError } from './describe-error.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** One item that fails while its neighbours go on. */
export interface AsideItem {
  /** The loop that works on it. */
  readonly loop: string;
  /** Stream, place, cluster, chore: whatever the loop works on. */
  readonly item: string;
  /** Of its last failure, at most 200 characters. */
  readonly reason: string;
  /** Of its first failure, ISO 8601. */
  readonly since: string;
  /** In a row. */
  readonly failures: number;
}

export interface AsideItemsParts {
  /** Name of the loop; a label of the metrics, so from a small set. */
  readonly loop: string;
  /** Epoch milliseconds. */
  readonly clock: { now(): number };
  readonly logger: Logger;
  readonly metrics: Metrics;
}

interface Kept {
  readonly since: number;
  readonly failures: number;
  readonly reason: string;
  readonly saidAt: number;
  readonly dueAt: number;
}

const SAY_EVERY_MS = 60_000;
/** An item that was due so long ago is somebody else's by now, or is not there any more. */
const FORGET_AFTER_MS = 900_000;
const REASON = 200;

/**
 * Which items a loop has set aside, and why: counted, said at once and then once a minute, and told to whoever asks. When an item is tried
 * again is the loop's own affair, in memory or in its rows.
 */
export class AsideItems {
  private readonly parts: AsideItemsParts;
  private readonly items = new Map<string, Kept>();
  private readonly failed;
  private readonly aside;

  constructor(parts: AsideItemsParts) {
    this.parts = parts;
    const { loop, metrics } = parts;
    this.failed = metrics.counter('eci_fleet_set_aside_total', 'Items that failed and were set aside', ['loop']);
    this.aside = metrics.gauge('eci_fleet_aside', 'Items that are set aside now, while the others go on', ['loop']);
    this.aside.set({ loop }, 0);
  }

  get size(): number {
    return this.items.size;
  }

  /** Failures in a row; 0 = it is not set aside. */
  failures(item: string): number {
    return this.items.get(item)?.failures ?? 0;
  }

  /** Epoch milliseconds; undefined = it is not set aside. */
  dueAt(item: string): number | undefined {
    return this.items.get(item)?.dueAt;
  }

  /** It is tried again in `againMs` milliseconds. */
  put(item: string, error: unknown, againMs: number): void {
    const { loop, clock, logger } = this.parts;
    const now = clock.now();
    const before = this.items.get(item);
    const failures = (before?.failures ?? 0) + 1;
    const since = before?.since ?? now;
    const isSaid = now - (before?.saidAt ?? -Infinity) < SAY_EVERY_MS;
    if (!isSaid) logger.warn('an item is set aside, the others go on', { loop, item, failures, error });
    const saidAt = isSaid ? (before?.saidAt ?? now) : now;
    const reason = describeError(error).message.slice(0, REASON);
    this.items.set(item, { since, failures, reason, saidAt, dueAt: now + againMs });
    this.failed.inc({ loop });
    this.count();
  }

  /** It worked. */
  done(item: string): void {
    const kept = this.items.get(item);
    if (!kept) return;
    const { loop, logger } = this.parts;
    logger.info('an item that was set aside works again', { loop, item, failures: kept.failures });
    this.forget(item);
  }

  /** It is nobody's concern any more. */
  forget(item: string): void {
    if (this.items.delete(item)) this.count();
  }

  /** The longest first. */
  list(): readonly AsideItem[] {
    this.forgetOld();
    const { loop } = this.parts;
    return [...this.items].map(([item, { since, reason, failures }]) => ({
      loop,
      item,
      reason,
      since: new Date(since).toISOString(),
      failures,
    }));
  }

  /** Takes out what nobody tried when its time had come; returns it. */
  forgetOld(): readonly string[] {
    const now = this.parts.clock.now();
    const old = [...this.items].filter(([, { dueAt }]) => now - dueAt > FORGET_AFTER_MS).map(([item]) => item);
    for (const item of old) this.items.delete(item);
    if (old.length > 0) this.count();
    return old;
  }

  private count(): void {
    this.aside.set({ loop: this.parts.loop }, this.items.size);
  }
}
