import { fold, initialState, type ContainerGroupEvent, type ContainerGroupState } from '#libs/domain';
import type { RecordedEvent } from '#libs/event-store';

/** The schema version of every event that this code writes and decides on. */
export const EVENT_SCHEMA_VERSION = 1;

/** State of a stream as it was loaded; a stream that does not exist has the initial state. `state.version` is the stream's version. */
export function stateOfStream(recorded: readonly RecordedEvent[] | undefined): ContainerGroupState {
  return recorded ? fold(recorded.map(eventOf)) : initialState;
}

/** A newer schema reads as an unknown type: folding notes it, and deciders then refuse. */
function eventOf(recorded: RecordedEvent): ContainerGroupEvent {
  const { type, schemaVersion, metadata, data } = recorded;
  const known = schemaVersion === EVENT_SCHEMA_VERSION;
  return {
    type: known ? type : `${type} (schema ${schemaVersion})`,
    at: metadata.decidedAt,
    data,
  } as unknown as ContainerGroupEvent;
}
