import type { NewEvent, StreamAppend } from './event-store.ts';

/** The caller asked for something that could never be stored. Nothing was written. */
export class InvalidAppend extends Error {
  override readonly name = 'InvalidAppend';
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** `seen`: the streams of this append so far. @throws InvalidAppend. */
export function checkStream({ streamId, expected }: StreamAppend, seen: Set<string>): void {
  if (seen.has(streamId)) throw new InvalidAppend(`append names ${streamId} twice: put its events into one entry`);
  seen.add(streamId);
  if (!Number.isSafeInteger(expected) || expected < 0) {
    throw new InvalidAppend(`append to ${streamId}: expected version must be a whole number from 0, not ${expected}`);
  }
}

/** @throws Error saying what of the event's own fields cannot be stored; its JSON is looked at when it is written. */
export function checkEvent({ eventId, schemaVersion }: NewEvent): void {
  if (!UUID.test(eventId)) throw new Error(`event id ${JSON.stringify(eventId)} is not a UUID`);
  if (!Number.isInteger(schemaVersion) || schemaVersion < 1 || schemaVersion > 32_767) {
    throw new Error(`schema version ${schemaVersion} is not a number from 1 to 32767`);
  }
}
