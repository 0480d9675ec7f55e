import {
  EventStore,
  InboxMoved,
  type AppendResult,
  type Cursor,
  type InboxMove,
  type RecordedEvent,
  type StreamAppend,
} from '#libs/event-store';
import type { Metrics } from '#libs/observability';

/** Counts what appends come to; changes nothing. */
export class MeasuredEventStore extends EventStore {
  private readonly inner: EventStore;
  private readonly streams;
  private readonly seconds;

  constructor(inner: EventStore, metrics: Metrics) {
    super();
    this.inner = inner;
    this.streams = metrics.counter(
      'eci_fleet_append_streams_total',
      'Streams appended to, by outcome: ok, conflict, claim-lost, inbox-moved',
      ['outcome'],
    );
    this.seconds = metrics.histogram('eci_fleet_append_seconds', 'How long appends take');
  }

  async append(streams: readonly StreamAppend[], inbox?: InboxMove): Promise<readonly AppendResult[]> {
    const done = this.seconds.startTimer();
    try {
      const results = await this.inner.append(streams, inbox);
      for (const result of results) this.streams.inc({ outcome: result.ok ? 'ok' : result.reason });
      return results;
    } catch (error) {
      if (error instanceof InboxMoved) this.streams.inc({ outcome: 'inbox-moved' });
      throw error;
    } finally {
      done();
    }
  }

  loadMany(streamIds: readonly string[]): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> {
    return this.inner.loadMany(streamIds);
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

  readEventKeys(streamIds: readonly string[]): ReturnType<EventStore['readEventKeys']> {
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
