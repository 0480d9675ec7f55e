import type { SessionResponse } from '#libs/contracts';
import { KafkaMessaging, type KafkaConnection, type Messaging } from '#libs/messaging';
import type { Logger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { AgentConfig } from '../config.ts';
import type { Session } from '../session/session.ts';

/**
 * How to reach Kafka: what the session says, with the brokers and the CA of the environment before it. The token is that of the session at the
 * time of each connection, so a renewed one is used without connecting anew.
 */
export function kafkaConnectionOf(
  config: Pick<AgentConfig, 'kafkaBrokers' | 'kafkaCa' | 'nodeName'>,
  { kafka, clusterId }: Pick<SessionResponse, 'kafka' | 'clusterId'>,
  session: Pick<Session, 'accessToken'>,
): KafkaConnection {
  return {
    brokers: config.kafkaBrokers.length > 0 ? config.kafkaBrokers : kafka.brokers,
    clientId: `eci-fleet-agent-${clusterId}-${config.nodeName}`,
    security:
      kafka.security === 'oauthbearer'
        ? // Async, so that a session without a token is a refused connection and not a throw into the client.
          { kind: 'oauthbearer', token: async () => session.accessToken().value }
        : { kind: 'plaintext' },
    tls: kafka.tls ? (config.kafkaCa === undefined ? true : { ca: config.kafkaCa }) : false,
  };
}

export function connectMessaging(options: {
  readonly config: AgentConfig;
  readonly first: SessionResponse;
  readonly session: Session;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}): Messaging {
  const { config, first, session, logger, clock, random } = options;
  return new KafkaMessaging({ ...kafkaConnectionOf(config, first, session), logger, clock, random });
}
