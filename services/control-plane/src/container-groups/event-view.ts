import { z } from 'zod';
import type { JsonObject, RecordedEvent } from '#libs/event-store';
import { HiddenView } from '../keys/display-keys.ts';
import { canHide, HIDING_SCHEMA_VERSION, readableData } from '../streams/hidden-texts.ts';

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
    /** Of an event that has texts which are not kept for ever. */
    hidden: HiddenView.optional(),
  })
  .meta({ id: 'Event' });
export type EventView = z.infer<typeof EventView>;

export function eventView(event: RecordedEvent, data: JsonObject, hidden: HiddenView = { shown: false }): EventView {
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
    ...(hides(event) && { hidden }),
  };
}

/** It was written with parts that are not kept for ever. */
export const hides = ({ type, schemaVersion }: RecordedEvent): boolean =>
  schemaVersion === HIDING_SCHEMA_VERSION && canHide(type);

/**
 * Everything that was recorded but the digests of sealed values, which say nothing to a reader and need not travel; and what is hidden, while it is
 * to be shown.
 */
export function historyData(event: RecordedEvent, { shown }: HiddenView): JsonObject {
  const { digests: _digests, hidden: _hidden, ...data } = hides(event) && !shown ? readableData(event) : event.data;
  return data;
}

/**
 * What goes to anyone who listens: without the pod itself, which is large, and without anything that is not readable for ever, which its owner would
 * not tell the whole company, in whichever version it was written.
 */
export function feedData(event: RecordedEvent): JsonObject {
  const { digests: _digests, clearPod: _clearPod, spec: _spec, ...data } = readableData(event);
  return data;
}
