import { isTrouble } from '#libs/event-store';
import { backoffMs, type Random } from '#libs/runtime';
import { AsideItems, type AsideItem, type AsideItemsParts } from '#libs/observability';

interface SetAsideParts extends AsideItemsParts {
  readonly random: Random;
  /** What says nothing about an item, and ends the round; default: the database is away. */
  readonly isTrouble?: (error: unknown) => boolean;
}

const AGAIN = { baseMs: 1_000, capMs: 30_000 };

/**
 * Work on many items where one that fails does not end the round: it is set aside with its reason and tried again later, ever more seldom. What says
 * that the database is away says nothing about an item, and is thrown after all have been tried.
 */
export class SetAside<T> {
  private readonly parts: SetAsideParts;
  private readonly aside: AsideItems;
  private readonly items = new Map<string, T>();

  constructor(parts: SetAsideParts) {
    this.parts = parts;
    this.aside = new AsideItems(parts);
  }

  /** How many more to ask for, so that those that wait leave room for others. */
  get size(): number {
    return this.aside.size;
  }

  list(): readonly AsideItem[] {
    return this.aside.list();
  }

  /** Items whose time has come. */
  due(): readonly T[] {
    return [...this.items].filter(([key]) => !this.waits(key)).map(([, item]) => item);
  }

  /** Milliseconds until the next one is due; undefined when none is aside. */
  dueInMs(): number | undefined {
    if (this.items.size === 0) return undefined;
    const now = this.parts.clock.now();
    return Math.max(0, Math.min(...[...this.items.keys()].map((key) => (this.aside.dueAt(key) ?? now) - now)));
  }

  /** It failed a moment ago: its turn has not come yet. */
  waits(key: string): boolean {
    return (this.aside.dueAt(key) ?? -Infinity) > this.parts.clock.now();
  }

  /** It needs no work any more. */
  forget(key: string): void {
    this.items.delete(key);
    this.aside.forget(key);
  }

  /** An item that waits is not tried; it is kept as it is now. Answers those that were done. */
  async each(items: readonly T[], keyOf: (item: T) => string, work: (item: T) => Promise<void>): Promise<readonly T[]> {
    const isAway = this.parts.isTrouble ?? isTrouble;
    const done: T[] = [];
    let trouble: { readonly error: unknown } | undefined;
    await Promise.all(
      items.map(async (item) => {
        const key = keyOf(item);
        if (this.waits(key)) {
          this.items.set(key, item);
          return;
        }
        try {
          await work(item);
          this.items.delete(key);
          this.aside.done(key);
          done.push(item);
        } catch (error) {
          if (isAway(error)) {
            trouble ??= { error };
            return;
          }
          this.put(key, item, error);
        }
      }),
    );
    for (const key of this.aside.forgetOld()) this.items.delete(key);
    if (trouble) throw trouble.error;
    return done;
  }

  /** It failed elsewhere, and is to be tried again. */
  put(key: string, item: T, error: unknown): void {
    this.items.set(key, item);
    const failures = this.aside.failures(key) + 1;
    this.aside.put(key, error, AGAIN.baseMs + backoffMs(failures, AGAIN, this.parts.random));
  }
}
