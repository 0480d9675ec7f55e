import {
  fold,
  initialState,
  parseStreamId,
  type ContainerGroupEvent,
  type ContainerGroupState,
  type OrphanEvent,
} from '#libs/domain';
import type { JsonObject } from '#libs/event-store';
import { canHide, HIDING_SCHEMA_VERSION } from './hidden-texts.ts';

/** The schema version of every event as it is decided; the store that hides parts of one makes it {@link HIDING_SCHEMA_VERSION}. */
export const EVENT_SCHEMA_VERSION = 1;

/** What a fold needs of a stored event. */
export interface Fact {
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: JsonObject;
  readonly metadata: { readonly decidedAt: string };
}

/**
 * The one way from a stored event to the domain's. Neither an unknown type nor a known one in a schema of another version is looked into: both read
 * as an event of an unknown type, which folds note and deciders refuse.
 */
function read({ type, schemaVersion, data, metadata }: Fact): { type: string; at: string; data: JsonObject } {
  const at = metadata.decidedAt;
  if (schemaVersion === EVENT_SCHEMA_VERSION) return { type, at, data };
  if (schemaVersion !== HIDING_SCHEMA_VERSION || !canHide(type))
    return { type: `${type} (schema ${schemaVersion})`, at, data };
  const { hidden: _, ...readable } = data;
  return { type, at, data: readable };
}

/** A stored event of a container group as the domain reads it. */
export const domainEvent = (fact: Fact): ContainerGroupEvent => read(fact) as unknown as ContainerGroupEvent;

/** A stored event of an orphan as the domain reads it. */
export const orphanEvent = (fact: Fact): OrphanEvent => read(fact) as unknown as OrphanEvent;

/**
 * State of one stream of a container group; `recorded` = all of its events, in order. A stream that does not exist has the initial state.
 * `state.version` is the stream's version.
 */
export function stateOf(recorded: readonly Fact[] | undefined): ContainerGroupState {
  return recorded ? fold(recorded.map(domainEvent)) : initialState;
}

/** Ids of the container group streams among these events, each once, in order of first appearance. */
export function containerGroupStreams(events: readonly { readonly streamId: string }[]): readonly string[] {
  return [...new Set(events.map((event) => event.streamId))].filter((id) => parseStreamId(id) !== undefined);
}
