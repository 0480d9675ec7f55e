import { lastSight, openGroupIds, type ContainerGroupState, type GroupSnapshot, type GroupStatus } from '#libs/domain';
import type { Asking } from '../accounts/ordered-eci.ts';
import { DetailsSchedule, isSettled } from './details-schedule.ts';

/** What this process saw last of one group. */
export interface Sight {
  readonly streamId: string;
  /** The stream counts it as one that may still run. */
  open: boolean;
  landed: boolean;
  hasInitContainers: boolean;
  status: GroupStatus | undefined;
  /** Last answer of the status action; it holds what the details lack, and the other way round. */
  byStatus: GroupSnapshot | undefined;
  byStatusText: string | undefined;
  byDetailsText: string | undefined;
  /** Place of the request of the newest answer with details. */
  detailsAsked: number | undefined;
  /** The last sight in its stream, and the last request that was sent before this process knew it. */
  held: { readonly version: number; readonly afterRequest: number };
  /** The version of `held` with which the last answer of the status action agreed. */
  byStatusHeld: number | undefined;
  readonly firstSeenAt: number;
  seenAt: number;
  nextReadAt: number;
  /** Since when the status action shows its end, and its details do not. */
  endSeenAt?: number;
}

const FIRST_MINUTE_MS = 60_000;
const READ_YOUNG_MS = 2_000;
const READ_OLD_MS = 10_000;
/** Groups that ended are listed for an hour by the cloud. */
const FORGET_MS = 2 * 3_600_000;

/**
 * Memory of what was seen, so that a group that did not change costs nothing. Only a cache: without it everything is looked up once more.
 */
export class Sights {
  private readonly sights = new Map<string, Sight>();
  /** When the details of groups that have landed are read again. */
  readonly details = new DetailsSchedule();
  private readonly asking: Asking;

  constructor(asking: Asking) {
    this.asking = asking;
  }

  get(id: string): Sight | undefined {
    return this.sights.get(id);
  }

  meet(id: string, streamId: string, now: number): Sight {
    const known = this.sights.get(id);
    if (known) return known;
    const sight: Sight = {
      streamId,
      open: true,
      landed: false,
      hasInitContainers: false,
      status: undefined,
      byStatus: undefined,
      byStatusText: undefined,
      byDetailsText: undefined,
      detailsAsked: undefined,
      held: { version: 0, afterRequest: 0 },
      byStatusHeld: undefined,
      firstSeenAt: now,
      seenAt: now,
      nextReadAt: now,
    };
    this.sights.set(id, sight);
    return sight;
  }

  /** After the stream has taken what was seen; `changed` = it was news. */
  learn(id: string, state: ContainerGroupState, now: number, changed = false): void {
    const sight = this.sights.get(id);
    if (!sight) return;
    const current = state.group?.containerGroupId === id ? state.group : undefined;
    sight.open = openGroupIds(state).includes(id);
    const version = lastSight(state, id);
    if (version !== sight.held.version) sight.held = { version, afterRequest: this.asking.last };
    sight.landed = current === undefined || current.landed !== undefined;
    sight.hasInitContainers = (state.intent?.pod.initContainers.length ?? 0) > 0;
    const isWatched = sight.open && current?.landed !== undefined && !state.stop;
    if (isWatched) this.details.learn(id, { settled: isSettled(current), changed, now });
    else this.details.forget(id);
  }

  /** Groups that have not landed and whose next read by id is due; each is read at most once for each time it is answered. */
  dueForReading(now: number, limit: number): readonly string[] {
    const due: string[] = [];
    for (const [id, sight] of this.sights) {
      if (due.length === limit) break;
      if (!sight.open || sight.landed || sight.nextReadAt > now) continue;
      sight.nextReadAt = now + (now - sight.firstSeenAt < FIRST_MINUTE_MS ? READ_YOUNG_MS : READ_OLD_MS);
      due.push(id);
    }
    return due;
  }

  /** Some group is on its way. */
  get expecting(): boolean {
    for (const sight of this.sights.values()) if (sight.open && !sight.landed) return true;
    return false;
  }

  forgetOld(now: number): void {
    for (const [id, sight] of this.sights) if (!sight.open && now - sight.seenAt > FORGET_MS) this.sights.delete(id);
  }
}

/** The last sight in its stream that was known when this one was asked for. */
export const knewOf = ({ asked }: GroupSnapshot, { held }: Sight): number =>
  asked === undefined || asked > held.afterRequest ? held.version : 0;

/** Answers to one process may overtake each other: whether this one was asked for before another of `than`. */
export const isLate = ({ asked }: GroupSnapshot, than: number | undefined): boolean =>
  asked !== undefined && than !== undefined && asked < than;

/** The last answer of the status action, unless the stream holds another sight since. */
export function currentStatus(sight: Sight): GroupSnapshot | undefined {
  const { byStatus, byStatusHeld, held } = sight;
  return byStatus && (byStatusHeld === held.version || knewOf(byStatus, sight) === held.version) ? byStatus : undefined;
}

/** What a sight says, without when it was asked for: the same text, nothing new. */
export function textOf({ asked: _, ...said }: GroupSnapshot): string {
  return JSON.stringify(said);
}

/** Details together with what only the status action says (conditions, image ids), when both speak of the same moment of the group's life. */
export function merged(details: GroupSnapshot, byStatus: GroupSnapshot | undefined): GroupSnapshot {
  if (byStatus?.status !== details.status) return details;
  const { containers, conditions, startedAt } = byStatus;
  return {
    ...details,
    ...(containers && containers.length > 0 && { containers }),
    ...(conditions && { conditions }),
    ...(startedAt !== undefined && { startedAt }),
  };
}
