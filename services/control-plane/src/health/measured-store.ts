import {
  EventStoreAround,
  InboxMoved,
  type AppendResult,
  type EventStore,
  type InboxMove,
  type StreamAppend,
} from '#libs/event-store';
import type { Metrics } from '#libs/observability';

/** Counts what appends come to; changes nothing. */
export class MeasuredEventStore extends EventStoreAround {
  private readonly streams;
  private readonly seconds;

  constructor(inner: EventStore, metrics: Metrics) {
    super(inner);
    this.streams = metrics.counter(
      'eci_fleet_append_streams_total',
      'Streams appended to, by outcome: ok, conflict, claim-lost, inbox-moved',
      ['outcome'],
    );
    this.seconds = metrics.histogram('eci_fleet_append_seconds', 'How long appends take');
  }

  override async append(streams: readonly StreamAppend[], inbox?: InboxMove): Promise<readonly AppendResult[]> {
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
}
