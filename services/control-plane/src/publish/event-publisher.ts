import { topics } from '#libs/contracts';
import { parseStreamId } from '#libs/domain';
import type { EventStore, RecordedEvent } from '#libs/event-store';
import type { Messaging, OutgoingMessage } from '#libs/messaging';
import type { Metrics } from '#libs/observability';
import { allEnded } from '#libs/runtime';
import { groupTimes } from '../container-groups/group-times.ts';
import { containerGroupStreams, domainEvent, stateOf } from '../streams/stored-events.ts';
import { cloudEvent } from './cloud-events.ts';
import { PUBLISH_TIMEOUT_MS, type PodStatusPublisher } from './pod-status.ts';
import type { Reachable } from './prepared-clusters.ts';

const MAX_BATCH_BYTES = 900_000;

/** Turns events into what the outside hears: pod statuses for agents, CloudEvents for everybody. At least once; the checkpoint moves after it. */
export class EventPublisher {
  private readonly store: EventStore;
  private readonly messaging: Messaging;
  private readonly statuses: PodStatusPublisher;
  private readonly reach: Reachable;
  private readonly fleet: string;
  private readonly intentToRunning;
  private readonly published;

  constructor(parts: {
    readonly store: EventStore;
    readonly messaging: Messaging;
    readonly statuses: PodStatusPublisher;
    /** Clusters that cannot be told are left out here, and the others are told. */
    readonly reach: Reachable;
    readonly fleet: string;
    readonly metrics: Metrics;
  }) {
    this.store = parts.store;
    this.messaging = parts.messaging;
    this.statuses = parts.statuses;
    this.reach = parts.reach;
    this.fleet = parts.fleet;
    this.intentToRunning = parts.metrics.histogram(
      'eci_fleet_intent_to_running_seconds',
      'From the first intent of a pod to the first time its container group was seen running',
      ['zone'],
      [1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800, 3600],
    );
    this.published = parts.metrics.counter('eci_fleet_events_published_total', 'Events handed to the feed');
  }

  async publish(events: readonly RecordedEvent[]): Promise<void> {
    const streams = await this.store.loadMany(containerGroupStreams(events));
    const ours = events.filter((event) => parseStreamId(event.streamId) !== undefined);
    // Side by side they share a request to the broker. Both are waited for, whichever fails: nothing of this round may be under way in the next.
    await allEnded([this.statuses.publishLoaded(streams, this.reach), this.tell(ours)]);
    this.published.inc(ours.length);
    this.measure(ours, streams);
  }

  /** One batch after the other: a later one that arrived before an earlier one would make readers drop the earlier by its `sequence`. */
  private async tell(events: readonly RecordedEvent[]): Promise<void> {
    for (const batch of batchesOf(events.map((event) => cloudEvent(event, this.fleet))))
      await this.messaging.publish(topics(this.fleet).events, batch, PUBLISH_TIMEOUT_MS);
  }

  private measure(events: readonly RecordedEvent[], streams: ReadonlyMap<string, readonly RecordedEvent[]>): void {
    for (const event of events) {
      if (domainEvent(event).type !== 'ContainersChanged') continue;
      const stream = streams.get(event.streamId) ?? [];
      const { runningAt } = groupTimes(stream.map(domainEvent));
      const first = stream[0];
      if (runningAt === undefined || first === undefined || Date.parse(event.metadata.decidedAt) !== runningAt)
        continue;
      const zone = stateOf(stream).group?.landed?.zone ?? 'unknown';
      this.intentToRunning.observe({ zone }, Math.max(0, (runningAt - Date.parse(first.metadata.decidedAt)) / 1000));
    }
  }
}

/** One request to a broker has a limit; order is kept. */
function batchesOf(messages: readonly OutgoingMessage[]): readonly (readonly OutgoingMessage[])[] {
  const batches: OutgoingMessage[][] = [];
  let bytes = Infinity;
  for (const message of messages) {
    const size = (message.value?.length ?? 0) + message.key.length + 200;
    if (bytes + size > MAX_BATCH_BYTES) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)?.push(message);
    bytes += size;
  }
  return batches;
}
