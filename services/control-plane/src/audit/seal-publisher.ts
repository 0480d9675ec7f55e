import { topics } from '#libs/contracts';
import type { Messaging } from '#libs/messaging';
import type { LoopStep } from '#libs/runtime';
import { PUBLISH_TIMEOUT_MS } from '../publish/pod-status.ts';
import { sealMessage } from './seal-message.ts';
import type { SealStore } from './seal-store.ts';

/** Seals read at a time: each may hold 100 KB. */
const SEALS = 10;

/**
 * Tells the feed of every seal, in order, at least once. Only the process that seals publishes; one that was replaced in the middle may repeat
 * some, which readers drop by `sequence`.
 */
export class SealPublisher {
  private readonly parts;

  constructor(parts: {
    readonly store: SealStore;
    readonly messaging: Messaging;
    readonly fleet: string;
    readonly owner: string;
  }) {
    this.parts = parts;
  }

  async step(): Promise<LoopStep> {
    const { store, messaging, fleet, owner } = this.parts;
    const seals = await store.unpublished(owner, SEALS);
    for (const seal of seals) {
      await messaging.publish(topics(fleet).events, [sealMessage(seal)], PUBLISH_TIMEOUT_MS);
      // One by one, so that a broker that fails now and then cannot keep us at the same seal for ever.
      await store.notePublished(seal.sequence);
    }
    return seals.length === SEALS ? 'busy' : 'idle';
  }
}
