import { fold, parseStreamId, type ContainerGroupEvent, type ContainerGroupState } from '#libs/domain';
import type { RecordedEvent } from '#libs/event-store';

/** A stored event as the domain reads it. Unknown types pass through: folding notes them, deciders then refuse. */
export function domainEvent(recorded: RecordedEvent): ContainerGroupEvent {
  return {
    type: recorded.type,
    at: recorded.metadata.decidedAt,
    data: recorded.data,
  } as unknown as ContainerGroupEvent;
}

/** State of one stream; `recorded` = all of its events, in order. */
export function stateOf(recorded: readonly RecordedEvent[]): ContainerGroupState {
  return fold(recorded.map(domainEvent));
}

/** Ids of the container group streams among these events, each once, in order of first appearance. */
export function containerGroupStreams(events: readonly RecordedEvent[]): readonly string[] {
  return [...new Set(events.map((event) => event.streamId))].filter((id) => parseStreamId(id) !== undefined);
}
