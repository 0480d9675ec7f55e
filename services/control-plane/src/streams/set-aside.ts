import { isTrouble } from '#libs/event-store';
import type { Logger } from '#libs/observability';
import { backoffMs, type Clock, type Random } from '#libs/runtime';

export interface SetAsideParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Told how many are aside, and of each failure. */
  readonly onAside: (failed: number, aside: number) => void;
}

interface Aside<T> {
  readonly item: T;
  readonly failures: number;
  readonly dueAt: number;
}

const AGAIN = { baseMs: 1_000, capMs: 30_000 };

/**
 * Work on many items where one that fails does not end the round: it is set aside with its reason and tried again later, ever more seldom. What says
 * that the database is away says nothing about an item, and is thrown after all have been tried.
 */
export class SetAside<T> {
  private readonly parts: SetAsideParts;
  private readonly aside = new Map<string, Aside<T>>();

  constructor(parts: SetAsideParts) {
    this.parts = parts;
  }

  /** Items whose time has come. */
  due(): readonly T[] {
    const now = this.parts.clock.now();
    return [...this.aside.values()].filter(({ dueAt }) => dueAt <= now).map(({ item }) => item);
  }

  /** An item that waits is not tried; it is kept as it is now. */
  async each(items: readonly T[], keyOf: (item: T) => string, work: (item: T) => Promise<void>): Promise<void> {
    const { clock, onAside } = this.parts;
    let failed = 0;
    let trouble: { readonly error: unknown } | undefined;
    await Promise.all(
      items.map(async (item) => {
        const key = keyOf(item);
        const waiting = this.aside.get(key);
        if (waiting && waiting.dueAt > clock.now()) {
          this.aside.set(key, { ...waiting, item });
          return;
        }
        try {
          await work(item);
          this.aside.delete(key);
        } catch (error) {
          if (isTrouble(error)) {
            trouble ??= { error };
            return;
          }
          failed += 1;
          this.put(key, item, (waiting?.failures ?? 0) + 1, error);
        }
      }),
    );
    onAside(failed, this.aside.size);
    if (trouble) throw trouble.error;
  }

  private put(key: string, item: T, failures: number, error: unknown): void {
    const { clock, random, logger } = this.parts;
    this.aside.set(key, { item, failures, dueAt: clock.now() + AGAIN.baseMs + backoffMs(failures, AGAIN, random) });
    logger.warn('an item is set aside, the others go on', { item: key, failures, error });
  }
}
