import { MessagingError } from '#libs/messaging';
import { silentLogger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { ControlPlaneConfig } from '../config.ts';
import { controlPlanePrincipal } from '../clusters/principal.ts';
import { kafkaMessaging } from '../kafka.ts';
import { quotaOfAgents } from '../publish/agent-quotas.ts';
import { AccessTokens } from '../sessions/access-tokens.ts';
import type { ClusterFacts } from './facts.ts';
import type { Finding } from './finding.ts';
import { quotasBoundAgents, quotasInWords } from './oracles/o14-senders.ts';

/**
 * What Kafka lets agents write. A broker that does not tell quotas is no fault of the fleet, and `looked` says so; when it is away, `unchecked` says
 * that nothing is known.
 */
export type QuotaReport = { readonly findings: readonly Finding[] } & (
  { readonly looked: string } | { readonly unchecked: string }
);

/** Reads the quotas of these clusters' agents with the control plane's own rights. */
export async function quotasAtKafka(
  config: Pick<ControlPlaneConfig, 'kafka' | 'fleet' | 'tokenKey' | 'tokenIssuer' | 'tokenAudience'>,
  clusters: readonly Pick<ClusterFacts, 'clusterId' | 'keyGeneration'>[],
  parts: { readonly clock: Clock; readonly random: Random },
): Promise<QuotaReport> {
  const { kafka, fleet } = config;
  const wanted = quotaOfAgents(kafka);
  const notAsked = (why: string): QuotaReport => ({
    findings: [],
    looked: `quotas at Kafka are not asked for: ${why}`,
  });
  if (kafka.brokers.length === 0) return notAsked('KAFKA_BROKERS is not set');
  if (kafka.securityForAgents !== 'oauthbearer')
    return notAsked('agents have no names there (KAFKA_SECURITY_FOR_AGENTS), so none can have one');
  if (wanted === undefined) return notAsked('KAFKA_PRODUCE_BYTES_FOR_AGENTS=0');
  const tokens = await AccessTokens.open({
    tokenKey: config.tokenKey,
    fleet,
    issuer: config.tokenIssuer,
    audience: config.tokenAudience,
    clock: parts.clock,
  });
  const messaging = kafkaMessaging(config, () => tokens.tokenOfControlPlane(), { ...parts, logger: silentLogger });
  try {
    const quotas = await messaging.produceQuotas().read();
    // Without tokens a client has no name; one that TLS gives it is not known here.
    const controlPlane =
      kafka.security === 'oauthbearer' ? controlPlanePrincipal(fleet) : (kafka.login?.username ?? 'ANONYMOUS');
    return {
      findings: quotasBoundAgents(quotas, { name: fleet, clusters, controlPlane }),
      looked: quotasInWords(quotas, { name: fleet, clusters, wanted }),
    };
  } catch (error) {
    if (!(error instanceof MessagingError)) throw error;
    if (error.code === 'unavailable') return { findings: [], unchecked: `quotas at Kafka: ${error.message}` };
    return {
      findings: [],
      looked: `quotas at Kafka cannot be read (${error.message}); the budgets of intake hold alone`,
    };
  } finally {
    await messaging.close();
  }
}
