import type { EventStore } from '#libs/event-store';
import { OffsetStore } from '#libs/messaging';

/** Offsets of a consumer group in the event store: they move in the transaction that appends, so loading and beginning is all there is here. */
export class InboxOffsets extends OffsetStore {
  private readonly store: EventStore;
  private readonly group: string;

  constructor(store: EventStore, group: string) {
    super();
    this.store = store;
    this.group = group;
  }

  load(topic: string, partition: number): Promise<{ readonly epoch: number; readonly offset: string } | undefined> {
    return this.store.inboxOffset(this.group, topic, partition);
  }

  begin(topic: string, partition: number, offset: string): Promise<number> {
    return this.store.beginInboxEpoch(this.group, topic, partition, offset);
  }
}
