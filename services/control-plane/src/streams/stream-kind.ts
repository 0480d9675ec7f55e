import type { Decider, UnknownEvent } from '#libs/domain';
import type { Fact } from './stored-events.ts';

/** A kind of stream: how it decides, how its events are read, and where its work waits. */
export interface StreamKind<State, Command, Event, Work extends string = string> {
  readonly decider: Decider<State, Command, Event, Work>;
  /** A stored event as the decider reads it. */
  readonly read: (fact: Fact) => Event | UnknownEvent;
  /** Lane of a row of work; `after` = the state that it follows from. */
  readonly laneOf: (kind: Work, key: string, after: State) => string;
  /** Among whom the lane's turns are shared. */
  readonly tenantOf: (streamId: string) => string;
}

/** A kind of stream that only tells: nothing is done for it, so that no row waits in any lane. */
export const withoutWork = <State, Command, Event>(
  decider: Decider<State, Command, Event, never>,
  read: (fact: Fact) => Event | UnknownEvent,
): StreamKind<State, Command, Event, never> => ({ decider, read, laneOf: () => '', tenantOf: () => '' });

/** What every state tells: how many events it was made of, which is its stream's version. */
export interface Versioned {
  readonly version: number;
}

/** What every event tells. `at`: when it was decided, ISO 8601 UTC. */
export interface Happened {
  readonly type: string;
  readonly at: string;
  readonly data: object;
}
