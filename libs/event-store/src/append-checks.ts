import type { NewEvent, StreamAppend } from './event-store.ts';
import { DEEPEST, isShallow, isStorableJson } from './storable.ts';

/** The caller asked for something that could never be stored. Nothing was written. */
export class InvalidAppend extends Error {
  override readonly name = 'InvalidAppend';
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** `seen`: the streams of this append so far. @throws InvalidAppend. */
export function checkStream({ streamId, expected }: StreamAppend, seen: Set<string>): void {
  if (seen.has(streamId))
    throw new InvalidAppend(`append names ${nameOf(streamId)} twice: put its events into one entry`);
  seen.add(streamId);
  if (!Number.isSafeInteger(expected) || expected < 0) {
    throw new InvalidAppend(
      `append to ${nameOf(streamId)}: expected version must be a whole number from 0, not ${expected}`,
    );
  }
}

/** @throws Error saying what of the event's own fields cannot be stored; its JSON is looked at when it is written. */
export function checkEvent({ eventId, schemaVersion }: NewEvent): void {
  if (!UUID.test(eventId)) throw new Error(`event id ${JSON.stringify(eventId)} is not a UUID`);
  if (!Number.isInteger(schemaVersion) || schemaVersion < 1 || schemaVersion > 32_767) {
    throw new Error(`schema version ${schemaVersion} is not a number from 1 to 32767`);
  }
}

/** Milliseconds. @throws Error when it is no time. */
export function timeOf(text: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new Error(`${JSON.stringify(text)} is not a time`);
  return at;
}

/** @throws InvalidAppend for a time beside the stream that is none. */
export function checkTimes(stream: StreamAppend): void {
  try {
    for (const timer of stream.timers ?? []) if (timer.op === 'put') timeOf(timer.dueAt);
    if (stream.parked?.deadline !== undefined) timeOf(stream.parked.deadline);
  } catch (error) {
    throw invalidAppend([stream], error);
  }
}

export const invalidEvent = ({ type }: NewEvent, version: number, cause: unknown): Error =>
  new Error(`${type} (version ${version}) cannot be stored: ${(cause as Error).message}`, { cause });

/** What to say when one of these cannot be stored: which part of which stream, without a word of what stands there. */
export function invalidAppend(streams: readonly StreamAppend[], cause?: unknown): InvalidAppend {
  for (const stream of streams) {
    const fault = faultOf(stream);
    if (fault !== undefined) return new InvalidAppend(`append to ${nameOf(stream.streamId)}: ${fault}`, { cause });
  }
  const [stream] = streams;
  const why = cause instanceof Error ? cause.message : 'it cannot be stored';
  return new InvalidAppend(`append to ${nameOf(stream!.streamId)}: ${why}`, { cause });
}

/** The same of the data with which a row is given back. */
export function invalidRow(streamId: string, data: unknown, cause?: unknown): InvalidAppend {
  const fault = faultOfJson(data, DEEPEST) ?? (cause as Error).message;
  return new InvalidAppend(`row of ${nameOf(streamId)}: data ${fault}`, { cause });
}

/** The first part whose texts cannot be kept, or that cannot be written as JSON at all; undefined when that is not what is wrong. */
function faultOf(stream: StreamAppend): string | undefined {
  for (const [part, value] of Object.entries(stream)) {
    const items = Array.isArray(value) ? (value as readonly unknown[]) : [value];
    for (const [index, item] of items.entries()) {
      const fault = faultOfJson(item, DEEPEST + 1);
      if (fault !== undefined) return `${part}${Array.isArray(value) ? `[${index}]` : ''}${typeOf(item)} ${fault}`;
    }
  }
  return undefined;
}

function faultOfJson(value: unknown, levels: number): string | undefined {
  try {
    const json = JSON.stringify(value) as string | undefined;
    if (json === undefined) return undefined;
    if (!isStorableJson(json)) return 'holds U+0000 or half of a surrogate pair, which cannot be stored';
    return isShallow(json, levels) ? undefined : 'is nested too deep to be stored';
  } catch (error) {
    return `cannot be stored: ${(error as Error).message}`;
  }
}

const typeOf = (item: unknown): string => {
  const { type } = (item ?? {}) as { readonly type?: unknown };
  return typeof type === 'string' ? ` (${nameOf(type)})` : '';
};

/** For messages, which are stored and shown. */
const nameOf = (text: string): string => text.replaceAll('\0', '\uFFFD').toWellFormed();
