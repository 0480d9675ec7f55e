import {
  orphanDecider,
  REMOVE_ORPHAN_ACTION,
  type OrphanCommand,
  type OrphanEvent,
  type OrphanState,
  type REMOVE_ORPHAN,
} from '#libs/domain';
import { DeciderRunner, type RunnerParts } from '../streams/decider-runner.ts';
import { laneName } from '../streams/lanes.ts';
import { orphanEvent } from '../streams/stored-events.ts';
import type { StreamKind } from '../streams/stream-kind.ts';

const orphans: StreamKind<OrphanState, OrphanCommand, OrphanEvent, typeof REMOVE_ORPHAN> = {
  decider: orphanDecider,
  read: orphanEvent,
  laneOf: (_kind, _key, { facts }) => laneName({ accountId: '', region: '', ...facts, action: REMOVE_ORPHAN_ACTION }),
  // Orphans of a lane share one turn among its clusters, so that removing many keeps no pod's delete waiting.
  tenantOf: () => 'orphans',
};

/** Decisions on streams of orphans. */
export class OrphanStreams extends DeciderRunner<OrphanState, OrphanCommand, OrphanEvent, typeof REMOVE_ORPHAN> {
  constructor(parts: RunnerParts) {
    super(orphans, parts);
  }
}
