import { KafkaMessaging } from '#libs/messaging';
import type { Logger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { ControlPlaneConfig } from './config.ts';
import type { AccessTokens } from './sessions/access-tokens.ts';

/** Kafka as configured. With `oauthbearer` the control plane shows a token of its own making, renewed by whoever connects. */
export function kafkaMessaging(
  { kafka, fleet }: Pick<ControlPlaneConfig, 'kafka' | 'fleet'>,
  tokens: Pick<AccessTokens, 'issueForControlPlane'>,
  parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): KafkaMessaging {
  return new KafkaMessaging({
    ...parts,
    brokers: [...kafka.brokers],
    clientId: `${fleet}.control-plane`,
    ...(kafka.tls ? { tls: true } : {}),
    security:
      kafka.security === 'oauthbearer'
        ? { kind: 'oauthbearer', token: async () => (await tokens.issueForControlPlane()).token }
        : { kind: 'plaintext' },
  });
}
