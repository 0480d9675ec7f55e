import type { StoredContainerGroupEvent } from '#libs/domain';

/** When what happened, and how long groups of the stream existed. Epoch milliseconds. */
interface GroupTimes {
  /** The newest group. */
  readonly createdAt?: number;
  readonly landedAt?: number;
  /** First time that any group of the stream was seen running. */
  readonly runningAt?: number;
  readonly stopRequestedAt?: number;
  /** The pod reached its end, or its last group was gone. */
  readonly endedAt?: number;
  /** Groups that are over, from their creation to their end; one that never got past scheduling costs nothing and counts nothing. */
  readonly endedGroupSeconds: number;
}

/** Pure: the same events give the same times, so a rebuilt row equals the one it replaces. */
export function groupTimes(events: readonly StoredContainerGroupEvent[]): GroupTimes {
  const open = new Map<string, number>();
  const times: { -readonly [K in keyof GroupTimes]: GroupTimes[K] } = { endedGroupSeconds: 0 };
  const close = (id: string | undefined, at: number): void => {
    const since = id === undefined ? undefined : open.get(id);
    if (id === undefined || since === undefined) return;
    open.delete(id);
    times.endedGroupSeconds += Math.max(0, (at - since) / 1000);
    times.endedAt = at;
  };
  for (const event of events) {
    const at = Date.parse(event.at);
    switch (event.type) {
      case 'ContainerGroupCreated':
      case 'Adopted':
        open.set(event.data.containerGroupId, at);
        times.createdAt = at;
        delete times.landedAt;
        break;
      case 'ContainerGroupLanded':
        times.landedAt = at;
        break;
      case 'SchedulingFailed':
        open.delete(event.data.containerGroupId);
        break;
      case 'ContainersChanged':
        if (event.data.status === 'Running') times.runningAt ??= at;
        break;
      case 'StopRequested':
        times.stopRequestedAt ??= at;
        break;
      case 'ContainerGroupSucceeded':
      case 'ContainerGroupFailed':
      case 'ContainerGroupExpired':
        // The cloud's own time is nearer to the bill than the moment we saw it.
        close(event.data.containerGroupId, timeOf(event.data.finishedAt, at));
        times.endedAt = timeOf(event.data.finishedAt, at);
        break;
      case 'PodRejected':
        times.endedAt ??= at;
        break;
      case 'ContainerGroupGone':
        close(event.data.containerGroupId, timeOf(event.data.finishedAt, at));
        break;
      case 'OrphanFound':
        open.set(event.data.containerGroupId, timeOf(event.data.createdAt, at));
        break;
      default:
        break;
    }
  }
  return times;
}

function timeOf(said: string | undefined, seenAt: number): number {
  const at = said === undefined ? NaN : Date.parse(said);
  return Number.isNaN(at) ? seenAt : at;
}
