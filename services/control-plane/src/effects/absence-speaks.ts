import type { ContainerGroupState } from '#libs/domain';

/** What is older than this is shown by reads. Reads follow creates with a delay for which the cloud names no bound; a minute is far above what was met. */
const SHOWN_AFTER_MS = 60_000;

/**
 * Whether a read that does not return the group says anything about it: it was returned before, or would be by now. One that was deleted right
 * after it was made may be absent from a read that returns others, and still be there. `now`: epoch milliseconds. `waitedMs`: pauses between looks
 * that did not return it; the group's age is told by the clocks of two processes, either of which may be wrong, and pauses are told by neither.
 */
export function absenceSpeaks(
  state: ContainerGroupState,
  containerGroupId: string,
  now: number,
  waitedMs: number,
): boolean {
  if (wasShown(state, containerGroupId)) return true;
  return waitedMs >= SHOWN_AFTER_MS && isOld(state, containerGroupId, now);
}

/** It was returned by a read, or is of an age, by the clocks, at which it would be. */
export function isOld(state: ContainerGroupState, containerGroupId: string, now: number): boolean {
  return wasShown(state, containerGroupId) || now - Date.parse(state.group!.since) >= SHOWN_AFTER_MS;
}

/** A read has returned the group: the stream remembers its first sight. Twins were found by a read. */
export function wasShown({ group }: ContainerGroupState, containerGroupId: string): boolean {
  return group?.containerGroupId !== containerGroupId || group.status !== null || group.landed !== undefined;
}
