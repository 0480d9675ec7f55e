/**
 * The log between agents and the control plane.
 *
 * Hides: kafkajs, its retries and quirks; the in-process log; how an intent is sealed, and how a message proves who has said it. Guarantees: at least once, in order per key; a batch
 * that a handler refuses comes again and its partition waits; a consumer outlives its broker. Does not: decide what to do with a message
 * that cannot be understood (handlers do, see `deadLetter`), or keep the in-process log over a restart.
 */
export * from './messaging.ts';
export type { ProduceQuotas, ProduceQuotasRead } from './produce-quotas.ts';
export { MAX_MESSAGE_BYTES, MessagingError, type MessagingErrorCode } from './errors.ts';
export { InProcessLog } from './in-process-log.ts';
export { InProcessMessaging } from './in-process-messaging.ts';
export { deadLetter } from './dead-letter.ts';
export {
  EnvelopeTooLarge,
  openEnvelope,
  sealEnvelope,
  unsealEnvelope,
  type EnvelopeKey,
  type OpeningKey,
  type UnsealedEnvelope,
} from './envelope.ts';
export { checkMac, MAC_HEADER, macKeyOf, withMac, type MacKey } from './message-mac.ts';
export { KafkaMessaging } from './kafka/kafka-messaging.ts';
export type { KafkaConnection, KafkaSecurity } from './kafka/client.ts';
export { brokersLink } from './kafka/brokers-link.ts';
export { quietIdleTimer } from './kafka/idle-timer.ts';
