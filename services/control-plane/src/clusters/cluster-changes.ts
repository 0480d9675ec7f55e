import {
  clusterDecider,
  clusterStreamId,
  type ClusterCommand,
  type ClusterEvent,
  type ClusterFacts,
  type ClusterState,
} from '#libs/domain';
import { clusterEvent } from '../streams/stored-events.ts';
import { withoutWork } from '../streams/stream-kind.ts';
import { ToldChanges, type Tell, type ToldTable } from '../streams/told-changes.ts';
import type { ClusterRow } from './cluster-row.ts';

const clusters: ToldTable<ClusterRow, ClusterState, ClusterCommand, ClusterEvent> = {
  kind: withoutWork(clusterDecider, clusterEvent),
  table: 'fleet.cluster',
  streamIdOf: clusterStreamId,
  observe: (row) => ({ type: 'Observe', facts: factsOf(row) }),
};

export type TellOfCluster = Tell<ClusterRow, ClusterCommand>;

/** Changes of `fleet.cluster` that are told in the cluster's stream. */
export class ClusterChanges extends ToldChanges<ClusterRow, ClusterState, ClusterCommand, ClusterEvent> {
  constructor(parts: ConstructorParameters<typeof ToldChanges>[1]) {
    super(clusters, parts);
  }
}

function factsOf(row: ClusterRow): ClusterFacts {
  return {
    name: row.name,
    accountId: row.account_id,
    registeredAt: row.registered_at.toISOString(),
    ...(row.joined_at && { joinedAt: row.joined_at.toISOString() }),
    ...(row.unregistered_at && { unregisteredAt: row.unregistered_at.toISOString() }),
    ...(row.fingerprint !== null && { fingerprint: row.fingerprint }),
    ...(row.key_thumbprint !== null && { keyThumbprint: row.key_thumbprint }),
    keyGeneration: row.key_generation,
  };
}
