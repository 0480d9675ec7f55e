import { gateKey, type Decider } from '#libs/domain';
import type { EffectChange, EventMetadata, JsonObject, StreamAppend } from '#libs/event-store';
import { aliasOf } from './alias.ts';
import { EVENT_SCHEMA_VERSION } from './stored-events.ts';
import type { Happened, StreamKind, Versioned } from './stream-kind.ts';

/** The stream holds events of a newer version of this software: nothing may be decided on half the facts. */
export class UndecidableStream extends Error {
  override readonly name = 'UndecidableStream';
}

export interface Decided<State, Event> {
  readonly events: readonly Event[];
  readonly after: State;
  /** Commands that were refused, in words. */
  readonly refusals: readonly { readonly code: string; readonly message: string }[];
}

/** Applies commands one after another; each sees what the ones before it did. */
export function decideAll<State, Command, Event>(
  decider: Pick<Decider<State, Command, Event>, 'decide' | 'evolve' | 'isUndecidable'>,
  commands: readonly Command[],
  before: State,
  at: string,
): Decided<State, Event> {
  let after = before;
  const events: Event[] = [];
  const refusals: { code: string; message: string }[] = [];
  for (const command of commands) {
    const decision = decider.decide(command, after, at);
    if (decision.accepted) {
      events.push(...decision.events);
      after = decision.events.reduce(decider.evolve, after);
    } else if (decider.isUndecidable(after)) {
      throw new UndecidableStream(decision.message);
    } else {
      refusals.push({ code: decision.code, message: decision.message });
    }
  }
  return { events, after, refusals };
}

/** What goes with an append beside what follows from its events. */
export interface Beside {
  /** Last said, so they win over the same rows of the consequences. */
  readonly effects?: readonly EffectChange[];
  readonly claim?: NonNullable<StreamAppend['claim']>;
  readonly sealed?: Exclude<NonNullable<StreamAppend['sealed']>, 'destroy'>;
}

export interface Cause {
  /** Who caused it: `agent:<clusterId>`, `control-plane:<role>`, `operator:<name>`. */
  readonly actor: string;
  /** The message, call or work that led to it. Default: the effect that the claim is of. */
  readonly causationId?: string;
}

/**
 * One append with everything that follows from the events: effect rows in their lanes, parking, aliases, the end of the secrets. Pure but for
 * `newId`.
 */
export function planAppend<State extends Versioned, Event extends Happened, Work extends string>(plan: {
  readonly kind: StreamKind<State, never, Event, Work>;
  readonly streamId: string;
  readonly before: State;
  readonly events: readonly Event[];
  /** The state with these events. */
  readonly after: State;
  readonly cause: Cause;
  readonly beside?: Beside;
  readonly newId: () => string;
}): StreamAppend {
  const { kind, streamId, before, events, after, cause, beside = {}, newId } = plan;
  const consequences = kind.decider.consequencesOf(events, before);
  const tenant = kind.tenantOf(streamId);
  const follow = consequences.effects.map((change): EffectChange =>
    change.op === 'remove'
      ? change
      : { ...change, lane: kind.laneOf(change.kind, change.key, after), tenant, data: {} },
  );
  const effects = [...follow, ...(beside.effects ?? [])];
  const parking = consequences.parking.at(-1);
  const sealed = consequences.destroySealed ? 'destroy' : beside.sealed;
  const causationId = cause.causationId ?? (beside.claim && `effect:${beside.claim.kind}/${beside.claim.key}`);
  const metadata = (at: string): EventMetadata => ({
    actor: cause.actor,
    ...(causationId !== undefined && { causationId }),
    decidedAt: at,
  });
  return {
    streamId,
    expected: before.version,
    events: events.map((event) => ({
      eventId: newId(),
      type: event.type,
      schemaVersion: EVENT_SCHEMA_VERSION,
      data: event.data as JsonObject,
      metadata: metadata(event.at),
    })),
    ...(effects.length > 0 && { effects }),
    ...(parking && {
      parked: parking.op === 'park' ? { gate: gateKey(parking.gate), priority: parking.priority } : null,
    }),
    ...(consequences.containerGroups.length > 0 && {
      aliases: consequences.containerGroups.map((at) => aliasOf(at.accountId, at.region, at.containerGroupId)),
    }),
    ...(sealed && { sealed }),
    ...(beside.claim && { claim: beside.claim }),
    ...(consequences.closed && { closed: true }),
  };
}

/** An append that would change nothing. */
export function changesNothing(append: StreamAppend): boolean {
  return (
    append.events.length === 0 && !append.effects && !append.claim && !append.sealed && append.parked === undefined
  );
}
