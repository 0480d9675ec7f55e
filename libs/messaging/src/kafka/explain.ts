import { errorMessage } from '#libs/observability';
import type { MessagingErrorCode } from '../errors.ts';

export interface Explanation {
  readonly code: Exclude<MessagingErrorCode, 'closed'>;
  /** For people; our words where kafkajs's mislead. */
  readonly reason: string;
}

interface KafkaError {
  readonly name?: unknown;
  readonly type?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** The error, its causes and the parts of an aggregate, outermost first. */
function chain(error: unknown, depth = 0): KafkaError[] {
  if (typeof error !== 'object' || error === null || depth > 8) return [];
  const { cause, errors } = error as KafkaError;
  const parts: unknown[] = Array.isArray(errors) ? errors : [];
  return [error as KafkaError, ...[cause, ...parts].flatMap((each) => chain(each, depth + 1))];
}

/** What an error of kafkajs means. */
export function explain(error: unknown): Explanation {
  const errors = chain(error);
  const type = errors.map((each) => each.type).find((each) => typeof each === 'string') as string | undefined;
  if (
    type === 'ILLEGAL_SASL_STATE' ||
    type === 'SASL_AUTHENTICATION_FAILED' ||
    errors.some((each) => each.name === 'KafkaJSSASLAuthenticationError')
  ) {
    const byPassword = errors.some(({ message }) => typeof message === 'string' && message.includes('SCRAM'));
    return { code: 'refused', reason: `Kafka refused this cluster's ${byPassword ? 'user or password' : 'token'}` };
  }
  if (errors.some((each) => each.name === 'KafkaJSGroupCoordinatorNotFound')) {
    // kafkajs swallows the refusal of a group here, so it cannot be told from a broker that is still starting.
    const reason =
      'no coordinator for the consumer group: Kafka is starting, or does not allow this principal to use it';
    return { code: 'unavailable', reason };
  }
  switch (type) {
    case 'TOPIC_AUTHORIZATION_FAILED':
      return { code: 'refused', reason: 'Kafka does not allow this principal to use the topic' };
    case 'GROUP_AUTHORIZATION_FAILED':
      return { code: 'refused', reason: 'Kafka does not allow this principal to use the consumer group' };
    case 'CLUSTER_AUTHORIZATION_FAILED':
      return { code: 'refused', reason: 'Kafka does not allow this principal to administer the cluster' };
    case 'UNSUPPORTED_VERSION':
      return { code: 'unsupported', reason: 'this Kafka does not serve the request' };
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return { code: 'no-topic', reason: 'the topic does not exist' };
    case 'MESSAGE_TOO_LARGE':
    case 'RECORD_LIST_TOO_LARGE':
      return { code: 'too-large', reason: 'a message is larger than the topic takes' };
    default:
      return { code: 'unavailable', reason: type ?? errorMessage(error) };
  }
}
