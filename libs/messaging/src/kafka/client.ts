import kafkajs, { type Kafka, type SASLOptions, type Mechanism } from 'kafkajs';
import type { TlsFiles } from '#libs/transport';
import { cutQuery, type Logger } from '#libs/observability';
import { bearerToken } from './bearer-token.ts';
import { quietIdleTimer } from './idle-timer.ts';
import { socketsOf } from './sockets.ts';

/** How a broker learns who calls. */
export type KafkaSecurity =
  /** It does not. */
  | { readonly kind: 'plaintext' }
  /** The token is asked for at every connection, so whoever provides it renews it. */
  | { readonly kind: 'oauthbearer'; readonly token: () => Promise<string> }
  | { readonly kind: 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string }
  /** By the certificate of `tls`, which must have one. */
  | { readonly kind: 'mtls' };

export interface KafkaConnection {
  /** `host:port` of one or more brokers. */
  readonly brokers: readonly string[];
  /** Names this process in the broker's logs. */
  readonly clientId: string;
  readonly security: KafkaSecurity;
  /** TLS to the broker, whose certificate is always verified; `{}` = with the system's authorities. Absent: none. */
  readonly tls?: TlsFiles | undefined;
  /** Connect to other machines also in clear, or without saying who calls. Default: such a connection is refused, also to brokers that others name. */
  readonly insecure?: boolean | undefined;
}

/** Short retries inside kafkajs: waiting for a broker is our own loops' work, which say so and can be stopped. */
export const RETRY = { initialRetryTime: 50, maxRetryTime: 500, retries: 1 } as const;

export function connectTo(connection: KafkaConnection, logger: Logger): Kafka {
  quietIdleTimer();
  const { brokers, clientId, security, tls } = connection;
  const sasl = saslOf(security);
  return new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: 5_000,
    authenticationTimeout: 10_000,
    requestTimeout: 15_000,
    retry: RETRY,
    ...(tls === undefined ? {} : { ssl: true }),
    ...(sasl === undefined ? {} : { sasl }),
    socketFactory: socketsOf(connection),
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

function saslOf(security: KafkaSecurity): SASLOptions | Mechanism | undefined {
  switch (security.kind) {
    case 'oauthbearer':
      return bearerToken(security.token);
    case 'scram-sha-256':
      return { mechanism: 'scram-sha-256', username: security.username, password: security.password };
    case 'scram-sha-512':
      return { mechanism: 'scram-sha-512', username: security.username, password: security.password };
    case 'plaintext':
    case 'mtls':
      return undefined;
  }
}
