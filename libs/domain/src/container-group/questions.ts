/** What others ask of a stream's state. */
import type { GroupStatus } from './events.ts';
import type { PlacementHistory } from '../placement/history.ts';
import type { ContainerGroupState, Life } from './state.ts';

/** A call of the attempt may have made a group whose id nobody knows. */
export function attemptInDoubt(state: ContainerGroupState): boolean {
  if (state.attempt) return state.attempt.outcome === 'pending' || state.attempt.outcome === 'unknown';
  return state.intent?.lookUpFirst === true && !state.end;
}

/** Ids of groups that may still run and cost; each is watched. */
export function openGroupIds(state: ContainerGroupState): readonly string[] {
  return [...(state.group?.open ? [state.group.containerGroupId] : []), ...Object.keys(state.twins)];
}

/** Another attempt may be chosen now: nothing is open or in doubt, nobody asked to stop (held or not), nothing is waited for. */
export function wantsPlacement(state: ContainerGroupState): boolean {
  if (!state.intent || state.end || state.stop || state.held || state.parked) return false;
  if (attemptInDoubt(state) || openGroupIds(state).length > 0) return false;
  if (hasGivenUp(state)) return false;
  return state.attempt === undefined || mayFollow(state);
}

function mayFollow(state: ContainerGroupState): boolean {
  const outcome = state.attempt?.outcome;
  return outcome === 'refused' || outcome === 'schedule-failed' || outcome === 'absent';
}

/** Fail-fast: the first stock-out was the last attempt; a scheduler above us decides what comes next. */
export function hasGivenUp(state: ContainerGroupState): boolean {
  return (
    state.intent?.need.failStrategy === 'fail-fast' &&
    state.failures.some((f) => f.class === 'STOCK_OUT' || f.class === 'VSWITCH_IP_EXHAUSTED')
  );
}

export function nextAttempt(state: ContainerGroupState): number {
  return (state.attempt?.number ?? 0) + 1;
}

/** What placement asks of a pod's past. */
export const placementHistoryOf = (state: ContainerGroupState): PlacementHistory => ({
  nextAttempt: nextAttempt(state),
  failures: state.failures,
  mayPassGate: state.mayPassGate,
});

/** No attempt can follow and no group is open or in doubt: the stream's secrets are not needed any more. */
export function isClosed(state: ContainerGroupState): boolean {
  return (state.end !== undefined || state.stop !== undefined) && settled(state);
}

/** The agent may remove the pod object, once it carries a deletionTimestamp. */
export function finalize(state: ContainerGroupState): boolean {
  return state.stop !== undefined && settled(state);
}

function settled(state: ContainerGroupState): boolean {
  return openGroupIds(state).length === 0 && !attemptInDoubt(state);
}

/** The pod was to run, has not ended, and nobody stopped it: what the mass-delete guard protects. */
export function isAlive(state: ContainerGroupState): boolean {
  return state.intent !== undefined && !state.end && !state.stop;
}

/** The version of the stream at which the newest sight of the group was recorded; 0 = none was. Sights are in the order of the stream, whatever clocks say. */
export function lastSight({ group }: ContainerGroupState, containerGroupId: string): number {
  return group?.containerGroupId === containerGroupId ? (group.sightVersion ?? 0) : 0;
}

/** Where a group of the stream is: a late twin where it was found, any other where the present attempt was chosen. */
export function placeOfGroup(
  state: ContainerGroupState,
  containerGroupId: string,
): { readonly accountId: string; readonly region: string } {
  return state.twins[containerGroupId]?.place ?? placeOf(state);
}

/** Where the groups of this stream's present attempt are: as the attempt was chosen, which may differ from what the pod asks for by now. */
export function placeOf(state: ContainerGroupState): { readonly accountId: string; readonly region: string } {
  const { attempt, intent } = state;
  if (attempt?.accountId) return { accountId: attempt.accountId, region: attempt.region };
  return { accountId: intent?.need.accountId ?? '', region: intent?.need.region ?? '' };
}

export function lifeOf(state: ContainerGroupState): Life {
  if (state.stop) return settled(state) ? 'gone' : 'deleting';
  if (state.end) return state.end.kind;
  if (!state.intent) return 'none';
  if (state.parked) return 'parked';
  switch (state.attempt?.outcome) {
    case undefined:
      return 'requested';
    case 'pending':
    case 'unknown':
      return 'creating';
    case 'refused':
    case 'schedule-failed':
    case 'absent':
      return 'placing';
    case 'open':
      return hasStarted(state.group?.status ?? null) ? 'running' : 'starting';
    case 'ended':
      return 'gone';
  }
}

function hasStarted(status: GroupStatus | null): boolean {
  return status === 'Running' || status === 'Restarting' || status === 'Updating' || status === 'Terminating';
}

/** A status from which a group never comes back; it costs nothing any more. */
export function isFinalStatus(status: GroupStatus): boolean {
  return status === 'Succeeded' || status === 'Failed' || status === 'Expired' || status === 'ScheduleFailed';
}

const STREAM_PREFIX = 'container_group:';

export function streamIdOf(clusterId: string, podUid: string): string {
  return `${STREAM_PREFIX}${clusterId}:${podUid}`;
}

/** Parts of a container group's stream id, or undefined for another kind of stream. */
export function parseStreamId(streamId: string): { readonly clusterId: string; readonly podUid: string } | undefined {
  if (!streamId.startsWith(STREAM_PREFIX)) return undefined;
  const rest = streamId.slice(STREAM_PREFIX.length);
  const colon = rest.indexOf(':');
  return colon > 0 ? { clusterId: rest.slice(0, colon), podUid: rest.slice(colon + 1) } : undefined;
}
