import type { Messaging } from '#libs/messaging';
import { agentOf } from './principal.ts';
import type { Standings } from './standings.ts';

/**
 * Takes rights away that no agent should have: those of a process that died between granting them and seeing that the cluster, or the agent's
 * key, had ended meanwhile. Answers from how many principals. Those that are no agent's of this fleet are left alone.
 */
export async function sweepRights(parts: {
  readonly messaging: Pick<Messaging, 'principalsWithRights' | 'revokeCluster'>;
  readonly standings: Pick<Standings, 'all'>;
  readonly fleet: string;
}): Promise<number> {
  const { messaging, standings, fleet } = parts;
  // In this order: a right that was given after the list cannot be taken for one of before.
  const agents = (await messaging.principalsWithRights())
    .map((principal) => ({ principal, agent: agentOf(fleet, principal) }))
    .flatMap(({ principal, agent }) => (agent ? [{ principal, ...agent }] : []));
  if (agents.length === 0) return 0;
  const known = await standings.all(agents.map(({ clusterId }) => clusterId));
  const over = agents.filter(({ clusterId, generation }) => {
    const standing = known.get(clusterId);
    return standing !== undefined && !(standing.joined && standing.generation === generation);
  });
  for (const { principal } of over) await messaging.revokeCluster(principal);
  return over.length;
}
