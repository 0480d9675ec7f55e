import { isTrouble, type EffectQueue, type EffectRow } from '#libs/event-store';
import type { AsideItems, Logger } from '#libs/observability';
import { oneByOne } from '../streams/one-by-one.ts';
import { LEASE_MS, type Releases } from './held-effect.ts';
import type { EffectMetrics } from './metrics.ts';

const GIVE_BACK = { baseMs: 1_000, capMs: 60_000 };

/**
 * Work on rows that were claimed together, where one that fails is given back alone, ever later, and holds none of the others up. When it is
 * tried again stands in the row, for whichever replica claims it then.
 */
export class EachRow {
  private readonly queue: EffectQueue;
  private readonly releases: Releases;
  private readonly aside: AsideItems;
  private readonly metrics: EffectMetrics;
  private readonly logger: Logger;

  constructor(parts: {
    readonly queue: EffectQueue;
    readonly releases: Releases;
    readonly aside: AsideItems;
    readonly metrics: EffectMetrics;
    readonly logger: Logger;
  }) {
    this.queue = parts.queue;
    this.releases = parts.releases;
    this.aside = parts.aside;
    this.metrics = parts.metrics;
    this.logger = parts.logger;
  }

  /**
   * Loads what the work on rows begins with, for all of them at once; nothing has gone out by then. One for which that fails is given back, and
   * settled. Returns what was loaded for the others.
   */
  async load<Loaded>(
    rows: readonly EffectRow[],
    settled: (row: EffectRow) => void,
    load: (rows: readonly EffectRow[]) => Promise<readonly Loaded[]>,
  ): Promise<readonly Loaded[]> {
    const { answers, failed } = await oneByOne(rows, load);
    for (const [row, error] of failed) {
      await this.giveBack(row, error, { notSent: true });
      settled(row);
    }
    return answers.flat();
  }

  /** Checks the claims once more, just before sending; returns those that still hold. A row whose claim was lost is somebody else's, and settled. */
  async confirm(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<readonly EffectRow[]> {
    const confirmed = await this.load(rows, settled, async (some) => {
      const held = new Set((await this.queue.confirmClaims(some.map(claimed), LEASE_MS)).map(nameOf));
      return some.map((row) => ({ row, isHeld: held.has(nameOf(row)) }));
    });
    for (const { row, isHeld } of confirmed) {
      if (isHeld) continue;
      this.metrics.lostClaims.inc({ kind: row.kind });
      this.ended(row);
      settled(row);
    }
    return confirmed.flatMap(({ row, isHeld }) => (isHeld ? [row] : []));
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

const claimed = ({ streamId, kind, key, claimId }: EffectRow) => ({ streamId, kind, key, claimId });

const nameOf = ({ streamId, kind, key }: Pick<EffectRow, 'streamId' | 'kind' | 'key'>): string =>
  `${streamId} ${kind}:${key}`;
