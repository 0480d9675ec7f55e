import { describe, expect, it } from 'vitest';
import { CONTAINER_GROUP_EVENTS, newestVersion, ORPHAN_EVENTS } from '#libs/contracts';
import { decide, decideOrphan, foldOrphan } from '#libs/domain';
import type { NewEvent } from '#libs/event-store';
import { containerGroupRow } from '../container-groups/container-group-row.ts';
import { groupTimes } from '../container-groups/group-times.ts';
import { lifetimesOf } from '../doctor/oracles/o10-cost.ts';
import { attemptsFollowEachOther } from '../doctor/oracles/o3-one-open.ts';
import { factsOf, stored } from '../../spec/doctor.ts';
import { accepted, created, landed, placed, running, story } from '../../spec/for-specs.ts';
import { shown } from '../container-groups/fold-streams.ts';
import { podStatusRecord } from '../publish/pod-status.ts';
import { canHide, HIDING_SCHEMA_VERSION } from './hidden-texts.ts';
import { domainEvent, EVENT_SCHEMA_VERSION, orphanEvent, stateOf, UnreadableEvent } from './stored-events.ts';

const TYPES = Object.keys(CONTAINER_GROUP_EVENTS);
const ORPHAN_TYPES = Object.keys(ORPHAN_EVENTS);

const AT = '2026-03-01T11:00:00.000Z';
/** The first that this code does not know of a type. */
const newerOf = (type: string): number => newestVersion({ ...CONTAINER_GROUP_EVENTS, ...ORPHAN_EVENTS }, type) + 1;
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
  'a rebuild': (events) => ({ ...containerGroupRow(stored(events).map(withoutUnshown)), lastEventType: undefined }),
  'the doctor': (events) => attemptsFollowEachOther(factsOf(events)),
  'the cost ledger': (events) => lifetimesOf({ events: stored(events) }),
};

const withoutUnshown = <E extends NewEvent>(event: E): E =>
  event.type === 'PodIntentAccepted' ? { ...event, data: shown(event.data) } : event;

const EACH = TYPES.flatMap((type) => Object.keys(READERS).map((reader) => [type, reader] as const));

describe('an event of a newer schema', () => {
  it.each(EACH)('%s is for %s as one of an unknown type', (type, reader) => {
    const read = READERS[reader] as (typeof READERS)[string];
    const newer = newerOf(type);
    expect(read([...LIFE, written(type, newer)])).toEqual(
      read([...LIFE, written(`${type} (schema ${newer})`, EVENT_SCHEMA_VERSION)]),
    );
  });

  it.each(TYPES)('%s keeps everybody from deciding on its stream', (type) => {
    const state = stateOf(stored([...LIFE, written(type, newerOf(type))]));
    expect(decide({ type: 'Unpark', by: 'jo' }, state, AT)).toMatchObject({
      accepted: false,
      code: 'UnknownEvents',
    });
  });

  it.each(ORPHAN_TYPES)('%s keeps everybody from deciding on its orphan', (type) => {
    const state = foldOrphan([orphanEvent(written(type, newerOf(type)))]);
    expect(state.phase).toBe('none');
    expect(decideOrphan({ type: 'RequestRemoval', by: 'jo', reason: 'a test' }, state, AT)).toMatchObject({
      accepted: false,
      code: 'UnknownEvents',
    });
  });
});

describe('an event of the first version of a type that has two', () => {
  it('is one of the types whose texts may be hidden, each of which has two', () => {
    expect(TYPES.filter((type) => newestVersion(CONTAINER_GROUP_EVENTS, type) === HIDING_SCHEMA_VERSION)).toEqual(
      TYPES.filter(canHide),
    );
  });

  it.each(Object.keys(READERS))('is for %s as the second, of which nothing is hidden', (reader) => {
    const read = READERS[reader] as (typeof READERS)[string];
    const second = LIFE.map((event) =>
      canHide(event.type)
        ? { ...event, schemaVersion: HIDING_SCHEMA_VERSION, data: { ...event.data, hidden: '' } }
        : event,
    );
    expect(read(second)).toEqual(read(LIFE));
  });
});

describe('an event that is not what its version must be', () => {
  const broken = (type: string): NewEvent => written(type, EVENT_SCHEMA_VERSION);

  it.each(EACH)('%s is refused by %s, which says where it is broken and nothing of what it holds', (type, reader) => {
    const read = READERS[reader] as (typeof READERS)[string];
    const refused = expect(() => read([...LIFE, broken(type)]));
    refused.toThrow(UnreadableEvent);
    refused.toThrow(new RegExp(`^an event ${type} \\(schema 1\\) cannot be read: invalid_[a-z]+ at /[A-Za-z]+$`));
  });

  it.each(ORPHAN_TYPES)('%s is refused by those who decide on orphans', (type) => {
    expect(() => orphanEvent(broken(type))).toThrow(UnreadableEvent);
  });
});

describe('a stream with an event of a type that nobody knows', () => {
  it.each(Object.keys(READERS))('is for %s what its other events say', (reader) => {
    const read = READERS[reader] as (typeof READERS)[string];
    const without = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value ?? null), (name, part: unknown) =>
        ['version', 'streamVersion', 'revision', 'unknownEvents', 'updatedAt'].includes(name) ? undefined : part,
      );
    const parsed = (value: unknown): unknown => without(typeof value === 'string' ? JSON.parse(value) : value);
    const strange = read([...LIFE, written('WrittenInTheFuture', EVENT_SCHEMA_VERSION)]);
    expect(parsed(strange)).toEqual(parsed(read(LIFE)));
  });
});
