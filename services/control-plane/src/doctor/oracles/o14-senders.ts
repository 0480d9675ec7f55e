import type { ProduceQuotasRead } from '#libs/messaging';
import { principalOf } from '../../clusters/principal.ts';
import type { ClusterFacts, OverBudget } from '../facts.ts';
import type { Finding } from '../finding.ts';

type Agent = Pick<ClusterFacts, 'clusterId' | 'keyGeneration'>;

const PAGE = 'docs/operators/kafka-quotas.md';

/** What was over a budget, and there is room again, is asked for within seconds. */
const WAITS_LONG_MS = 60_000;

/** O14, at Kafka: every agent has a bound on what it writes, its own or everybody's, and the bound of everybody is none of the control plane's. */
export function quotasBoundAgents(
  quotas: ProduceQuotasRead,
  fleet: { readonly name: string; readonly clusters: readonly Agent[]; readonly controlPlane: string },
): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { clusterId: cluster, keyGeneration } of quotas.others === undefined ? fleet.clusters : []) {
    const principal = principalOf(fleet.name, cluster, keyGeneration);
    if (quotas.own.has(principal)) continue;
    findings.push({
      oracle: 'O14',
      kind: 'no-quota',
      what: `Kafka does not bound what the agent may write: User:${principal} has no producer_byte_rate, and there is no default`,
      where: { cluster },
      next: `every replica sets it once a minute unless Kafka refuses, which its log says ("Kafka does not let the control plane set quotas"): give its principal AlterConfigs of the cluster, or set it by hand (${PAGE})`,
    });
  }
  if (quotas.others !== undefined && !quotas.own.has(fleet.controlPlane)) {
    findings.push({
      oracle: 'O14',
      kind: 'control-plane-bound',
      what: `Kafka delays the control plane over ${quotas.others} bytes a second: the default quota of users is its own, too`,
      where: { place: `User:${fleet.controlPlane}` },
      next: `give User:${fleet.controlPlane} a large producer_byte_rate of its own (${PAGE})`,
    });
  }
  return findings;
}

/** What there is, for people: quotas that somebody set otherwise are that person's decision. */
export function quotasInWords(
  quotas: ProduceQuotasRead,
  fleet: { readonly name: string; readonly clusters: readonly Agent[]; readonly wanted: number },
): string {
  const own = fleet.clusters.flatMap(({ clusterId: cluster, keyGeneration }) => {
    const bytes = quotas.own.get(principalOf(fleet.name, cluster, keyGeneration));
    return bytes === undefined ? [] : [{ cluster, bytes }];
  });
  const others = own.filter(({ bytes }) => bytes !== fleet.wanted);
  return `produce quotas at Kafka of ${own.length} of ${fleet.clusters.length} agents${
    others.length === 0
      ? ''
      : `; another than ${fleet.wanted} bytes/s: ${others.map(({ cluster, bytes }) => `${cluster} ${bytes}`).join(', ')}`
  }`;
}

/** O14, at intake: no cluster sends more than it may, so that what it wants waits. */
export function clustersStayWithinBudget(clusters: readonly OverBudget[], now: number): readonly Finding[] {
  return clusters
    .filter(({ since }) => now - Date.parse(since) > WAITS_LONG_MS)
    .map(({ clusterId, waiting, since }) => ({
      oracle: 'O14',
      kind: 'over-budget',
      what: `the cluster sends more than it may; ${waiting} of its pods and inventories wait to be asked for again`,
      where: { cluster: clusterId },
      since,
      next: 'they are asked for when it sends less: find out what makes so many pods or changes there (its agent logs what it sends; `kubectl get pods -A`); if the cluster is that large, raise FLEET_CLUSTER_MESSAGES or FLEET_CLUSTER_BYTES; if none of it is wanted, give its principal a smaller quota at Kafka (docs/operators/kafka-quotas.md)',
    }));
}
