import {
  EventStore,
  type AppendResult,
  type Cursor,
  type InboxMove,
  type KeptEventKey,
  type RecordedEvent,
  type StreamAppend,
} from './event-store.ts';

/** A store that does what the one inside does: whoever changes one verb overrides that one. */
export abstract class EventStoreAround extends EventStore {
  protected readonly inner: EventStore;

  constructor(inner: EventStore) {
    super();
    this.inner = inner;
  }

  loadMany(streamIds: readonly string[]): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> {
    return this.inner.loadMany(streamIds);
  }

  append(streams: readonly StreamAppend[], inbox?: InboxMove): Promise<readonly AppendResult[]> {
    return this.inner.append(streams, inbox);
  }

  readAll(after: Cursor, limit: number): Promise<{ readonly events: readonly RecordedEvent[]; readonly next: Cursor }> {
    return this.inner.readAll(after, limit);
  }

  findByAlias(aliases: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.inner.findByAlias(aliases);
  }

  readSealed(streamIds: readonly string[]): ReturnType<EventStore['readSealed']> {
    return this.inner.readSealed(streamIds);
  }

  readEventKeys(streamIds: readonly string[]): Promise<ReadonlyMap<string, KeptEventKey>> {
    return this.inner.readEventKeys(streamIds);
  }

  forgetEventKeys(closedBefore: number, most: number): Promise<number> {
    return this.inner.forgetEventKeys(closedBefore, most);
  }

  inboxOffset(group: string, topic: string, partition: number): Promise<{ epoch: number; offset: string } | undefined> {
    return this.inner.inboxOffset(group, topic, partition);
  }

  beginInboxEpoch(group: string, topic: string, partition: number, offset: string): Promise<number> {
    return this.inner.beginInboxEpoch(group, topic, partition, offset);
  }
}
