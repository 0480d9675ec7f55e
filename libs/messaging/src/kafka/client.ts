import kafkajs, { type Kafka } from 'kafkajs';
import type { ConnectionOptions } from 'node:tls';
import { cutQuery, type Logger } from '#libs/observability';
import { bearerToken } from './bearer-token.ts';
import { quietIdleTimer } from './idle-timer.ts';

export interface KafkaConnection {
  /** `host:port` of one or more brokers. */
  readonly brokers: readonly string[];
  /** Names this process in the broker's logs. */
  readonly clientId: string;
  readonly security:
    | { readonly kind: 'plaintext' }
    /** The token is asked for at every connection, so whoever provides it renews it. */
    | { readonly kind: 'oauthbearer'; readonly token: () => Promise<string> };
  /** TLS to the broker; `true` = with the system's authorities. Default: none. */
  readonly tls?: boolean | ConnectionOptions;
}

/** Short retries inside kafkajs: waiting for a broker is our own loops' work, which say so and can be stopped. */
export const RETRY = { initialRetryTime: 50, maxRetryTime: 500, retries: 1 } as const;

export function connectTo(connection: KafkaConnection, logger: Logger): Kafka {
  quietIdleTimer();
  const { brokers, clientId, security, tls } = connection;
  return new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: 5_000,
    authenticationTimeout: 10_000,
    requestTimeout: 15_000,
    retry: RETRY,
    ...(tls === undefined || tls === false ? {} : { ssl: tls }),
    ...(security.kind === 'oauthbearer' ? { sasl: bearerToken(security.token) } : {}),
    logLevel: kafkajs.logLevel.WARN,
    // kafkajs calls many passing things errors; what matters of them is said by ourselves, so all of it is for debugging.
    logCreator:
      () =>
      ({ namespace, log: { message, error } }) =>
        logger.debug('kafkajs says', {
          namespace,
          text: cutQuery(message),
          ...(typeof error === 'string' ? { reason: cutQuery(error) } : {}),
        }),
  });
}
