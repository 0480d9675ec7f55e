import type { GroupSnapshot } from './commands.ts';
import type { CloudEvent, ContainerStatus, EventData, GroupStatus, NewContainerGroupEvent } from './events.ts';
import { isBeyondScheduling } from './evolve.ts';
import { isFinalStatus, lastSight } from './questions.ts';
import { same } from '../same.ts';
import type { ContainerGroupState, KnownGroup } from './state.ts';
import { whyExpired, whyFailed } from './why-ended.ts';

/**
 * What one sight of a group adds to what is known. Only differences become events. `knew`: the last sight that was known when this was asked for; when
 * another was recorded meanwhile, this may be the older of the two, and adds nothing.
 */
export function observe(snapshot: GroupSnapshot, knew: number, state: ContainerGroupState): NewContainerGroupEvent[] {
  const { containerGroupId } = snapshot;
  if (state.twins[containerGroupId]) {
    if (!isFinalStatus(snapshot.status)) return [];
    const evidence = `it ended by itself: ${snapshot.status}`;
    return [{ type: 'ContainerGroupGone', data: { containerGroupId, evidence, ...finishOf(snapshot) } }];
  }
  const { group } = state;
  if (group?.containerGroupId !== containerGroupId || !group.open) return [];

  const events: NewContainerGroupEvent[] = [];
  // Where it is never changes: an older sight may say it too.
  const landed = landing(snapshot, group);
  if (landed) events.push(landed);
  if (isStale(snapshot, group, knew < lastSight(state, containerGroupId))) return events;
  if (snapshot.status === 'ScheduleFailed' && !group.beyondScheduling && state.attempt) {
    return [...events, schedulingFailed(snapshot, group, state.attempt.number)];
  }
  const picture = pictureOf(snapshot, group);
  if (isNews(picture, group)) events.push({ type: 'ContainersChanged', data: picture });
  const spot = spotNotice(picture);
  if (spot && group.spotRelease === undefined)
    events.push({ type: 'SpotReleaseAnnounced', data: { containerGroupId, message: spot } });
  const end = ending(snapshot, picture, state);
  if (end) events.push(end);
  return events;
}

/** How far a group has come; a smaller number than what is known is an old sight. */
function progress(status: GroupStatus): number {
  if (status === 'Scheduling') return 0;
  if (status === 'Pending') return 1;
  if (status === 'Unknown') return 2;
  return isFinalStatus(status) ? 3 : 2;
}

/**
 * A sight that may be from before what is known, or shows a group less far than it has come. Nothing else of it tells: counts of restarts, addresses
 * and the clocks of hosts may go back. The end of a group is never old: nothing comes after it that it could undo.
 */
function isStale(snapshot: GroupSnapshot, group: KnownGroup, isOvertaken: boolean): boolean {
  if (group.status === null || isFinalStatus(snapshot.status)) return false;
  return isOvertaken || (progress(snapshot.status) < progress(group.status) && isBeyondScheduling(group.status));
}

const known = (name: string, containers: readonly ContainerStatus[]): ContainerStatus | undefined =>
  containers.find((container) => container.name === name);

/** The cloud counts fewer restarts than it did. */
function fell(seen: ContainerStatus, before: ContainerStatus | undefined): boolean {
  return before !== undefined && seen.restartCount < before.restartCount - (before.restartsBefore ?? 0);
}

/** Restarts within a pod never fall: what was counted before the cloud began anew is added. */
function counted(
  seen: readonly ContainerStatus[] | undefined,
  before: readonly ContainerStatus[],
): readonly ContainerStatus[] | undefined {
  return seen?.map((container) => {
    const was = known(container.name, before);
    const base = fell(container, was) ? was!.restartCount : (was?.restartsBefore ?? 0);
    return base === 0 ? container : { ...container, restartCount: container.restartCount + base, restartsBefore: base };
  });
}

function landing(snapshot: GroupSnapshot, group: KnownGroup): NewContainerGroupEvent | undefined {
  const { containerGroupId, zone, vSwitchId, spec, cpu, memoryGiB } = snapshot;
  // While it is being scheduled ECI may still move on to the next vSwitch of the list.
  if (group.landed || !zone || !vSwitchId || !isBeyondScheduling(snapshot.status)) return undefined;
  return {
    type: 'ContainerGroupLanded',
    data: {
      containerGroupId,
      zone,
      vSwitchId,
      spec: spec ?? '',
      ...(cpu === undefined ? {} : { cpu }),
      ...(memoryGiB === undefined ? {} : { memoryGiB }),
    },
  };
}

