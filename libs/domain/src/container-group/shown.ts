/** How far the cloud shows a group of a stream, which is what the rules of evidence ask. */
import type { GroupStatus } from './events.ts';
import { isFinalStatus } from './questions.ts';
import type { ContainerGroupState } from './state.ts';

/**
 * A read has returned the group: the stream remembers when it was first seen. True of twins, too: most were found by a read, and the others are looked
 * at only after a minute, when a read shows what is there.
 */
export function wasShown({ group }: ContainerGroupState, containerGroupId: string): boolean {
  return group?.containerGroupId !== containerGroupId || group.status !== null || group.landed !== undefined;
}

/** A read has returned the group, or the cloud has accepted a delete of it. */
export function isKnownToCloud(state: ContainerGroupState, containerGroupId: string): boolean {
  return wasShown(state, containerGroupId) || state.group?.deleteAcceptedAt !== undefined;
}

/**
 * Whether an answer should show the group: it is open, and was not deleted. A group that was just made counts, for it will be seen soon; a deleted one
 * does not, for it may be gone.
 */
export function shouldBeShown({ group, twins }: ContainerGroupState, containerGroupId: string): boolean {
  const twin = twins[containerGroupId];
  if (twin) return twin.deleteAcceptedAt === undefined;
  return group?.containerGroupId === containerGroupId && group.open && group.deleteAcceptedAt === undefined;
}

/**
 * It runs, or will: neither ended nor on its way out. Only such a group will vouch for later reads, too: the cloud forgets those that ended after an
 * hour, and sooner where many did (eci.md §2.3).
 */
export function willStay(status: GroupStatus): boolean {
  return !isFinalStatus(status) && status !== 'Terminating';
}
