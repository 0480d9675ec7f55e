import { fold, isClosed, lifeOf, parseStreamId, type ContainerGroupState } from '#libs/domain';
import { podPhaseOf } from '#libs/kubernetes';
import type { ContainerGroupRecord } from './container-group.entity.ts';
import { canHide, HIDING_SCHEMA_VERSION, readableData } from '../streams/hidden-texts.ts';
import { groupTimes } from './group-times.ts';
import { domainEvent, type Fact } from '../streams/stored-events.ts';

/** An event with its place. */
export interface PlacedFact extends Fact {
  readonly streamId: string;
  readonly version: number;
}

/**
 * The row of a stream; `recorded` = all of its events, in order, at least one. Pure: no ids, no clock, so a rebuild gives the same row. It outlives
 * what is hidden, and is made without it.
 */
export function containerGroupRow(given: readonly PlacedFact[]): ContainerGroupRecord {
  const recorded = given.map((fact) =>
    fact.schemaVersion === HIDING_SCHEMA_VERSION && canHide(fact.type) ? { ...fact, data: readableData(fact) } : fact,
  );
  const first = recorded[0];
  const last = recorded.at(-1);
  if (first === undefined || last === undefined) throw new Error('a stream without events has no row');
  const ids = parseStreamId(first.streamId);
  if (ids === undefined) throw new Error(`${first.streamId} is not a stream of a container group`);
  const events = recorded.map(domainEvent);
  const state = fold(events);
  const times = groupTimes(events);
  const { intent, attempt, group } = state;
  const { reason, message } = reasonOf(state);
  return {
    streamId: first.streamId,
    streamVersion: String(last.version),
    clusterId: ids.clusterId,
    podUid: ids.podUid,
    namespace: intent?.pod.namespace ?? state.stop?.namespace ?? '',
    name: intent?.pod.name ?? state.stop?.name ?? '',
    life: lifeOf(state),
    phase: podPhaseOf(state) ?? null,
    closed: isClosed(state),
    podObjectGone: state.podObjectGone,
    containerGroupId: group?.containerGroupId ?? null,
    groupStatus: group?.status ?? null,
    accountId: attempt?.accountId || (intent?.need.accountId ?? null),
    region: attempt?.region || (intent?.need.region ?? null),
    zone: group?.landed?.zone ?? null,
    vSwitchId: group?.landed?.vSwitchId ?? null,
    spec: group?.landed?.spec ?? attempt?.specs[0] ?? intent?.need.specs[0] ?? null,
    cpu: group?.landed?.cpu ?? null,
    memoryGiB: group?.landed?.memoryGiB ?? null,
    chargeType: attempt?.chargeType ?? intent?.need.chargeType ?? null,
    attempts: attempt?.number ?? 0,
    reason,
    message,
    podIp: group?.podIp ?? null,
    images: [...new Set((intent?.pod.containers ?? []).map((container) => container.image))],
    requestedAt: new Date(first.metadata.decidedAt),
    createdAt: dateOf(times.createdAt),
    landedAt: dateOf(times.landedAt),
    runningAt: dateOf(times.runningAt),
    stopRequestedAt: dateOf(times.stopRequestedAt),
    endedAt: dateOf(times.endedAt),
    endedGroupSeconds: times.endedGroupSeconds,
    lastEventType: last.type,
    updatedAt: new Date(last.metadata.decidedAt),
  };
}

/** Why it stands where it stands, in a word and in a sentence. */
export function reasonOf({ end, parked, attempt, stop }: ContainerGroupState): {
  reason: string | null;
  message: string | null;
} {
  if (end) return { reason: end.reason, message: end.message || null };
  if (stop) return { reason: stop.reason, message: null };
  if (parked) return { reason: parked.reason, message: parked.message };
  if (attempt?.refusal) return { reason: attempt.refusal.class, message: attempt.refusal.message };
  return { reason: null, message: null };
}

const dateOf = (at: number | undefined): Date | null => (at === undefined ? null : new Date(at));
