import { type ContainerGroupState, hasGivenUp } from '#libs/domain';
import { containerStatusesOf } from './container-statuses.ts';
import { disruptionOf, endedAt } from './ending.ts';
import { phaseOf, reasonOf, triedOf } from './phase.ts';
import type { PodConditionStatus } from './pod-status-shape.ts';
import { seconds } from './times.ts';

/**
 * Conditions of the pod. Each transition has the time of the event that brought it, never "now", so that a condition that did not change reads
 * the same in every version of the status. `observedGeneration` is never written: a stale one would make `kubectl wait` hang.
 */
export function conditionsOf(state: ContainerGroupState): PodConditionStatus[] {
  const accepted = state.intent!.acceptedAt;
  const own = [
    condition('PodScheduled', true, accepted),
    readyToStart(state, accepted),
    initialized(state, accepted),
    { ...ready(state, accepted), type: 'ContainersReady' },
    ready(state, accepted),
    created(state, accepted),
    ...disrupted(state),
  ];
  const known = new Set(own.map(({ type }) => type));
  const relayed = (state.group?.conditions ?? [])
    .filter(({ type, lastTransitionTime }) => !known.has(type) && lastTransitionTime !== undefined)
    .map((cloud): PodConditionStatus => {
      const isOver = cloud.status === 'True' && !BAD_WHEN_TRUE.has(cloud.type);
      return {
        type: cloud.type,
        status: cloud.status,
        lastTransitionTime: seconds(cloud.lastTransitionTime!),
        ...(cloud.reason && !isOver && { reason: cloud.reason }),
        ...(cloud.message && !isOver && { message: cloud.message }),
      };
    })
    .sort((a, b) => (a.type < b.type ? -1 : 1));
  return [...own, ...relayed];
}

/** The cloud's conditions that say something is wrong, or soon will be; True of any other is what everybody hopes for, and needs no reason. */
const BAD_WHEN_TRUE: ReadonlySet<string> = new Set(['ContainerInstanceExpired', 'Unschedulable']);

const condition = (
  type: string,
  isTrue: boolean,
  at: string,
  reason?: string,
  message?: string,
): PodConditionStatus => ({
  type,
  status: isTrue ? 'True' : 'False',
  lastTransitionTime: seconds(at),
  ...(reason && { reason }),
  ...(message && { message }),
});

function readyToStart(state: ContainerGroupState, accepted: string): PodConditionStatus {
  const { group } = state;
  const ended = endedAt(state);
  const type = 'PodReadyToStartContainers';
  if (group?.podIp === undefined) return condition(type, false, accepted);
  return ended ? condition(type, false, ended) : condition(type, true, group.since);
}

function initialized(state: ContainerGroupState, accepted: string): PodConditionStatus {
  const { initContainers } = containerStatusesOf(state);
  if (initContainers.length === 0) return condition('Initialized', true, accepted);
  const since = state.group?.initializedSince ?? (phaseOf(state) === 'Succeeded' ? endedAt(state) : undefined);
  if (since !== undefined) return condition('Initialized', true, since);
  const names = initContainers.filter(({ ready }) => !ready).map(({ name }) => name);
  return condition(
    'Initialized',
    false,
    accepted,
    'ContainersNotInitialized',
    `containers with incomplete status: [${names.join(' ')}]`,
  );
}

/** Ready and ContainersReady are one: pods with readiness gates are refused. */
function ready(state: ContainerGroupState, accepted: string): PodConditionStatus {
  const { end, group, stop } = state;
  // A group that is gone is ready no more, whatever else of the pod may be left.
  const over = end?.at ?? group?.goneAt ?? stop?.at ?? accepted;
  const wasReady = group?.ready ?? false;
  const since = group?.readySince ?? accepted;
  switch (phaseOf(state)) {
    case 'Succeeded':
      return condition('Ready', false, wasReady ? over : since, 'PodCompleted');
    case 'Failed':
      return condition('Ready', false, wasReady ? over : since, 'PodFailed');
    case 'Pending':
    case 'Running': {
      if (wasReady && !group?.gone) return condition('Ready', true, since);
      const unready = containerStatusesOf(state).containers.filter((container) => !container.ready);
      const names = unready.map(({ name }) => name).join(' ');
      return condition(
        'Ready',
        false,
        wasReady ? over : since,
        'ContainersNotReady',
        names === '' ? undefined : `containers with unready status: [${names}]`,
      );
    }
  }
}

/** Kubernetes' own condition of a pod that was ended for no fault of its own. */
function disrupted(state: ContainerGroupState): PodConditionStatus[] {
  const reason = disruptionOf(state);
  return reason === undefined ? [] : [condition('DisruptionTarget', true, state.end!.at, reason, state.end!.message)];
}

const REASONS = {
  STOCK_OUT: 'NoStock',
  VSWITCH_IP_EXHAUSTED: 'VSwitchIpExhausted',
  QUOTA: 'QuotaFull',
  AUTH: 'Unauthorized',
  NOT_FOUND: 'FailedScheduling',
  INVALID_REQUEST: 'FailedScheduling',
} as const;

/** Alibaba Cloud's own condition: whether the group could be made, with the reasons that its users know. */
function created(state: ContainerGroupState, accepted: string): PodConditionStatus {
  const type = 'ContainerInstanceCreated';
  const { end, group, attempt, failures } = state;
  const cloud = group?.conditions.find((candidate) => candidate.type === type);
  // The cloud goes on naming what went before: what is True has no reason.
  if (group?.beyondScheduling) return condition(type, true, group.since);
  if (end) return condition(type, false, accepted, end.reason, end.message);
  if (hasGivenUp(state)) return condition(type, false, accepted, 'FailedScheduling', triedOf(state));
  if (state.parked) {
    const { gate } = state.parked;
    const reason = gate.kind === 'capacity' ? 'NoStock' : REASONS[gate.class];
    return condition(type, false, accepted, reason, reasonOf(state).message);
  }
  if (group?.open) return condition(type, false, accepted, cloud?.reason ?? 'Creating', cloud?.message);
  const last = failures.at(-1);
  const isTrouble = attempt?.outcome === 'refused' || attempt?.outcome === 'schedule-failed';
  if (last && isTrouble) return condition(type, false, accepted, REASONS[last.class], triedOf(state));
  return condition(type, false, accepted, 'Creating', triedOf(state));
}
