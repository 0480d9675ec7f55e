import { hash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { NewEvent } from './event-store.ts';

/** An event as it is hashed: its canonical parts are also what is stored, so that nothing is serialized twice. */
interface CanonicalEvent {
  readonly eventId: string;
  readonly data: string;
  readonly metadata: string;
  /** SHA-256, 32 bytes. */
  readonly digest: Buffer;
}

/**
 * SHA-256 over RFC 8785 JSON of `{data, eventId, metadata, schemaVersion, streamId, type, version}`. What PostgreSQL gives back hashes to the
 * same digest, although it keeps neither the order of keys nor the spelling of numbers.
 */
export function digestOf(streamId: string, version: number, event: NewEvent): Buffer {
  return canonicalEvent(streamId, version, event).digest;
}

/** @throws Error for what JSON cannot hold: lone surrogates, NaN, infinities, circles. */
export function canonicalEvent(streamId: string, version: number, event: NewEvent): CanonicalEvent {
  const eventId = event.eventId.toLowerCase();
  const data = canonicalJson(event.data);
  const metadata = canonicalJson(event.metadata);
  // The keys in the order of RFC 8785, so that the whole is canonical when its parts are.
  const text =
    `{"data":${data},"eventId":${canonicalJson(eventId)},"metadata":${metadata},"schemaVersion":${canonicalJson(event.schemaVersion)},` +
    `"streamId":${canonicalJson(streamId)},"type":${canonicalJson(event.type)},"version":${canonicalJson(version)}}`;
  return { eventId, data, metadata, digest: hash('sha256', text, 'buffer') };
}
