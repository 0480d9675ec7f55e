import { digestOf, encodeCursor, type RecordedEvent } from '#libs/event-store';
import type { OutgoingMessage } from '#libs/messaging';
import { feedData } from '../container-groups/event-view.ts';
import { CLOUD_EVENT_HEADERS, sourceOf } from './cloud-event-form.ts';

/**
 * One event as CloudEvents 1.0 JSON (structured mode). The feed is at least once and in order for each `subject` (the stream); extensions:
 *
 * - `sequence` (with `sequencetype` Integer): the stream's version, by which a reader drops what it has;
 * - `cursor`: the place in the whole log, from which `GET /api/v1/events?after=` goes on;
 * - `digest`: SHA-256 (hex) of the event as it was read to be published, complete and not as shown here: evidence outside PostgreSQL;
 * - `recordedat`, `actor`, `causationid`, `partitionkey`, `traceparent`.
 */
export function cloudEvent(event: RecordedEvent, fleet: string): OutgoingMessage {
  const { decidedAt, actor, causationId, traceparent } = event.metadata;
  const body = {
    specversion: '1.0',
    id: event.eventId,
    source: sourceOf(fleet),
    type: `eci-fleet.container-group.${event.type}.v${event.schemaVersion}`,
    subject: event.streamId,
    time: decidedAt,
    datacontenttype: 'application/json',
    partitionkey: event.streamId,
    sequence: String(event.version),
    sequencetype: 'Integer',
    cursor: encodeCursor(event.cursor),
    recordedat: event.recordedAt,
    digest: digestOf(event.streamId, event.version, event).toString('hex'),
    actor,
    ...(causationId === undefined ? {} : { causationid: causationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
    data: feedData(event),
  };
  return {
    key: event.streamId,
    value: Buffer.from(JSON.stringify(body), 'utf8'),
    headers: CLOUD_EVENT_HEADERS,
  };
}
