import type { Consequences, EffectChange as Change, ParkingChange } from '../decider.ts';
import type { EffectKind } from './effects.ts';
import type { ContainerGroupEvent } from './events.ts';
import { evolve } from './evolve.ts';
import { attemptInDoubt, isClosed, placeOfGroup, wantsPlacement } from './questions.ts';
import type { ContainerGroupState } from './state.ts';

type EffectChange = Change<EffectKind>;

const SECOND = 1000;

/** After an unknown outcome the frozen request is repeated first; a look-up is the second way to the truth. */
const LOOK_UP_AFTER_UNKNOWN_MS = 60 * SECOND;
/** Longer than a claim lives: by then its call has ended or its deadline has passed. */
const LOOK_UP_AFTER_STOP_MS = 90 * SECOND;
/** A late twin is deleted this long after it was found. */
const TWIN_GRACE_MS = 60 * SECOND;
/** First read by id after ECI accepted a delete. */
const CONFIRM_AFTER_MS = 1 * SECOND;

/**
 * The rows that go with the events of one decision, in the same transaction: pure, so that they can be computed again. Of several changes to one
 * row the last one holds.
 */
export function consequencesOf(
  events: readonly ContainerGroupEvent[],
  before: ContainerGroupState,
): Consequences<EffectKind> {
  const effects = new Map<string, EffectChange>();
  const containerGroupIds: string[] = [];
  let parking: ParkingChange | undefined;
  let state = before;
  for (const event of events) {
    state = evolve(state, event);
    for (const change of effectsOf(event, state)) effects.set(`${change.kind}:${change.key}`, change);
    parking = parkingOf(event, state) ?? parking;
    if (event.type === 'ContainerGroupCreated' || event.type === 'Adopted' || event.type === 'OrphanFound') {
      containerGroupIds.push(event.data.containerGroupId);
    }
  }
  return {
    effects: [...effects.values()],
    parking: parking ? [parking] : [],
    containerGroups: containerGroupIds.map((id) => ({ ...placeOfGroup(state, id), containerGroupId: id })),
    destroySealed: isClosed(state) && !isClosed(before),
    closed: isClosed(state) && state.podObjectGone,
  };
}

/** `state` is the one after the event. */
function effectsOf(event: ContainerGroupEvent, state: ContainerGroupState): readonly EffectChange[] {
  const priority = state.intent?.need.priority ?? 0;
  const put = (kind: EffectKind, key: string, afterMs = 0): EffectChange => ({
    op: 'put',
    kind,
    key,
    afterMs,
    priority,
  });
  const remove = (kind: EffectKind, key: string, unlessClaimed = false): EffectChange => ({
    op: 'remove',
    kind,
    key,
    unlessClaimed,
  });
  const placeIfWanted = (): EffectChange[] => (wantsPlacement(state) ? [put('Place', 'next')] : []);

  switch (event.type) {
    case 'PodIntentAccepted':
      return event.data.lookUpFirst ? [put('LookUp', '0')] : placeIfWanted();
    case 'PodIntentRefreshed':
      return [remove('Refresh', 'intent'), ...placeIfWanted()];
    case 'StopHeld':
      // What exists goes on; nothing new is made for a pod that may be gone.
      return [remove('Place', 'next'), remove('Refresh', 'intent')];
    case 'StopReleased':
      return placeIfWanted();
    case 'PodRejected':
      return [remove('Place', 'next'), remove('Refresh', 'intent')];
    case 'PlacementChosen':
    case 'PodChangeRefused':
    case 'ContainerGroupLanded':
    case 'ContainersChanged':
    case 'SpotReleaseAnnounced':
    case 'PodObjectGone':
    case 'StopDenied':
      return [];
    case 'ContainerGroupCreated':
      return [remove('LookUp', `${event.data.attempt}`), ...deleteIfStopped(state, put)];
    case 'Adopted':
      // A worker may still hold the Create row for a repeat of the same token: it finds the attempt settled.
      return [
        remove('LookUp', `${event.data.attempt}`),
        remove('LookUp', '0'),
        remove('Create', `${event.data.attempt}`, true),
        ...deleteIfStopped(state, put),
      ];
    case 'CreateRefused':
      return [remove('LookUp', `${event.data.attempt}`), ...placeIfWanted()];
    case 'CreateOutcomeUnknown':
      return [put('LookUp', `${event.data.attempt}`, state.stop ? 0 : LOOK_UP_AFTER_UNKNOWN_MS)];
    case 'SchedulingFailed':
      return placeIfWanted();
    case 'Parked':
      return [remove('Place', 'next')];
    case 'Unparked':
      return placeIfWanted();
    case 'ContainerGroupSucceeded':
    case 'ContainerGroupFailed':
    case 'ContainerGroupExpired':
      return [remove('Place', 'next')];
    case 'StopRequested':
      return stopped(state, put, remove);
    case 'DeleteAccepted':
      return [
        remove('Delete', event.data.containerGroupId),
        put('Confirm', event.data.containerGroupId, CONFIRM_AFTER_MS),
      ];
    case 'ContainerGroupGone': {
      const { containerGroupId, attempt } = event.data;
      return containerGroupId === undefined
        ? [remove('Create', `${attempt}`), remove('LookUp', `${attempt}`), ...placeIfWanted()]
        : [remove('Delete', containerGroupId), remove('Confirm', containerGroupId), ...placeIfWanted()];
    }
    case 'OrphanFound':
      return [put('Delete', event.data.containerGroupId, TWIN_GRACE_MS)];
  }
}

type Put = (kind: EffectKind, key: string, afterMs?: number) => EffectChange;
type Remove = (kind: EffectKind, key: string, unlessClaimed?: boolean) => EffectChange;

function deleteIfStopped(state: ContainerGroupState, put: Put): EffectChange[] {
  return state.stop && state.group ? [put('Delete', state.group.containerGroupId)] : [];
}

/**
 * Work that was not begun is taken back; a group that exists is deleted; an attempt in doubt is settled by look-up, for after a stop no create is
 * sent again.
 */
function stopped(state: ContainerGroupState, put: Put, remove: Remove): EffectChange[] {
  const changes = [remove('Place', 'next'), remove('Refresh', 'intent')];
  if (state.group && !state.group.gone && !state.group.deleteAcceptedAt && state.group.status !== 'ScheduleFailed') {
    changes.push(put('Delete', state.group.containerGroupId));
  }
  if (state.attempt && attemptInDoubt(state)) {
    const key = `${state.attempt.number}`;
    changes.push(remove('Create', key, true), put('LookUp', key, LOOK_UP_AFTER_STOP_MS));
  }
  return changes;
}

function parkingOf(event: ContainerGroupEvent, state: ContainerGroupState): ParkingChange | undefined {
  switch (event.type) {
    case 'Parked':
      return { op: 'park', gate: event.data.gate, priority: state.intent?.need.priority ?? 0 };
    case 'Unparked':
    case 'StopRequested':
    case 'PodRejected':
      return { op: 'unpark' };
    default:
      return undefined;
  }
}
