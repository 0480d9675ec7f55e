const CONTROL_PLANE = 'control-plane';
const AUDITOR = 'auditor';
/** Names that stand where a cluster's would: no cluster may have one of them. */
export const OWN_NAMES: readonly string[] = [CONTROL_PLANE, AUDITOR];

/** Who a cluster's agent is on Kafka: another principal for each key that the cluster has had, so that the rights of one end without the others'. */
export const principalOf = (fleet: string, clusterId: string, generation: number): string =>
  generation === 0 ? `${fleet}.${clusterId}` : `${fleet}.${clusterId}.${generation}`;

/** Principal of the control plane on Kafka. */
export const controlPlanePrincipal = (fleet: string): string => `${fleet}.${CONTROL_PLANE}`;

/** Principal that may read the feed on Kafka to verify it, and nothing else. */
export const auditorPrincipal = (fleet: string): string => `${fleet}.${AUDITOR}`;

/** Cluster and generation of a principal; undefined for one that is no agent's of this fleet. Neither fleets nor clusters have dots in their names. */
export function agentOf(
  fleet: string,
  principal: string,
): { readonly clusterId: string; readonly generation: number } | undefined {
  const [itsFleet, clusterId, generation = '0', ...more] = principal.split('.');
  if (
    itsFleet !== fleet ||
    !clusterId ||
    OWN_NAMES.includes(clusterId) ||
    more.length > 0 ||
    !/^(0|[1-9]\d{0,8})$/.test(generation)
  )
    return undefined;
  return { clusterId, generation: Number(generation) };
}
