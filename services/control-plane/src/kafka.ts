import { KafkaMessaging } from '#libs/messaging';
import type { Logger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { ControlPlaneConfig } from './config.ts';

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
    ...(kafka.tls ? { tls: true } : {}),
    security: kafka.security === 'oauthbearer' ? { kind: 'oauthbearer', token } : { kind: 'plaintext' },
  });
}
