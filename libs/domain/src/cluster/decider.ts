import { NO_CONSEQUENCES, type Decider } from '../decider.ts';
import { decideCluster, type ClusterCommand } from './decide.ts';
import type { ClusterEvent } from './events.ts';
import { evolveCluster, initialCluster, type ClusterState } from './state.ts';

export const clusterDecider: Decider<ClusterState, ClusterCommand, ClusterEvent, never> = {
  initial: initialCluster,
  decide: decideCluster,
  evolve: evolveCluster,
  consequencesOf: () => NO_CONSEQUENCES,
  // It is decided on the row, and agents are let in also where a newer release has told of it.
  isUndecidable: () => false,
};
