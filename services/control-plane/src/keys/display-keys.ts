import { z } from 'zod';
import type { EventStore } from '#libs/event-store';
import type { Clock } from '#libs/runtime';

/** What becomes of texts that are not kept for ever. */
export const HiddenView = z
  .object({
    /** They are in this answer. False: what is hidden is missing, or an empty text. */
    shown: z.boolean(),
    /** Once the pod is gone: when they are erased. */
    until: z.iso.datetime().optional(),
    /** When they were erased, for good. */
    erasedAt: z.iso.datetime().optional(),
  })
  .meta({ id: 'Hidden' });
export type HiddenView = z.infer<typeof HiddenView>;

/** Keys that are erased in one statement: a round of an hour goes on until none is due. */
const BATCH = 5_000;

/** How long what is hidden of a stream can be shown: until its pod is gone, and for the retention after that. */
export class DisplayKeys {
  private readonly store: EventStore;
  private readonly retentionMs: number;
  private readonly clock: Clock;

  constructor(parts: { readonly store: EventStore; readonly retentionMs: number; readonly clock: Clock }) {
    this.store = parts.store;
    this.retentionMs = parts.retentionMs;
    this.clock = parts.clock;
  }

  /** What can be said of a stream that hides something. */
  async of(streamId: string): Promise<HiddenView> {
    const kept = (await this.store.readEventKeys([streamId])).get(streamId);
    if (kept?.key === undefined) return { shown: false, ...(kept?.forgottenAt && { erasedAt: kept.forgottenAt }) };
    if (kept.closedAt === undefined) return { shown: true };
    return { shown: true, until: new Date(Date.parse(kept.closedAt) + this.retentionMs).toISOString() };
  }

  /** Erases the keys whose time is over; returns how many. */
  async eraseDue(): Promise<number> {
    const closedBefore = this.clock.now() - this.retentionMs;
    for (let erased = 0; ;) {
      const some = await this.store.forgetEventKeys(closedBefore, BATCH);
      erased += some;
      if (some < BATCH) return erased;
    }
  }
}
