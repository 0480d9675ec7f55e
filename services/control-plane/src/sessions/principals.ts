/** Who an agent is at Kafka: the subject of its token. */
export const agentPrincipal = (fleet: string, clusterId: string): string => `${fleet}.${clusterId}`;

/** Who the control plane is there; no cluster may have that name. */
export const controlPlanePrincipal = (fleet: string): string => `${fleet}.control-plane`;
