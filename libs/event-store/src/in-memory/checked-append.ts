import { checkEvent, checkStream, invalidAppend, invalidEvent, timeOf } from '../append-checks.ts';
import { lastOfEach } from '../append-request.ts';
import type { EffectChange, JsonObject, NewEvent, StreamAppend, WrappedEventKey } from '../event-store.ts';
import { isStorable } from '../storable.ts';
import { frozenJson } from './frozen-json.ts';
import type { SealedRecord } from './tables.ts';

type Timer = NonNullable<StreamAppend['timers']>[number];

/** A stream's append as it will be stored: copied, frozen, each row named once. Nothing of it can fail any more. */
export interface CheckedStream {
  readonly streamId: string;
  readonly expected: number;
  readonly events: readonly NewEvent[];
  readonly effects: readonly EffectChange[];
  readonly timers: readonly (
    | { readonly op: 'put'; readonly name: string; readonly dueAt: number; readonly data: JsonObject }
    | Extract<Timer, { op: 'remove' }>
  )[];
  readonly parked:
    { readonly gate: string; readonly priority: number; readonly deadline: number | undefined } | null | undefined;
  readonly aliases: readonly string[];
  readonly sealed: SealedRecord | 'destroy' | undefined;
  readonly eventKey: WrappedEventKey | undefined;
  readonly claim: StreamAppend['claim'];
  readonly closed: boolean;
}

/** @throws InvalidAppend for what could never be stored, like the store on PostgreSQL. */
export function checkedAppend(streams: readonly StreamAppend[]): readonly CheckedStream[] {
  const seen = new Set<string>();
  return streams.map((stream) => {
    checkStream(stream, seen);
    try {
      return checkedStream(stream);
    } catch (error) {
      throw invalidAppend([stream], error);
    }
  });
}

function checkedStream(stream: StreamAppend): CheckedStream {
  const { streamId, expected, claim, closed, parked, sealed, eventKey } = stream;
  if (!namesOf(stream).every(isStorable)) throw new Error('a name that cannot be stored');
  const timers = stream.timers?.length ? [...new Map(stream.timers.map((t) => [t.name, t])).values()] : [];
  return {
    streamId,
    expected,
    events: stream.events.map((event, i) => checkedEvent(event, expected + i + 1)),
    effects: lastOfEach(stream.effects ?? []).map(checkedEffect),
    timers: timers.map((t) =>
      t.op === 'remove' ? t : { op: t.op, name: t.name, dueAt: timeOf(t.dueAt), data: frozenJson(t.data, false) },
    ),
    parked: parked && {
      gate: parked.gate,
      priority: parked.priority,
      deadline: parked.deadline === undefined ? undefined : timeOf(parked.deadline),
    },
    aliases: stream.aliases ?? [],
    sealed:
      sealed === undefined || sealed === 'destroy'
        ? sealed
        : {
            keyId: sealed.put.keyId,
            wrappedKey: Uint8Array.from(sealed.put.wrappedKey),
            sealed: Uint8Array.from(sealed.put.sealed),
          },
    eventKey: eventKey && { keyId: eventKey.keyId, wrappedKey: Uint8Array.from(eventKey.wrappedKey) },
    claim,
    closed: closed ?? false,
  };
}

function checkedEvent(event: NewEvent, version: number): NewEvent {
  try {
    checkEvent(event);
    return {
      eventId: event.eventId.toLowerCase(),
      type: event.type,
      schemaVersion: event.schemaVersion,
      data: frozenJson(event.data, true),
      metadata: frozenJson(event.metadata as unknown as JsonObject, true) as unknown as NewEvent['metadata'],
    };
  } catch (error) {
    throw invalidEvent(event, version, error);
  }
}

function checkedEffect(effect: EffectChange): EffectChange {
  if (effect.op === 'remove') return effect;
  return {
    ...effect,
    data: frozenJson(effect.data, false),
    ...(effect.sealed && { sealed: Uint8Array.from(effect.sealed) }),
  };
}

/** Every text of it outside JSON. */
function namesOf({
  streamId,
  events,
  effects = [],
  timers = [],
  parked,
  aliases = [],
  sealed,
  eventKey,
  claim,
}: StreamAppend): readonly string[] {
  const names = [streamId, ...events.map(({ type }) => type), ...timers.map(({ name }) => name), ...aliases];
  for (const effect of effects) {
    names.push(effect.kind, effect.key);
    if (effect.op === 'put') names.push(effect.lane, effect.tenant, effect.claim?.claimId ?? '');
  }
  if (parked) names.push(parked.gate);
  if (sealed && sealed !== 'destroy') names.push(sealed.put.keyId);
  if (eventKey) names.push(eventKey.keyId);
  if (claim) names.push(claim.kind, claim.key, claim.claimId);
  return names;
}
