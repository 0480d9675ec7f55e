import type { IncomingMessage, OutgoingMessage } from './messaging.ts';

/** Headers of a dead letter that say why it is one and where it came from. */
export const DEAD_LETTER_HEADERS = {
  reason: 'dead-letter-reason',
  topic: 'dead-letter-topic',
  partition: 'dead-letter-partition',
  offset: 'dead-letter-offset',
  timestamp: 'dead-letter-timestamp',
} as const;

/**
 * The message for the dead letter topic: key, value and headers as they came, byte for byte, with the reason and the origin in headers. The
 * reason must not hold secrets: it is readable by whoever may read the topic.
 */
export function deadLetter(
  original: IncomingMessage & { readonly topic: string; readonly partition: number },
  reason: string,
): OutgoingMessage {
  return {
    key: original.key,
    value: original.value,
    headers: {
      ...original.headers,
      [DEAD_LETTER_HEADERS.reason]: reason.slice(0, 2_000),
      [DEAD_LETTER_HEADERS.topic]: original.topic,
      [DEAD_LETTER_HEADERS.partition]: String(original.partition),
      [DEAD_LETTER_HEADERS.offset]: original.offset,
      [DEAD_LETTER_HEADERS.timestamp]: String(original.timestamp),
    },
  };
}
