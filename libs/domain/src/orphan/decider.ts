import type { Decider } from '../decider.ts';
import { orphanConsequencesOf, type REMOVE_ORPHAN } from './consequences.ts';
import { decideOrphan, type OrphanCommand } from './decide.ts';
import type { OrphanEvent } from './events.ts';
import { evolveOrphan, initialOrphan, type OrphanState } from './state.ts';

export const orphanDecider: Decider<OrphanState, OrphanCommand, OrphanEvent, typeof REMOVE_ORPHAN> = {
  initial: initialOrphan,
  decide: decideOrphan,
  evolve: evolveOrphan,
  consequencesOf: orphanConsequencesOf,
  isUndecidable: ({ unknownEvents }) => unknownEvents.length > 0,
};
