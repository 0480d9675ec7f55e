import { openGroupIds, type ContainerGroupState, type GroupSnapshot, type GroupStatus } from '#libs/domain';
import type { Asking } from '../accounts/dated-eci.ts';
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
  /** When the newest answer with details was asked for. */
  detailsAskedAt: number | undefined;
  /** When what its stream holds was asked for. */
  knownAskedAt: number | undefined;
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
      detailsAskedAt: undefined,
      knownAskedAt: undefined,
      firstSeenAt: now,
      seenAt: now,
      nextReadAt: now,
    };
    this.sights.set(id, sight);
    return sight;
  }

  /** After the stream has taken what was seen; `changed` = it was news. */
  learn(id: string, state: ContainerGroupState, now: number, changed = false): void {
    this.asking.learn(state);
    const sight = this.sights.get(id);
    if (!sight) return;
    const current = state.group?.containerGroupId === id ? state.group : undefined;
    sight.open = openGroupIds(state).includes(id);
    sight.knownAskedAt = current?.askedAt;
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

/** Answers may overtake each other: whether this one was asked for before another of `than`. */
export const isLate = ({ askedAt }: GroupSnapshot, than: number | undefined): boolean =>
  askedAt !== undefined && than !== undefined && askedAt < than;

/** What a sight says, without when it was asked for: the same text, nothing new. */
export function textOf({ askedAt: _, ...said }: GroupSnapshot): string {
  return JSON.stringify(said);
}

/**
 * Details together with what only the status action says (conditions, image ids), when both speak of the same moment of the group's life; they are
 * as old as the older of them. A status that was asked for before `knownAskedAt`, what the stream holds, is overtaken and left out.
 */
export function merged(
  details: GroupSnapshot,
  byStatus: GroupSnapshot | undefined,
  knownAskedAt: number | undefined,
): GroupSnapshot {
  if (!byStatus || byStatus.status !== details.status) return details;
  if (isLate(byStatus, knownAskedAt)) return details;
  const { containers, conditions, startedAt, askedAt } = byStatus;
  return {
    ...details,
    ...(details.askedAt !== undefined && askedAt !== undefined && { askedAt: Math.min(details.askedAt, askedAt) }),
    ...(containers && containers.length > 0 && { containers }),
    ...(conditions && { conditions }),
    ...(startedAt !== undefined && { startedAt }),
  };
}
