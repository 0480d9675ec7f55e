import { describe, expect, it } from 'vitest';
import { decide, decideOrphan, foldOrphan, type EventType, type OrphanEvent } from '#libs/domain';
import type { NewEvent } from '#libs/event-store';
import { containerGroupRow } from '../container-groups/container-group-row.ts';
import { groupTimes } from '../container-groups/group-times.ts';
import { attemptsFollowEachOther } from '../doctor/oracles/o3-one-open.ts';
import { factsOf, stored } from '../doctor/for-doctor-specs.ts';
import { accepted, created, landed, placed, running, story } from '../for-specs.ts';
import { podStatusRecord } from '../publish/pod-status.ts';
import { canHide, HIDING_SCHEMA_VERSION } from './hidden-texts.ts';
import { domainEvent, EVENT_SCHEMA_VERSION, orphanEvent, stateOf } from './stored-events.ts';

/** Every type there is; the compiler misses none. */
const TYPES: Record<EventType, true> = {
  PodIntentAccepted: true,
  PodIntentRefreshed: true,
  PodChangeRefused: true,
  PodRejected: true,
  PlacementChosen: true,
  ContainerGroupCreated: true,
  CreateRefused: true,
  CreateOutcomeUnknown: true,
  Adopted: true,
  ContainerGroupLanded: true,
  SchedulingFailed: true,
  Parked: true,
  Unparked: true,
  ContainersChanged: true,
  ContainerGroupSucceeded: true,
  ContainerGroupFailed: true,
  SpotReleaseAnnounced: true,
  ContainerGroupExpired: true,
  StopRequested: true,
  StopHeld: true,
  StopDenied: true,
  StopReleased: true,
  DeleteAccepted: true,
  ContainerGroupGone: true,
  OrphanFound: true,
  PodObjectGone: true,
};
const ORPHAN_TYPES: Record<OrphanEvent['type'], true> = {
  OrphanQuarantined: true,
  OrphanKept: true,
  OrphanRemovalRequested: true,
  OrphanDeleteAccepted: true,
  OrphanRemoved: true,
  OrphanClosed: true,
};

const AT = '2026-03-01T11:00:00.000Z';
/** The first that this code does not know of a type. */
const newerOf = (type: string): number => (canHide(type) ? HIDING_SCHEMA_VERSION : EVENT_SCHEMA_VERSION) + 1;
/** As a later version might write it: the same name, and nothing in it that we know. */
const written = (type: string, schemaVersion: number): NewEvent => ({
  eventId: '00000000-0000-4000-8000-000000000001',
  type,
  schemaVersion,
  data: { shape: ['of', { next: 'year' }] },
  metadata: { actor: 'control-plane:effects', decidedAt: AT },
});

const LIFE = story([accepted('c1', 'u1'), placed(), created('eci-1'), landed('eci-1', 'z'), running('eci-1')]);

/** Whoever makes something of stored events. */
const READERS: Record<string, (events: readonly NewEvent[]) => unknown> = {
  'a decider': (events) => stateOf(stored(events)),
  'the read model': (events) => ({ ...containerGroupRow(stored(events)), lastEventType: undefined }),
  'the status of the pod': (events) => podStatusRecord(stored(events))?.value?.toString(),
  'times and cost': (events) => groupTimes(stored(events).map(domainEvent)),
  'the doctor': (events) => attemptsFollowEachOther(factsOf(events)),
};

describe('an event of a newer schema', () => {
  it.each(Object.keys(TYPES).flatMap((type) => Object.keys(READERS).map((reader) => [type, reader] as const)))(
    '%s is for %s as one of an unknown type',
    (type, reader) => {
      const read = READERS[reader] as (typeof READERS)[string];
      const newer = newerOf(type);
      expect(read([...LIFE, written(type, newer)])).toEqual(
        read([...LIFE, written(`${type} (schema ${newer})`, EVENT_SCHEMA_VERSION)]),
      );
    },
  );

  it.each(Object.keys(TYPES))('%s keeps everybody from deciding on its stream', (type) => {
    const state = stateOf(stored([...LIFE, written(type, newerOf(type))]));
    expect(decide({ type: 'Unpark', by: 'jo' }, state, AT)).toMatchObject({
      accepted: false,
      code: 'UnknownEvents',
    });
  });

  it.each(Object.keys(ORPHAN_TYPES))('%s keeps everybody from deciding on its orphan', (type) => {
    const state = foldOrphan([orphanEvent(written(type, newerOf(type)))]);
    expect(state.phase).toBe('none');
    expect(decideOrphan({ type: 'RequestRemoval', by: 'jo', reason: 'a test' }, state, AT)).toMatchObject({
      accepted: false,
      code: 'UnknownEvents',
    });
  });
});
