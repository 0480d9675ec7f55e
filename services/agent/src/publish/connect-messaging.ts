import type { SessionResponse } from '#libs/contracts';
import { brokersLink, KafkaMessaging, type KafkaConnection, type Messaging } from '#libs/messaging';
import type { Logger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { insecureTransports, type InsecureTransport } from '#libs/transport';
import type { AgentConfig } from '../config.ts';
import type { Session } from '../session/session.ts';

/**
 * How to reach Kafka: what the session says, with what the environment says before it. The token is that of the session at the time of each
 * connection, so a renewed one is used without connecting anew.
 */
export function kafkaConnectionOf(
  config: Pick<AgentConfig, 'kafka' | 'nodeName'>,
  { kafka, clusterId }: Pick<SessionResponse, 'kafka' | 'clusterId'>,
  session: Pick<Session, 'accessToken'>,
): KafkaConnection {
  const { brokers, security, files, insecure } = config.kafka;
  return {
    brokers: brokers.length > 0 ? brokers : kafka.brokers,
    clientId: `eci-fleet-agent-${clusterId}-${config.nodeName}`,
    security:
      security ??
      (kafka.security === 'oauthbearer'
        ? // Async, so that a session without a token is a refused connection and not a throw into the client.
          { kind: 'oauthbearer', token: async () => session.accessToken().value }
        : { kind: 'plaintext' }),
    tls: kafka.tls ? files : undefined,
    insecure,
  };
}

/** What of that is not secure, and allowed; what is not allowed does not connect. */
export function insecureKafka(
  config: Pick<AgentConfig, 'kafka'>,
  { kafka }: Pick<SessionResponse, 'kafka'>,
): readonly InsecureTransport[] {
  const { brokers, security, insecure } = config.kafka;
  const link = brokersLink('KAFKA_BROKERS', {
    brokers: brokers.length > 0 ? brokers : kafka.brokers,
    security: security?.kind ?? kafka.security,
    tls: kafka.tls,
  });
  return insecure ? insecureTransports([link], { [link.exception]: 'true' }, []) : [];
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
