import { z } from 'zod';
import type { JsonObject, RecordedEvent } from '#libs/event-store';

export const EventView = z
  .object({
    id: z.string(),
    streamId: z.string(),
    version: z.number().int(),
    type: z.string(),
    /** When it was decided. */
    at: z.iso.datetime(),
    recordedAt: z.iso.datetime(),
    /** Who: `agent:<cluster>`, `control-plane:<role>`, `operator:<name>`. */
    actor: z.string(),
    /** The event, message or call that led to it. */
    cause: z.string().optional(),
    correlationId: z.string().optional(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' });
export type EventView = z.infer<typeof EventView>;

export function eventView(event: RecordedEvent, data: JsonObject): EventView {
  const { actor, decidedAt, causationId, correlationId } = event.metadata;
  return {
    id: event.eventId,
    streamId: event.streamId,
    version: event.version,
    type: event.type,
    at: decidedAt,
    recordedAt: event.recordedAt,
    actor,
    ...(causationId === undefined ? {} : { cause: causationId }),
    ...(correlationId === undefined ? {} : { correlationId }),
    data,
  };
}

/** Everything that was recorded but the digests of sealed values, which say nothing to a reader and need not travel. */
export function historyData(event: RecordedEvent): JsonObject {
  const { digests: _, ...data } = event.data;
  return data;
}

/** What goes to anyone who listens: without the pod itself, which is large and may hold what its owner would not tell the whole company. */
export function feedData(event: RecordedEvent): JsonObject {
  const { digests: _digests, clearPod: _clearPod, spec: _spec, ...data } = event.data;
  return data;
}
