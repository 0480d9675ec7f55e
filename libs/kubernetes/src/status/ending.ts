import type { ContainerGroupState, ContainerState, ContainerStatus } from '#libs/domain';

/** In a kubelet's words. */
export const NOT_LOCATED = 'The container could not be located when the pod was terminated';

/**
 * The last state of a container, once nothing of its pod runs: the code that was seen; 137 of one that ran and whose end nobody saw; one that
 * never started goes on waiting.
 */
export function lastStateOf(
  seen: ContainerStatus | undefined,
  unseen: ContainerState,
  { podRan, initializedSince, at }: { podRan: boolean; initializedSince?: string | undefined; at: string },
): ContainerState {
  const current = seen?.state ?? unseen;
  if (current.state === 'terminated') return current;
  // An init container has ended well when a container of the pod has started.
  if (initializedSince !== undefined) {
    return { state: 'terminated', exitCode: 0, reason: 'Completed', ...startOf(current), finishedAt: initializedSince };
  }
  // It waited to be started once more; what counts is how it ended.
  if (current.state === 'waiting' && seen?.lastState?.state === 'terminated') return seen.lastState;
  const ran = current.state === 'running' || (seen ? seen.restartCount > 0 : podRan);
  if (!ran) return current;
  return {
    state: 'terminated',
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: NOT_LOCATED,
    ...startOf(current),
    finishedAt: at,
  };
}

export const startOf = (current: ContainerState): { startedAt?: string } =>
  current.state === 'running' && current.startedAt ? { startedAt: current.startedAt } : {};

/** What {@link lastStateOf} needs to know of the pod, for its containers or for its init containers. */
export function endedPod(state: ContainerGroupState, init: boolean) {
  return {
    podRan: (state.group?.hasRun ?? false) || (state.intent?.lookUpFirst ?? false),
    initializedSince: init ? state.group?.initializedSince : undefined,
    at: endedAt(state) ?? '',
  };
}

/** When the pod ended: its group's end, its refusal, or the proof that nothing of a stopped pod is left. Undefined: it has not. */
export function endedAt({ end, finalSince, intent }: ContainerGroupState): string | undefined {
  // A refused pod of restartPolicy Always only waits: a ReplicaSet would replace one that failed without back-off.
  if (end && (end.kind !== 'rejected' || intent?.pod.restartPolicy !== 'Always')) return end.at;
  return finalSince;
}

/** Every container of a stopped pod ended with 0, the init containers before them. */
export function endedWell(state: ContainerGroupState): boolean {
  const { intent, group } = state;
  const ended = (names: readonly { readonly name: string }[], seen: readonly ContainerStatus[], init: boolean) =>
    names.every(({ name }) => {
      const found = seen.find((each) => each.name === name);
      const last = lastStateOf(found, { state: 'waiting', reason: '' }, endedPod(state, init));
      return last.state === 'terminated' && last.exitCode === 0;
    });
  return (
    intent !== undefined &&
    ended(intent.pod.containers, group?.containers ?? [], false) &&
    ended(intent.pod.initContainers, group?.initContainers ?? [], true)
  );
}

/**
 * Why the system, and nobody of the pod's own, ended it; undefined when it did not. Such an end is no fault of the workload: Job controllers
 * can be told not to count it.
 */
export function disruptionOf({ end, group }: ContainerGroupState): string | undefined {
  if (end?.kind === 'expired') return end.reason === 'BidFailed' ? 'SpotReleased' : 'ContainerGroupExpired';
  if (end?.kind !== 'failed') return undefined;
  if (end.bySystem && end.reason === 'BidFailed') return 'SpotReleased';
  if (end.bySystem && EVICTED.test(end.reason)) return 'TerminationByKubelet';
  const hostFailed = group?.conditions.some(
    ({ type, status, reason }) => type === 'SandboxReady' && status !== 'True' && HOST_FAILURE.test(reason ?? ''),
  );
  if (hostFailed || HOST_FAILURE.test(end.reason)) return 'HostFailure';
  if (end.reason !== 'OutcomeUnknown') return undefined;
  return group?.spotRelease === undefined ? 'ContainerGroupVanished' : 'SpotReleased';
}

/** `SystemFailure.Reboot`, `InstanceFailure.Reboot`, `SystemFailure.Redeploy`, `SystemFailureReboot`. */
const HOST_FAILURE = /^(System|Instance)Failure|^SystemReboot$/;
const EVICTED = /^Evict/;
