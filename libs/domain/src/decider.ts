import type { Gate } from './placement/gates.ts';
import type { UnknownEvent } from './unknown-event.ts';

/** No events = nothing to do: it was said before, or comes too late. `code` is for programs, `message` for people. */
export type Decision<Event> =
  | { readonly accepted: true; readonly events: readonly Event[] }
  | { readonly accepted: false; readonly code: string; readonly message: string };

/**
 * How one kind of stream decides, as a value of pure functions. Whoever runs it loads the stream, asks, and writes the events with all that follows
 * from them in one transaction; again when somebody else was faster.
 */
export interface Decider<State, Command, Event, Work extends string = string> {
  /** State of a stream that does not exist. */
  readonly initial: State;
  /** The same command twice changes nothing the second time. `at` is ISO 8601 UTC. */
  readonly decide: (command: Command, state: State, at: string) => Decision<Event>;
  /** Total: an event that does not fit changes nothing, an unknown one is noted. */
  readonly evolve: (state: State, event: Event | UnknownEvent) => State;
  /** `events` were decided on `before`. */
  readonly consequencesOf: (events: readonly Event[], before: State) => Consequences<Work>;
  /** A newer version of this software wrote to the stream: every command is refused, for nothing may be decided on half the facts. */
  readonly isUndecidable: (state: State) => boolean;
}

/** All that goes with the events of one decision. */
export interface Consequences<Work extends string = string> {
  readonly effects: readonly EffectChange<Work>[];
  readonly parking: readonly ParkingChange[];
  /** Groups by which later observations find this stream, and where they are. */
  readonly containerGroups: readonly GroupAt[];
  /** The stream's data key ends, and with it all that rests sealed beside the stream. */
  readonly destroySealed: boolean;
  /** The stream takes no new work. */
  readonly closed: boolean;
}

/** Of events that only tell. */
export const NO_CONSEQUENCES: Consequences<never> = {
  effects: [],
  parking: [],
  containerGroups: [],
  destroySealed: false,
  closed: false,
};

/** A row of work beside the stream. Its identity is (stream, kind, key), so that writing it twice is writing it once. */
export type EffectChange<Work extends string = string> =
  | {
      readonly op: 'put';
      readonly kind: Work;
      readonly key: string;
      /** Milliseconds from now until it is due. */
      readonly afterMs: number;
      readonly priority: number;
    }
  /** `unlessClaimed`: a row that a worker holds, or whose call may have gone out, stays. */
  | { readonly op: 'remove'; readonly kind: Work; readonly key: string; readonly unlessClaimed: boolean };

export type ParkingChange =
  { readonly op: 'park'; readonly gate: Gate; readonly priority: number } | { readonly op: 'unpark' };

interface GroupAt {
  readonly accountId: string;
  readonly region: string;
  readonly containerGroupId: string;
}
