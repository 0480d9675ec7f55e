import { streamIdOf, type GroupStatus } from '#libs/domain';
import type { EciClient, FoundGroup } from '#libs/eci';
import { InMemoryDatabase, InMemoryEventStore } from '#libs/event-store';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { placement, runPod } from '../../../../libs/domain/spec/samples.ts';
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
let calls: string[];
let known: Map<string, string>;
let streams: StreamCommands;
let reads: WitnessedReads;

beforeEach(() => {
  [listed, shownById, listFails, calls, known] = [[], undefined, false, [], new Map()];
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

const client = {
  list: () => {
    calls.push('list');
    if (listFails) return Promise.resolve({ kind: 'unknown', reason: 'no answer' });
    return Promise.resolve({ kind: 'done', requestId: 'r', value: { groups: listed } });
  },
  describe: (ids: readonly string[]) => {
    calls.push(`read ${ids.join(' ')}`);
    const value = (shownById ?? listed).filter(({ snapshot }) => ids.includes(snapshot.containerGroupId));
    return Promise.resolve({ kind: 'done', requestId: 'r', value });
  },
} as unknown as EciClient;

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

async function vouched(): Promise<string> {
  const answer = await reads.read(place, client, [WANTED]);
  return answer.kind === 'done' ? answer.value.vouched : answer.kind;
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
