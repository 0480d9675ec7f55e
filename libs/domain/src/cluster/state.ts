import type { ClusterFacts, StoredClusterEvent } from './events.ts';

/** What the stream of a cluster tells of it by now. */
export interface ClusterState {
  readonly version: number;
  /** Absent: nothing was told of it yet. */
  readonly facts?: ClusterFacts;
  /** The last takeover that was told. */
  readonly superseded?: { readonly at: string; readonly epoch: number };
}

export const initialCluster: ClusterState = { version: 0 };

/** Total: what a newer release wrote is passed over, for the next look at the row shows what came of it. */
export function evolveCluster(state: ClusterState, event: StoredClusterEvent): ClusterState {
  return { ...applied(state, event), version: state.version + 1 };
}

function applied(state: ClusterState, event: StoredClusterEvent): ClusterState {
  const { facts } = state;
  switch (event.type) {
    case 'ClusterRegistered': {
      const { name, accountId } = event.data;
      return { ...state, facts: { name, accountId, registeredAt: event.at, keyGeneration: 0 } };
    }
    case 'ClusterImported':
    case 'ClusterChangedElsewhere':
      return { ...state, facts: event.data };
    case 'ClusterJoined':
      return facts ? { ...state, facts: { ...facts, joinedAt: facts.joinedAt ?? event.at, ...event.data } } : state;
    case 'AgentKeyTaken': {
      if (!facts) return state;
      const { keyThumbprint: _, ...rest } = facts;
      return { ...state, facts: { ...rest, keyGeneration: event.data.keyGeneration + 1 } };
    }
    case 'ClusterUnregistered':
      return facts
        ? { ...state, facts: { ...facts, unregisteredAt: event.at, keyGeneration: facts.keyGeneration + 1 } }
        : state;
    case 'SessionSuperseded':
      return { ...state, superseded: { at: event.at, epoch: event.data.epoch } };
    case 'JoinTokenIssued':
    case 'Unknown':
      return state;
  }
}

export const clusterStreamId = (clusterId: string): string => `cluster:${clusterId}`;
