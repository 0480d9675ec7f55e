/** Names of the topics; `fleet` is a prefix (default `eci-fleet`). */
export const topics = (fleet: string) =>
  ({
    intents: `${fleet}.intents.v1`,
    events: `${fleet}.events.v1`,
    deadLetter: `${fleet}.dead-letter.v1`,
    cluster: (clusterId: string): string => `${fleet}.cluster.${clusterId}.v1`,
  }) as const;

/** Consumer group in which a cluster's agent reads its own topic; the control plane grants exactly this one. */
export const agentGroup = (fleet: string, clusterId: string): string => `${fleet}.agent.${clusterId}`;