function schedulingFailed(snapshot: GroupSnapshot, group: KnownGroup, attempt: number): NewContainerGroupEvent {
  const condition = snapshot.conditions?.find((c) => c.type === 'ContainerInstanceCreated' && c.status === 'False');
  const event = snapshot.cloudEvents?.filter((e) => e.type === 'Warning').at(-1);
  return {
    type: 'SchedulingFailed',
    data: {
      attempt,
      containerGroupId: group.containerGroupId,
      reason: condition?.reason ?? event?.reason ?? 'ScheduleFailed',
      message: condition?.message ?? event?.message ?? 'ECI accepted the request and then found no resources for it.',
    },
  };
}

/** The complete picture after this sight: what the answer does not hold stays as it was. */
function pictureOf(snapshot: GroupSnapshot, group: KnownGroup): EventData['ContainersChanged'] {
  const podIp = snapshot.podIp ?? group.podIp;
  const startedAt = snapshot.startedAt ?? group.startedAt;
  return {
    containerGroupId: group.containerGroupId,
    status: snapshot.status,
    containers: nonEmpty(counted(snapshot.containers, group.containers)) ?? group.containers,
    initContainers: nonEmpty(counted(snapshot.initContainers, group.initContainers)) ?? group.initContainers,
    conditions: nonEmpty(snapshot.conditions) ?? group.conditions,
    cloudEvents: nonEmpty(snapshot.cloudEvents) ?? group.cloudEvents,
    ...(podIp ? { podIp } : {}),
    ...(startedAt ? { startedAt } : {}),
  };
}

function isNews(picture: EventData['ContainersChanged'], group: KnownGroup): boolean {
  if (group.status !== picture.status) return true;
  const before = pictureOf({ containerGroupId: group.containerGroupId, status: group.status }, group);
  const cloudEvents = onlyCounted(picture.cloudEvents, group.cloudEvents) ? group.cloudEvents : picture.cloudEvents;
  return !same({ ...picture, cloudEvents }, before);
}

const COUNTED_FOR_MS = 600_000;

/**
 * The cloud tells the same as before and has only counted on: a container that does not start brings the same event every few seconds, for as long
 * as nobody helps it. That is news when its count has doubled, or ten minutes after it was told last.
 */
function onlyCounted(now: readonly CloudEvent[], before: readonly CloudEvent[]): boolean {
  if (now.length !== before.length) return false;
  return now.every(({ count, lastTimestamp, ...event }, index) => {
    const { count: was, lastTimestamp: wasAt, ...known } = before[index]!;
    if (!same(event, known)) return false;
    if (count === was && lastTimestamp === wasAt) return true;
    const later = Date.parse(lastTimestamp ?? '') - Date.parse(wasAt ?? '');
    return count < was * 2 && !(later >= COUNTED_FOR_MS);
  });
}

function nonEmpty<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined;
}

function spotNotice(picture: EventData['ContainersChanged']): string | undefined {
  const event = picture.cloudEvents.find((e) => e.reason === 'SpotToBeReleased');
  const condition = picture.conditions.find((c) => c.type === 'ContainerInstanceExpired' && c.status === 'True');
  return (
    event?.message ?? (condition ? (condition.message ?? 'The spot container group will be released.') : undefined)
  );
}

const finishOf = ({ finishedAt }: GroupSnapshot) => (finishedAt === undefined ? {} : { finishedAt });

function ending(
  snapshot: GroupSnapshot,
  picture: EventData['ContainersChanged'],
  state: ContainerGroupState,
): NewContainerGroupEvent | undefined {
  const { containerGroupId } = snapshot;
  const finished = finishOf(snapshot);
  switch (snapshot.status) {
    case 'Succeeded':
      return { type: 'ContainerGroupSucceeded', data: { containerGroupId, ...finished } };
    case 'Failed':
    case 'ScheduleFailed': {
      const { bySystem, ...why } = whyFailed(picture, state, snapshot.finishedAt);
      return {
        type: 'ContainerGroupFailed',
        data: { containerGroupId, ...why, ...(bySystem && { bySystem }), ...finished },
      };
    }
    case 'Expired':
      return {
        type: 'ContainerGroupExpired',
        data: { containerGroupId, ...whyExpired(picture, state, spotNotice(picture)), ...finished },
      };
    case 'Scheduling':
    case 'Pending':
    case 'Running':
    case 'Restarting':
    case 'Updating':
    case 'Terminating':
    case 'Unknown':
      return undefined;
  }
}
