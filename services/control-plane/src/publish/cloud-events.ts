import type { OutgoingMessage } from '#libs/messaging';
import type { RecordedEvent } from '#libs/event-store';
import { feedData } from '../container-groups/event-view.ts';

/**
 * One event as CloudEvents 1.0 JSON (structured mode). The feed is at least once; `sequence` is the stream's version, by which a reader drops
 * what it has. `streamid` and `sequence` are extensions.
 */
export function cloudEvent(event: RecordedEvent, fleet: string): OutgoingMessage {
  const body = {
    specversion: '1.0',
    id: event.eventId,
    source: `urn:eci-fleet:${fleet}`,
    type: `eci-fleet.container-group.${event.type}.v${event.schemaVersion}`,
    subject: event.streamId,
    time: event.metadata.decidedAt,
    datacontenttype: 'application/json',
    sequence: String(event.version),
    actor: event.metadata.actor,
    ...(event.metadata.causationId === undefined ? {} : { causationid: event.metadata.causationId }),
    ...(event.metadata.traceparent === undefined ? {} : { traceparent: event.metadata.traceparent }),
    data: feedData(event),
  };
  return {
    key: event.streamId,
    value: Buffer.from(JSON.stringify(body), 'utf8'),
    headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8' },
  };
}
