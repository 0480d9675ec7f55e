import type { Consequences, EffectChange } from '../decider.ts';
import type { OrphanEvent } from './events.ts';
import { evolveOrphan, type OrphanState } from './state.ts';

/** Removing an orphan; the key of its row is the container group id. */
export const REMOVE_ORPHAN = 'RemoveOrphan';
/** The action of the cloud whose quota such a row takes a token of. */
export const REMOVE_ORPHAN_ACTION = 'delete';

/** First look after the cloud accepted the delete. */
const CONFIRM_AFTER_MS = 1_000;

/** Removal is work from the request until the group is gone; of several events the last that says something of it counts. */
export function orphanConsequencesOf(
  events: readonly OrphanEvent[],
  before: OrphanState,
): Consequences<typeof REMOVE_ORPHAN> {
  const { facts } = events.reduce(evolveOrphan, before);
  const work = facts && events.flatMap((event) => removalWork(event, facts.containerGroupId)).at(-1);
  return { effects: work ? [work] : [], parking: [], containerGroups: [], destroySealed: false, closed: false };
}

function removalWork({ type }: OrphanEvent, key: string): EffectChange<typeof REMOVE_ORPHAN>[] {
  switch (type) {
    case 'OrphanRemovalRequested':
      return [{ op: 'put', kind: REMOVE_ORPHAN, key, afterMs: 0, priority: 0 }];
    case 'OrphanDeleteAccepted':
      return [{ op: 'put', kind: REMOVE_ORPHAN, key, afterMs: CONFIRM_AFTER_MS, priority: 0 }];
    case 'OrphanRemoved':
    case 'OrphanClosed':
      return [{ op: 'remove', kind: REMOVE_ORPHAN, key, unlessClaimed: false }];
    case 'OrphanQuarantined':
    case 'OrphanKept':
      return [];
  }
}
