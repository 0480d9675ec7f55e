import { InvalidAppend, checkEvent, checkStream } from '../append-checks.ts';
import { lastOfEach } from '../append-request.ts';
import type { EffectChange, JsonObject, NewEvent, StreamAppend } from '../event-store.ts';
import { CharacterZero, frozenJson } from './frozen-json.ts';
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
      if (error instanceof InvalidAppend) throw error;
      throw new InvalidAppend(`append to ${stream.streamId.replaceAll('\0', '\\0')}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  });
}

function checkedStream(stream: StreamAppend): CheckedStream {
  const { streamId, expected, claim, closed, parked, sealed } = stream;
  refuseZero(streamId);
  const timers = stream.timers?.length ? [...new Map(stream.timers.map((t) => [t.name, t])).values()] : [];
  return {
    streamId,
    expected,
    events: stream.events.map((event, i) => checkedEvent(event, streamId, expected + i + 1)),
    effects: lastOfEach(stream.effects ?? []).map(checkedEffect),
    timers: timers.map((t) =>
      t.op === 'remove' ? t : { op: t.op, name: t.name, dueAt: time(t.dueAt), data: frozenJson(t.data, false) },
    ),
    parked: parked && {
      gate: parked.gate,
      priority: parked.priority,
      deadline: parked.deadline === undefined ? undefined : time(parked.deadline),
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
    claim,
    closed: closed ?? false,
  };
}

function checkedEvent(event: NewEvent, streamId: string, version: number): NewEvent {
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
    if (error instanceof CharacterZero) throw error;
    throw new InvalidAppend(
      `append to ${streamId}: ${event.type} (version ${version}) cannot be stored: ${(error as Error).message}`,
      { cause: error },
    );
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

function time(text: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new Error(`${JSON.stringify(text)} is not a time`);
  return at;
}

function refuseZero(text: string): void {
  if (text.includes('\0')) throw new CharacterZero('the character U+0000 cannot be stored');
}
