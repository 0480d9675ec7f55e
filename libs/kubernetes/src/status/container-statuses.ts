import type { ContainerGroupState, ContainerState, ContainerStatus } from '#libs/domain';
import { hasGivenUp } from '#libs/domain';
import { endedAt, endedPod, lastStateOf, startOf } from './ending.ts';
import { phaseOf, reasonOf } from './phase.ts';
import type { V1ContainerState, V1ContainerStatus } from './pod-status-shape.ts';
import { seconds } from './times.ts';

type Named = { readonly name: string; readonly image: string };

/** One status for every container of the pod, in the pod's order, also before anything of it was seen. */
export function containerStatusesOf(state: ContainerGroupState): {
  containers: V1ContainerStatus[];
  initContainers: V1ContainerStatus[];
} {
  const { intent, group } = state;
  if (!intent) return { containers: [], initContainers: [] };
  const statuses = (named: readonly Named[], seen: readonly ContainerStatus[], init: boolean): V1ContainerStatus[] =>
    named.map((container) =>
      statusOf(
        state,
        container,
        seen.find(({ name }) => name === container.name),
        init,
      ),
    );
  return {
    containers: statuses(intent.pod.containers, group?.containers ?? [], false),
    initContainers: statuses(intent.pod.initContainers, group?.initContainers ?? [], true),
  };
}

function statusOf(
  state: ContainerGroupState,
  { name, image }: Named,
  seen: ContainerStatus | undefined,
  init: boolean,
): V1ContainerStatus {
  const current = stateOf(state, seen, init);
  const groupId = state.group?.containerGroupId;
  // ECI names containers by their group; any stable unique value will do.
  const containerID = groupId && current.state !== 'waiting' ? `eci://${groupId}/${name}` : undefined;
  const running = current.state === 'running';
  return {
    name,
    image: seen?.image || image,
    imageID: seen?.imageId ?? '',
    ready: init ? current.state === 'terminated' && current.exitCode === 0 : running && (seen?.ready ?? false),
    started: running && (seen?.started ?? true),
    restartCount: seen?.restartCount ?? 0,
    ...(containerID && { containerID }),
    state: shape(current, containerID),
    // What the container waited to be started after is its end now.
    lastState: seen?.lastState && seen.lastState !== current ? shape(seen.lastState, containerID) : {},
  };
}

function waiting(state: ContainerGroupState): ContainerState {
  if (state.end?.kind === 'rejected' || (!state.end && hasGivenUp(state))) {
    // kubectl shows this reason in its STATUS column, as users of ECI know it.
    const { message } = reasonOf(state);
    return { state: 'waiting', reason: 'ProviderFailed', ...(message && { message }) };
  }
  const hasInit = (state.intent?.pod.initContainers.length ?? 0) > 0;
  return { state: 'waiting', reason: hasInit ? 'PodInitializing' : 'ContainerCreating' };
}

/** After the pod's end no container runs; what was not seen to end is said in the kubelet's words. */
function stateOf(state: ContainerGroupState, seen: ContainerStatus | undefined, init: boolean): ContainerState {
  const current = seen?.state ?? waiting(state);
  const phase = phaseOf(state);
  if (phase === 'Succeeded' || phase === 'Failed') {
    const last = lastStateOf(seen, current, endedPod(state, init));
    const isTold = last.state === 'terminated' && (last === seen?.state || last.exitCode === 0);
    if (phase === 'Failed' || isTold) return last;
    return { state: 'terminated', exitCode: 0, reason: 'Completed', ...startOf(current), finishedAt: endedAt(state)! };
  }
  // The cloud's short answer holds no init containers; they have ended when a container of the pod has started.
  if (init && current.state === 'waiting' && state.group?.initializedSince !== undefined) {
    return { state: 'terminated', exitCode: 0, reason: 'Completed', finishedAt: state.group.initializedSince };
  }
  return current;
}

function shape(current: ContainerState, containerID: string | undefined): V1ContainerState {
  switch (current.state) {
    case 'waiting':
      return { waiting: { reason: current.reason, ...(current.message && { message: current.message }) } };
    case 'running':
      return { running: { ...(current.startedAt && { startedAt: seconds(current.startedAt) }) } };
    case 'terminated': {
      const id = current.containerId ?? containerID;
      return {
        terminated: {
          exitCode: current.exitCode,
          reason: current.reason || (current.exitCode === 0 ? 'Completed' : 'Error'),
          ...(current.signal !== undefined && { signal: current.signal }),
          ...(current.message && { message: current.message }),
          ...(current.startedAt && { startedAt: seconds(current.startedAt) }),
          ...(current.finishedAt && { finishedAt: seconds(current.finishedAt) }),
          ...(id && { containerID: id }),
        },
      };
    }
  }
}
