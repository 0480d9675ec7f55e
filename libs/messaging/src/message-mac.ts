import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { IncomingMessage, OutgoingMessage } from './messaging.ts';

/** Header of a message that proves who has said it: `<kid>.<MAC in base64url>`. In a header, so that a message without a value has one too. */
export const MAC_HEADER = 'eci-fleet-mac';

/** Sets these proofs apart from anything else that may ever be computed with such a key. */
const DOMAIN = 'eci-fleet message of a topic, version 1';
const SHAPE = /^([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{43})$/;

export interface MacKey {
  /** 1–64 of A–Z, a–z, 0–9, `_` and `-`. */
  readonly kid: string;
  /** 256 bits. */
  readonly key: KeyObject;
}

export const macKeyOf = (kid: string, bytes: Uint8Array): MacKey => ({ kid, key: createSecretKey(bytes) });

/**
 * `absent`: nobody proves anything. `unknown-key`: of a key that `keyOf` does not have, so nothing can be said. `wrong`: another key, topic, message key
 * or value than it was made for, or no proof at all in its header.
 */
type MacVerdict = 'valid' | 'absent' | 'unknown-key' | 'wrong';

/** The message as whoever holds the key says it on this topic. Other headers are not covered: nobody may go by them. */
export function withMac(topic: string, message: OutgoingMessage, { kid, key }: MacKey): OutgoingMessage {
  const mac = macOf(topic, message, { kid, key }).toString('base64url');
  return { ...message, headers: { ...message.headers, [MAC_HEADER]: `${kid}.${mac}` } };
}

/** Whether somebody who holds the key has said exactly this, about exactly this key, on exactly this topic. It does not tell when, nor how often. */
export function checkMac(
  topic: string,
  message: Pick<IncomingMessage, 'key' | 'value' | 'headers'>,
  keyOf: (kid: string) => KeyObject | undefined,
): MacVerdict {
  const header = message.headers[MAC_HEADER];
  if (header === undefined) return 'absent';
  const [, kid, text] = SHAPE.exec(header) ?? [];
  if (kid === undefined || text === undefined) return 'wrong';
  const key = keyOf(kid);
  if (!key) return 'unknown-key';
  const said = Buffer.from(text, 'base64url');
  // 43 letters hold two bits more than 32 bytes: of several texts for the same bytes one is right.
  if (said.toString('base64url') !== text) return 'wrong';
  return timingSafeEqual(said, macOf(topic, message, { kid, key })) ? 'valid' : 'wrong';
}

/** HMAC-SHA-256 over every part with its length before it, so that no part can grow at the cost of its neighbour. */
function macOf(topic: string, { key, value }: Pick<OutgoingMessage, 'key' | 'value'>, by: MacKey): Buffer {
  const mac = createHmac('sha256', by.key);
  for (const text of [DOMAIN, by.kid, topic, key]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(text));
    mac.update(length).update(text, 'utf8');
  }
  // A tombstone is not a message with an empty value.
  mac.update(Buffer.of(value === null ? 0 : 1));
  if (value !== null) mac.update(value);
  return mac.digest();
}
