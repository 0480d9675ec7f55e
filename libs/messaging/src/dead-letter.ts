import { MAX_MESSAGE_BYTES } from './errors.ts';
import { messageBytes } from './message-bytes.ts';
import type { IncomingMessage, OutgoingMessage } from './messaging.ts';

/** Headers of a dead letter that say why it is one and where it came from. */
export const DEAD_LETTER_HEADERS = {
  reason: 'dead-letter-reason',
  topic: 'dead-letter-topic',
  partition: 'dead-letter-partition',
  offset: 'dead-letter-offset',
  timestamp: 'dead-letter-timestamp',
} as const;

/** Characters of a key that is kept when the message is too long for a letter. */
const KEPT_KEY = 1_000;

/**
 * The message for the dead letter topic: key, value and headers as they came, byte for byte, with the reason and the origin in headers. One that
 * would be longer than any message may be goes without its value, and if that is not enough without its headers and the rest of its key: a letter can
 * always be sent. The reason must not hold secrets: it is readable by whoever may read the topic.
 */
export function deadLetter(
  original: IncomingMessage & { readonly topic: string; readonly partition: number },
  reason: string,
): OutgoingMessage {
  const origin = {
    [DEAD_LETTER_HEADERS.reason]: reason.slice(0, 2_000),
    [DEAD_LETTER_HEADERS.topic]: original.topic,
    [DEAD_LETTER_HEADERS.partition]: String(original.partition),
    [DEAD_LETTER_HEADERS.offset]: original.offset,
    [DEAD_LETTER_HEADERS.timestamp]: String(original.timestamp),
  };
  const { key, value, headers } = original;
  const whole = { key, value, headers: { ...headers, ...origin } };
  if (messageBytes(whole) <= MAX_MESSAGE_BYTES) return whole;
  const hollow = { ...whole, value: null };
  return messageBytes(hollow) <= MAX_MESSAGE_BYTES
    ? hollow
    : { key: key.slice(0, KEPT_KEY), value: null, headers: origin };
}
