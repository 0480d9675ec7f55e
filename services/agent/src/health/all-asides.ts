import { AsideItems, type AsideItem, type Logger, type Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';

/** Items of one answer. */
const MOST = 50;

/** What is set aside, of all loops. */
export class AllAsides {
  private readonly parts: { readonly clock: Clock; readonly logger: Logger; readonly metrics: Metrics };
  private readonly loops: AsideItems[] = [];

  constructor(parts: { readonly clock: Clock; readonly logger: Logger; readonly metrics: Metrics }) {
    this.parts = parts;
  }

  /** For one more loop. */
  of(loop: string): AsideItems {
    const items = new AsideItems({ loop, ...this.parts });
    this.loops.push(items);
    return items;
  }

  /** The longest first; at most 50. */
  list(): readonly AsideItem[] {
    return this.loops
      .flatMap((items) => items.list())
      .sort((a, b) => a.since.localeCompare(b.since))
      .slice(0, MOST);
  }
}
