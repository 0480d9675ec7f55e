import { streamIdOf, type GroupStatus } from '#libs/domain';
import type { FoundGroup } from '#libs/eci';
import { InMemoryDatabase, InMemoryEventStore } from '#libs/event-store';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { placement, runPod } from '../../../../libs/domain/spec/samples.ts';
import { eciOf } from '../../../../libs/eci/spec/eci-of.ts';
import { StreamCommands } from '../streams/stream-commands.ts';
import { WitnessedReads } from './witnessed-reads.ts';

const place = { accountId: 'acc', region: 'cn-hangzhou' };
const FLEET = 'f';
const WANTED = 'eci-wanted';

class NoWaits extends VirtualClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

const group = (containerGroupId: string, status: GroupStatus = 'Running', fleet = FLEET): FoundGroup => ({
  snapshot: { containerGroupId, status },
  identity: { fleet, clusterId: 'k1', podUid: containerGroupId, attempt: 1 },
});

let listed: readonly FoundGroup[];
let shownById: readonly FoundGroup[] | undefined;
let listFails: boolean;
let failing: string | undefined;
let calls: string[];
let known: Map<string, string>;
let streams: StreamCommands;
let reads: WitnessedReads;

beforeEach(() => {
  [listed, shownById, listFails, failing, calls, known] = [[], undefined, false, undefined, [], new Map()];
  const clock = new NoWaits();
  const store = new InMemoryEventStore(new InMemoryDatabase({ clock }));
  streams = new StreamCommands({ store, clock, ids: new SeededIds(new SeededRandom(1)) });
  reads = new WitnessedReads({
    fleet: FLEET,
    scopes: { knownGroups: () => Promise.resolve(known) },
    streams,
    clock,
  });
});

const client = eciOf({
  list: () => {
    calls.push('list');
    if (listFails) return Promise.resolve({ kind: 'unknown', reason: 'no answer' });
    return Promise.resolve({ kind: 'done', requestId: 'r', value: { groups: listed } });
  },
  describeOnce: (ids: readonly string[]) => {
    calls.push(`read ${ids.join(' ')}`);
    if (failing !== undefined && ids.includes(failing))
      return Promise.resolve({ kind: 'unknown', reason: 'no answer' });
    const value = (shownById ?? listed).filter(({ snapshot }) => ids.includes(snapshot.containerGroupId));
    return Promise.resolve({ kind: 'done', requestId: 'r', value });
  },
});

/** A stream of the place has an open group. */
async function expecting(containerGroupId: string, { deleted = false } = {}): Promise<void> {
  const streamId = streamIdOf('k1', containerGroupId);
  known.set(containerGroupId, streamId);
  const outcome = { kind: 'done', containerGroupId, requestId: 'r' } as const;
  await streams.execute(
    streamId,
    [
      runPod(),
      { type: 'ChoosePlacement', choice: placement(1) },
      { type: 'RecordCreate', attempt: 1, outcome },
      ...(deleted ? [{ type: 'RecordDelete', containerGroupId, requestId: 'r' } as const] : []),
    ],
    { actor: 'spec' },
  );
}

async function vouched(): Promise<string | undefined> {
  const { vouched } = await reads.read(place, client, [WANTED]);
  return vouched.get(WANTED);
}

describe('who vouches for a read that lacks a group', () => {
  it.each(['Running', 'Terminating', 'Succeeded'] as const)('another that is listed and is %s', async (status) => {
    listed = [group('eci-other', status)];

    expect(await vouched()).toBe('witness');
  });

  it('one that was seen lately, in one call; it is given up once it is not shown', async () => {
    listed = [group('eci-other')];
    await vouched();
    calls = [];
    expect(await vouched()).toBe('witness');
    expect(calls).toEqual([`read ${WANTED} eci-other`]);

    listed = [group('eci-next')];
    expect(await vouched()).toBe('witness');
    calls = [];
    await vouched();
    expect(calls).toEqual([`read ${WANTED} eci-next`]);
  });

  it('nobody, while others should be there and none is shown', async () => {
    await expecting('eci-other');

    expect(await vouched()).toBe('nobody');
  });

  it('nobody, when the list shows what the read does not, or is not to be had', async () => {
    listed = [group('eci-other')];
    shownById = [];
    expect(await vouched()).toBe('nobody');
    listFails = true;
    expect(await vouched()).toBe('nobody');
  });

  it.each([
    ['there are no others', []],
    ['only those of another fleet are there', [group('eci-theirs', 'Running', 'another')]],
  ])('that there is nothing to see, when %s', async (_, groups) => {
    listed = groups;
    await expecting('eci-deleted', { deleted: true });

    expect(await vouched()).toBe('nothing to see');
  });
});

describe('a read of more groups than one call takes', () => {
  const ids = Array.from({ length: 40 }, (_, i) => `eci-${i}`);

  it('has a witness in every call, for one that is answered says nothing of the next', async () => {
    listed = [group('eci-other'), group('eci-39')];
    await vouched();
    calls = [];
    const { seen, vouched: worth, unanswered } = await reads.read(place, client, ids);
    expect(calls.map((call) => call.split(' ').length - 1)).toEqual([20, 20, 5]);
    expect(calls.every((call) => call.includes('eci-other'))).toBe(true);
    expect([seen.has('eci-39'), seen.has('eci-0'), unanswered]).toEqual([true, false, []]);
    expect(new Set(worth.values())).toEqual(new Set(['witness']));
  });

  it('says nothing of those whose call was not answered, and all of the others', async () => {
    listed = [group('eci-other')];
    failing = 'eci-20';
    const { vouched: worth, unanswered } = await reads.read(place, client, ids);
    expect(unanswered).toEqual([{ ids: new Set(ids.slice(18, 36)), answer: { kind: 'unknown', reason: 'no answer' } }]);
    expect([...worth.keys()]).toEqual([...ids.slice(0, 18), ...ids.slice(36)]);
  });
});
