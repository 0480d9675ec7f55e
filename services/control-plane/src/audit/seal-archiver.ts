import type { AsideItem, Logger, Metrics } from '#libs/observability';
import type { Clock, LoopStep } from '#libs/runtime';
import { ArchiveDiffers, type SealArchive } from './seal-archive.ts';
import type { SealStore } from './seal-store.ts';

/** Seals read at a time: each may hold 100 KB. */
const SEALS = 10;

/**
 * Keeps every seal in the archive, in order. Where it stands is what the archive holds, so a crash between the two loses nothing; the newest one is
 * looked at again at each start. Only the process that seals does so. What differs stays as it is, and is said until somebody has looked into it.
 */
export class SealArchiver {
  private readonly parts;
  private readonly differs;
  /** The last one that we know to be kept. */
  private kept: number | undefined;
  private trouble: (Pick<AsideItem, 'item' | 'reason' | 'since'> & { failures: number }) | undefined;

  constructor(parts: {
    readonly store: Pick<SealStore, 'sealsFrom'>;
    readonly archive: SealArchive;
    readonly owner: string;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    this.parts = parts;
    this.differs = parts.metrics.gauge(
      'eci_fleet_audit_archive_differs',
      '1 while a seal that is kept outside of PostgreSQL is another than the one in PostgreSQL',
    );
    this.differs.set(0);
  }

  async step(): Promise<LoopStep> {
    try {
      const result = await this.round();
      this.trouble = undefined;
      this.differs.set(0);
      return result;
    } catch (error) {
      if (error instanceof ArchiveDiffers) this.note(error);
      throw error;
    }
  }

  setAside(): readonly AsideItem[] {
    return this.trouble ? [{ loop: 'audit-archive', ...this.trouble }] : [];
  }

  private async round(): Promise<LoopStep> {
    const { store, archive, owner } = this.parts;
    const kept = this.kept ?? (await archive.newest())?.sequence ?? 0;
    const isKnown = this.kept !== undefined;
    const seals = await store.sealsFrom(owner, isKnown ? kept + 1 : Math.max(kept, 1), SEALS);
    if (!seals) {
      // Another process seals now, and it archives, too. When it is our turn again, we look at the archive first.
      this.kept = undefined;
      return 'idle';
    }
    if (!isKnown && kept > 0 && seals[0]?.sequence !== kept)
      throw new ArchiveDiffers(kept, `seal ${kept} is kept outside of PostgreSQL, and PostgreSQL does not have it`);
    for (const seal of seals) {
      await archive.keep(seal);
      this.kept = seal.sequence;
    }
    return seals.length === SEALS ? 'busy' : 'idle';
  }

  private note({ sequence, message }: ArchiveDiffers): void {
    const { clock, logger } = this.parts;
    this.differs.set(1);
    const since = this.trouble?.since ?? new Date(clock.now()).toISOString();
    if (!this.trouble) logger.error('a seal that is kept outside of PostgreSQL differs', { sequence, reason: message });
    this.trouble = {
      item: `seal ${sequence}`,
      reason: message.slice(0, 200),
      since,
      failures: (this.trouble?.failures ?? 0) + 1,
    };
  }
}
