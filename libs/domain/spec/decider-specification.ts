import { expect } from 'vitest';
import type { Consequences, Decider, Decision } from '../src/decider.ts';
import type { UnknownEvent } from '../src/unknown-event.ts';

/** When everything in a specification happens, unless it says otherwise. */
export const AT = '2026-01-01T00:00:00.000Z';

interface Happened {
  readonly type: string;
  readonly at: string;
}

/** An event as it is told in a specification: when it happened is said by the step. */
type Told<Event extends Happened> = Event extends unknown ? Omit<Event, 'at'> : never;

/** What a command did. */
interface Step<State, Event extends Happened, Work extends string> {
  readonly decision: Decision<Event>;
  readonly events: readonly Event[];
  readonly after: State;
  readonly consequences: Consequences<Work>;
  /** Exactly these events, whole. */
  then(...events: readonly Told<Event>[]): this;
  thenNothing(): this;
  refused(code: string): this;
}

interface Given<State, Command, Event extends Happened, Work extends string> {
  readonly state: State;
  when(command: Command, at?: string): Step<State, Event, Work>;
}

/** `given(…events).when(command).then(…events)` of one decider; events are compared whole. */
export function specificationOf<State, Command, Event extends Happened, Work extends string>(
  decider: Decider<State, Command, Event, Work>,
): (...events: readonly Told<Event | UnknownEvent>[]) => Given<State, Command, Event, Work> {
  const stamped = <E extends Happened>(events: readonly Told<E>[], at: string): E[] =>
    events.map((event) => ({ ...event, at }) as unknown as E);
  return (...given) => {
    const state = stamped<Event | UnknownEvent>(given, AT).reduce(decider.evolve, decider.initial);
    return {
      state,
      when(command, at = AT) {
        const decision = decider.decide(command, state, at);
        const events = decision.accepted ? decision.events : [];
        const step: Step<State, Event, Work> = {
          decision,
          events,
          after: events.reduce(decider.evolve, state),
          consequences: decider.consequencesOf(events, state),
          then(...expected) {
            expect(decision).toEqual({ accepted: true, events: stamped<Event>(expected, at) });
            return step;
          },
          thenNothing: () => step.then(),
          refused(code) {
            expect(decision).toMatchObject({ accepted: false, code });
            return step;
          },
        };
        return step;
      },
    };
  };
}
