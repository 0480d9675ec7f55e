import {
  ACCOUNT_EVENTS,
  CLUSTER_EVENTS,
  CONTAINER_GROUP_EVENTS,
  ORPHAN_EVENTS,
  readEvent,
  type EventTypes,
} from '#libs/contracts';
import {
  fold,
  initialState,
  parseStreamId,
  type ContainerGroupState,
  type StoredAccountEvent,
  type StoredClusterEvent,
  type StoredContainerGroupEvent,
  type StoredOrphanEvent,
  type UnknownEvent,
} from '#libs/domain';
import type { JsonObject } from '#libs/event-store';

/** The schema version of every event as it is decided; the store that hides parts of one makes it HIDING_SCHEMA_VERSION. */
export const EVENT_SCHEMA_VERSION = 1;

/** What a fold needs of a stored event. */
export interface Fact {
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: JsonObject;
  readonly metadata: { readonly decidedAt: string };
}

/** A stored event is not what its version must be: nothing can be made of its stream. Holds a place in the event, and no value. */
export class UnreadableEvent extends Error {
  override readonly name = 'UnreadableEvent';

  constructor(type: string, schemaVersion: number, at: string, why: string) {
    super(`an event ${type} (schema ${schemaVersion}) cannot be read: ${why} at ${at || '/'}`);
  }
}

/** A stored event of a container group as the domain reads it. Throws {@link UnreadableEvent}. */
export const domainEvent = readerOf<StoredContainerGroupEvent>(CONTAINER_GROUP_EVENTS);

/** A stored event of an orphan as the domain reads it. Throws {@link UnreadableEvent}. */
export const orphanEvent = readerOf<StoredOrphanEvent>(ORPHAN_EVENTS);

/** A stored event of a cloud account as the domain reads it. Throws {@link UnreadableEvent}. */
export const accountEvent = readerOf<StoredAccountEvent>(ACCOUNT_EVENTS);

/** A stored event of a cluster as the domain reads it. Throws {@link UnreadableEvent}. */
export const clusterEvent = readerOf<StoredClusterEvent>(CLUSTER_EVENTS);

/**
 * State of one stream of a container group; `recorded` = all of its events, in order. A stream that does not exist has the initial state.
 * `state.version` is the stream's version. Throws {@link UnreadableEvent}.
 */
export function stateOf(recorded: readonly Fact[] | undefined): ContainerGroupState {
  return recorded ? fold(recorded.map(domainEvent)) : initialState;
}

/** Ids of the container group streams among these events, each once, in order of first appearance. */
export function containerGroupStreams(events: readonly { readonly streamId: string }[]): readonly string[] {
  return [...new Set(events.map((event) => event.streamId))].filter((id) => parseStreamId(id) !== undefined);
}

/**
 * The one way from a stored event to the domain's: brought forward to its newest version, checked, and without what is sealed in it. One that is
 * newer than this code is not looked into, and is an event of its own, which folds note and deciders refuse.
 */
function readerOf<Event>(types: EventTypes): (fact: Fact) => Event | UnknownEvent {
  return (fact) => {
    const { type, schemaVersion } = fact;
    const at = fact.metadata.decidedAt;
    const result = readEvent(types, fact);
    if (result.kind === 'unknown') return { type: 'Unknown', at, was: result.was };
    if (result.kind === 'broken') throw new UnreadableEvent(type, schemaVersion, result.at, result.why);
    return { type, at, data: withoutHidden(result.data) } as unknown as Event;
  };
}

/** What is sealed of it is for no reader; what was opened stands in its place already. */
function withoutHidden(data: JsonObject): JsonObject {
  if (!Object.hasOwn(data, 'hidden')) return data;
  const { hidden: _, ...readable } = data;
  return readable;
}
