import { containerGroupProjection } from './container-groups/container-group-projection.ts';
import { heldStopProjection } from './holds/held-stop-projection.ts';
import { orphanCaseProjection } from './orphans/orphan-case-projection.ts';
import type { Projection } from './streams/projection.ts';

/** Everything that is kept of events in tables, in the order in which it is written. A new projection is a line here. */
export const PROJECTIONS: readonly Projection[] = [containerGroupProjection, heldStopProjection, orphanCaseProjection];
