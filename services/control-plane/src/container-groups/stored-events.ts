import { fold, parseStreamId, type ContainerGroupEvent, type ContainerGroupState } from '#libs/domain';
import type { JsonObject } from '#libs/event-store';

/** What a fold needs of a stored event. */
export interface Fact {
  readonly type: string;
  readonly data: JsonObject;
  readonly metadata: { readonly decidedAt: string };
}

/** A stored event as the domain reads it. Unknown types pass through: folding notes them, deciders then refuse. */
export function domainEvent({ type, data, metadata }: Fact): ContainerGroupEvent {
  return { type, at: metadata.decidedAt, data } as unknown as ContainerGroupEvent;
}

/** State of one stream; `recorded` = all of its events, in order. */
export function stateOf(recorded: readonly Fact[]): ContainerGroupState {
  return fold(recorded.map(domainEvent));
}

/** Ids of the container group streams among these events, each once, in order of first appearance. */
export function containerGroupStreams(events: readonly { readonly streamId: string }[]): readonly string[] {
  return [...new Set(events.map((event) => event.streamId))].filter((id) => parseStreamId(id) !== undefined);
}
