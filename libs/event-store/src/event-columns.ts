import type { EventMetadata, JsonObject, RecordedEvent } from './event-store.ts';

export interface EventColumns {
  readonly generation: number;
  readonly transaction_id: string;
  readonly position: string;
  readonly recorded_at: Date;
  readonly stream_id: string;
  readonly version: string;
  readonly event_id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly data: JsonObject;
  readonly metadata: EventMetadata;
}

/** Of a relation `e` with the columns of `es.event`. */
export const EVENT_COLUMNS = `(select generation from es.log) as generation, e.transaction_id::text as transaction_id, e.position, e.recorded_at, e.stream_id,
  e.version, e.event_id, e.type, e.schema_version, e.data, e.metadata`;

export function toEvent(row: EventColumns): RecordedEvent {
  return {
    streamId: row.stream_id,
    version: Number(row.version),
    cursor: { generation: row.generation, transactionId: row.transaction_id, position: row.position },
    recordedAt: row.recorded_at.toISOString(),
    eventId: row.event_id,
    type: row.type,
    schemaVersion: row.schema_version,
    data: frozen(row.data),
    metadata: frozen(row.metadata),
  };
}

/** Events that were read are shared by their readers. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const inside of Object.values(value)) frozen(inside);
  return Object.freeze(value);
}
