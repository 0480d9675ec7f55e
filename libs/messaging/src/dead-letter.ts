import { MAX_MESSAGE_BYTES } from './errors.ts';
import { messageBytes } from './message-bytes.ts';
import type { IncomingMessage, OutgoingMessage } from './messaging.ts';

/** Headers of a dead letter that say why it is one and where it came from. */
const DEAD_LETTER_HEADERS = {
  reason: 'dead-letter-reason',
  topic: 'dead-letter-topic',
  partition: 'dead-letter-partition',
  offset: 'dead-letter-offset',
  timestamp: 'dead-letter-timestamp',
} as const;

/** Characters of a letter's key: far more than any of ours has. The client hashes a key slowly, a long one for seconds. */
const KEPT_KEY = 512;

/**
 * The message for the dead letter topic: key, value and headers as they came, byte for byte, with the reason and the origin in headers. A key that is
 * longer than {@link KEPT_KEY} is cut, and what would be longer than any message may be goes without its value, and if that is not enough without its
 * headers: a letter can always be sent, and costs no more than another. The reason must not hold secrets: it is readable by whoever may read the topic.
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
  const { value, headers } = original;
  const whole = { key: original.key.slice(0, KEPT_KEY), value, headers: { ...headers, ...origin } };
  if (messageBytes(whole) <= MAX_MESSAGE_BYTES) return whole;
  const hollow = { ...whole, value: null };
  return messageBytes(hollow) <= MAX_MESSAGE_BYTES ? hollow : { ...hollow, headers: origin };
}
