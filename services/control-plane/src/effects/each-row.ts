import { isTrouble, type EffectRow } from '#libs/event-store';
import type { AsideItems, Logger } from '#libs/observability';
import type { Releases } from './held-effect.ts';
import type { EffectMetrics } from './metrics.ts';

const GIVE_BACK = { baseMs: 1_000, capMs: 60_000 };

/**
 * Work on rows that were claimed together, where one that fails is given back alone, ever later, and holds none of the others up. When it is
 * tried again stands in the row, for whichever replica claims it then.
 */
export class EachRow {
  private readonly releases: Releases;
  private readonly aside: AsideItems;
  private readonly metrics: EffectMetrics;
  private readonly logger: Logger;

  constructor(parts: {
    readonly releases: Releases;
    readonly aside: AsideItems;
    readonly metrics: EffectMetrics;
    readonly logger: Logger;
  }) {
    this.releases = parts.releases;
    this.aside = parts.aside;
    this.metrics = parts.metrics;
    this.logger = parts.logger;
  }

  /** Side by side; each is `settled` when it is done with, or given back. */
  async all(
    rows: readonly EffectRow[],
    settled: (row: EffectRow) => void,
    work: (row: EffectRow) => Promise<void>,
  ): Promise<void> {
    await Promise.all(
      rows.map(async (row) => {
        await this.attempt(row, () => work(row));
        settled(row);
      }),
    );
  }

  /**
   * A step of the work on a row; one without a result was the last. Undefined: it failed, and was given back. `notSent`: nothing can have gone
   * out by then; default false.
   */
  async attempt<T>(
    row: EffectRow,
    work: () => Promise<T>,
    { notSent = false } = {},
  ): Promise<{ readonly result: T } | undefined> {
    try {
      const result = await work();
      if (result === undefined) this.ended(row);
      return { result };
    } catch (error) {
      await this.giveBack(row, error, { notSent });
      return undefined;
    }
  }

  /** The row has ended; what comes of it goes on in another. */
  ended(row: EffectRow): void {
    this.aside.done(nameOf(row));
  }

  /** It falls due again by itself; should even that fail, when its claim ends. */
  async giveBack(row: EffectRow, error: unknown, { notSent = false } = {}): Promise<void> {
    const { kind, streamId, attempts } = row;
    this.metrics.failed.inc({ kind });
    const afterMs = this.releases.pause(attempts, GIVE_BACK);
    if (isTrouble(error)) this.logger.error('could not finish an effect; trying again', { kind, streamId, error });
    else this.aside.put(nameOf(row), error, afterMs);
    await this.releases.release(row, { afterMs, notSent, refundToken: notSent }).catch(() => undefined);
  }
}

const nameOf = ({ streamId, kind, key }: EffectRow): string => `${streamId} ${kind}:${key}`;
