import { KafkaMessaging, type KafkaSecurity } from '#libs/messaging';
import type { Logger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { ControlPlaneConfig } from './config.ts';
import type { KafkaSettings } from './config/kafka.ts';

/** Kafka as configured. `token` is asked for at each connection, with `oauthbearer` only: the control plane makes its own, auditors are given one. */
export function kafkaMessaging(
  { kafka, fleet }: Pick<ControlPlaneConfig, 'kafka' | 'fleet'>,
  token: () => Promise<string>,
  parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): KafkaMessaging {
  return new KafkaMessaging({
    ...parts,
    brokers: [...kafka.brokers],
    clientId: `${fleet}.control-plane`,
    tls: kafka.tls,
    security: securityOf(kafka, token),
    insecure: kafka.insecure,
  });
}

function securityOf({ security, login }: KafkaSettings, token: () => Promise<string>): KafkaSecurity {
  switch (security) {
    case 'oauthbearer':
      return { kind: security, token };
    case 'scram-sha-256':
    case 'scram-sha-512':
      return { kind: security, username: login?.username ?? '', password: login?.password ?? '' };
    case 'plaintext':
    case 'mtls':
      return { kind: security };
  }
}
