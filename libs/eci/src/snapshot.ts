import type {
  CloudEvent,
  ContainerState,
  ContainerStatus,
  GroupSnapshot,
  GroupStatus,
  PodCondition,
} from '#libs/domain';
import type { FoundGroup } from './reads.ts';
import type { Group, GroupContainer, GroupInitContainer, StatusContainer, StatusRow, StatusState } from './sdk.ts';
import { idOf, message, name, reason, time } from './said.ts';
import { identityOf } from './tags.ts';

/** The ten statuses of the API's metadata; anything newer is `Unknown` (older texts also name StartingFailed and WatingForDel). */
const STATUSES: ReadonlySet<string> = new Set<GroupStatus>([
  'Scheduling',
  'ScheduleFailed',
  'Pending',
  'Running',
  'Restarting',
  'Updating',
  'Terminating',
  'Succeeded',
  'Failed',
  'Expired',
]);

const statusOf = (status: string | undefined): GroupStatus =>
  status !== undefined && STATUSES.has(status) ? (status as GroupStatus) : 'Unknown';

/** Only what is there: an absent or empty field proves nothing. */
function filled<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  ) as { [K in keyof T]?: NonNullable<T[K]> };
}

/** A row of DescribeContainerGroups: everything but pod conditions and image ids. Undefined for a row without an id. */
export function foundGroup(group: Group): FoundGroup | undefined {
  const containerGroupId = idOf(group.containerGroupId);
  if (containerGroupId === undefined) return undefined;
  const identity = identityOf(group.tags);
  const snapshot: GroupSnapshot = {
    containerGroupId,
    status: statusOf(group.status),
    ...filled({
      attempt: identity?.attempt,
      zone: name(group.zoneId),
      vSwitchId: name(group.vSwitchId),
      spec: name(group.instanceType) || sizeOf(group.cpu, group.memory),
      cpu: group.cpu,
      memoryGiB: group.memory,
      podIp: name(group.intranetIp),
      containers: group.containers?.map((container) => containerStatus(container)),
      initContainers: group.initContainers?.map((container) => containerStatus(container)),
      cloudEvents: group.events?.map(cloudEvent),
      createdAt: time(group.creationTime),
      finishedAt: time(group.succeededTime) ?? time(group.failedTime) ?? time(group.expiredTime),
    }),
  };
  return { snapshot, ...(identity ? { identity } : {}) };
}

/** A row of DescribeContainerGroupStatus: status in Kubernetes' shape, no zone, vSwitch, tags or init containers. */
export function statusSnapshot(row: StatusRow): GroupSnapshot | undefined {
  const containerGroupId = idOf(row.containerGroupId);
  if (containerGroupId === undefined) return undefined;
  const pod = row.podStatus;
  return {
    containerGroupId,
    status: statusOf(row.status),
    ...filled({
      podIp: name(pod?.podIp),
      startedAt: time(pod?.startTime),
      containers: pod?.containerStatuses?.map(statusContainer),
      conditions: pod?.conditions?.map(condition),
    }),
  };
}

const sizeOf = (cpu: number | undefined, memory: number | undefined): string | undefined =>
  cpu !== undefined && memory !== undefined && cpu > 0 ? `${cpu}-${memory}Gi` : undefined;

type State = GroupContainer['currentState'] | GroupContainer['previousState'];

function containerStatus(container: GroupContainer | GroupInitContainer): ContainerStatus {
  const state = containerState(container.currentState) ?? { state: 'waiting', reason: 'ContainerCreating' };
  const lastState = containerState(container.previousState);
  return {
    name: name(container.name ?? ''),
    image: reason(container.image ?? ''),
    ready: container.ready ?? false,
    started: state.state === 'running',
    restartCount: container.restartCount ?? 0,
    state,
    ...(lastState ? { lastState } : {}),
  };
}

function containerState(state: State): ContainerState | undefined {
  switch (state?.state) {
    case 'Waiting':
      return {
        state: 'waiting',
        reason: reason(state.reason || state.detailStatus || 'Waiting'),
        ...filled({ message: message(state.message) }),
      };
    case 'Running':
      return { state: 'running', ...filled({ startedAt: time(state.startTime) }) };
    case 'Terminated':
      return {
        ...ended(state.exitCode, state.reason || state.detailStatus),
        // A signal of 0 is ECI's way to say that there was none.
        ...filled({
          signal: state.signal || undefined,
          message: message(state.message),
          startedAt: time(state.startTime),
          finishedAt: time(state.finishTime),
        }),
      };
    default:
      // An empty previous state is common and means that there is none.
      return undefined;
  }
}

/** Kubernetes' own stand-in when nobody knows how a container ended: 137, ContainerStatusUnknown. */
function ended(
  exitCode: number | undefined,
  said: string | undefined,
): { readonly state: 'terminated'; readonly exitCode: number; readonly reason: string } {
  if (exitCode === undefined)
    return { state: 'terminated', exitCode: 137, reason: reason(said || 'ContainerStatusUnknown') };
  return { state: 'terminated', exitCode, reason: reason(said || (exitCode === 0 ? 'Completed' : 'Error')) };
}

function statusContainer(container: StatusContainer): ContainerStatus {
  const state = statusState(container.state) ?? { state: 'waiting', reason: 'ContainerCreating' };
  const lastState = statusState(container.lastState);
  return {
    name: name(container.name ?? ''),
    image: reason(container.image ?? ''),
    ready: container.ready ?? false,
    started: container.started ?? state.state === 'running',
    restartCount: container.restartCount ?? 0,
    state,
    ...filled({ imageId: reason(container.imageID) }),
    ...(lastState ? { lastState } : {}),
  };
}

function statusState(state: StatusState | undefined): ContainerState | undefined {
  const { terminated, running, waiting } = state ?? {};
  if (terminated) {
    return {
      ...ended(terminated.exitCode, terminated.reason),
      ...filled({
        signal: terminated.signal || undefined,
        message: message(terminated.message),
        startedAt: time(terminated.startedAt),
        finishedAt: time(terminated.finishedAt),
        containerId: name(terminated.containerID),
      }),
    };
  }
  // `StartedAtstartedAt` is the API's real name for it.
  if (running) return { state: 'running', ...filled({ startedAt: time(running.startedAtstartedAt) }) };
  if (waiting?.reason || waiting?.message) {
    return {
      state: 'waiting',
      reason: reason(waiting.reason || 'Waiting'),
      ...filled({ message: message(waiting.message) }),
    };
  }
  return undefined;
}

function condition(row: {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}): PodCondition {
  return {
    type: name(row.type ?? ''),
    status: row.status === 'True' || row.status === 'False' ? row.status : 'Unknown',
    ...filled({
      reason: reason(row.reason),
      message: message(row.message),
      lastTransitionTime: time(row.lastTransitionTime),
    }),
  };
}

function cloudEvent(row: NonNullable<Group['events']>[number]): CloudEvent {
  return {
    type: row.type === 'Warning' ? 'Warning' : 'Normal',
    reason: reason(row.reason ?? ''),
    message: message(row.message ?? ''),
    count: row.count ?? 1,
    ...filled({ firstTimestamp: time(row.firstTimestamp), lastTimestamp: time(row.lastTimestamp) }),
  };
}
