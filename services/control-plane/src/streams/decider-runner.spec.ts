import { orphanStreamId, parseOrphanStreamId, type OrphanCommand, type OrphanState } from '#libs/domain';
import { InMemoryDatabase, InMemoryEffectQueue, InMemoryEventStore } from '#libs/event-store';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { OrphanStreams } from '../orphans/orphan-streams.ts';
import { StreamBusy } from './decider-runner.ts';
import { UndecidableStream } from './plan-append.ts';

class NoWaits extends VirtualClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

const streamOf = (containerGroupId: string): string =>
  orphanStreamId({ accountId: 'acc', region: 'cn-hangzhou', containerGroupId });
const STREAM = streamOf('eci-1');
const LANE = 'acc/cn-hangzhou/delete';
const cause = { actor: 'spec' };
const found = (streamId = STREAM): OrphanCommand => ({
  type: 'Quarantine',
  facts: { ...parseOrphanStreamId(streamId)!, status: 'Running' },
  why: 'no stream knows it',
});
const keep: OrphanCommand = { type: 'Keep', by: 'operator:jo', reason: 'mine' };
const remove: OrphanCommand = { type: 'RequestRemoval', by: 'operator:jo' };

let store: InMemoryEventStore;
let queue: InMemoryEffectQueue;
let streams: OrphanStreams;
let others: OrphanStreams;

beforeEach(() => {
  const clock = new NoWaits();
  const database = new InMemoryDatabase({ clock });
  store = new InMemoryEventStore(database);
  queue = new InMemoryEffectQueue(database);
  const runner = (seed: number) => new OrphanStreams({ store, clock, ids: new SeededIds(new SeededRandom(seed)) });
  streams = runner(1);
  others = runner(2);
});

const claim = async (claimId: string) => {
  const [row] = await queue.claim({ lane: LANE, kinds: ['RemoveOrphan'], max: 1, claimId, leaseMs: 60_000 });
  return row && { kind: row.kind, key: row.key, claimId };
};

describe('a decision on one stream', () => {
  it('is written with what follows from it, and tells what it was and what has become of the stream', async () => {
    await streams.execute(STREAM, found(), cause);

    const ran = await streams.execute(STREAM, remove, cause);

    expect(ran).toMatchObject({
      kind: 'done',
      before: { phase: 'quarantined' },
      after: { phase: 'removing', version: 2 },
    });
    expect(ran).toMatchObject({ events: [{ type: 'OrphanRemovalRequested' }], refusals: [], removedEffects: [] });
    expect(await streams.load(STREAM)).toEqual(ran.kind === 'done' && ran.after);
    expect(await claim('w1')).toMatchObject({ kind: 'RemoveOrphan', key: 'eci-1' });
  });

  it('says what it took away', async () => {
    await streams.execute(STREAM, [found(), remove], cause);

    const ran = await streams.execute(STREAM, { type: 'RecordRemoved', evidence: 'read' }, cause);

    expect(ran).toMatchObject({ removedEffects: [{ kind: 'RemoveOrphan', key: 'eci-1' }] });
  });

  it('that is refused writes nothing and says why', async () => {
    expect(await streams.execute(STREAM, keep, cause)).toMatchObject({
      kind: 'done',
      events: [],
      refusals: [{ code: 'NoSuchOrphan' }],
    });
    expect(await store.loadMany([STREAM])).toEqual(new Map());
  });

  it('is made again on what the stream is by then, when somebody else was faster', async () => {
    await streams.execute(STREAM, found(), cause);
    const seen: OrphanState['phase'][] = [];

    const ran = await streams.execute(
      STREAM,
      async ({ phase }) => {
        seen.push(phase);
        if (seen.length === 1) await others.execute(STREAM, keep, cause);
        return [remove];
      },
      cause,
    );

    expect(seen).toEqual(['quarantined', 'kept']);
    expect(ran).toMatchObject({ kind: 'done', before: { phase: 'kept' }, after: { phase: 'removing' } });
  });

  it('on a state that is known to be old by others costs one round more, and is right', async () => {
    await streams.execute(STREAM, found(), cause);
    const known = await streams.load(STREAM);
    await others.execute(STREAM, keep, cause);

    expect(await streams.execute(STREAM, remove, { ...cause, known })).toMatchObject({ before: { phase: 'kept' } });
    expect(await streams.executeOnce(STREAM, remove, { ...cause, known })).toEqual({ kind: 'conflict' });
  });

  it('ends, with nothing written, when others change the stream each time', async () => {
    await streams.execute(STREAM, found(), cause);
    const turned = ({ phase }: OrphanState): OrphanCommand =>
      phase === 'closed' ? found() : { type: 'Close', reason: 'ended', evidence: 'seen' };
    let tries = 0;
    const restless = async (state: OrphanState) => {
      tries += 1;
      await others.execute(STREAM, turned(state), cause);
      return [turned(state)];
    };

    await expect(streams.execute(STREAM, restless, cause)).rejects.toThrow(StreamBusy);
    expect((await streams.load(STREAM)).version).toBe(1 + tries);
  });

  it('settles its work also when nothing was left to decide, and leaves it when nothing is wanted', async () => {
    await streams.execute(STREAM, [found(), remove], cause);
    const held = (await claim('w1'))!;

    expect(await streams.execute(STREAM, () => undefined, { ...cause, claim: held })).toMatchObject({
      kind: 'left',
      before: { phase: 'removing' },
    });
    expect(await streams.execute(STREAM, [], { ...cause, claim: held })).toMatchObject({ kind: 'done', events: [] });
    expect(await streams.execute(STREAM, [], { ...cause, claim: held })).toEqual({ kind: 'claim-lost' });
  });

  it('is not made on a stream that a newer version wrote to; only its work can be settled', async () => {
    await streams.execute(STREAM, [found(), remove], cause);
    const metadata = { actor: 'newer', decidedAt: '2026-01-01T00:00:00.000Z' };
    const event = { eventId: streams.newId(), type: 'OrphanPainted', schemaVersion: 1, data: {}, metadata };
    await store.append([{ streamId: STREAM, expected: 2, events: [event] }]);

    await expect(streams.execute(STREAM, keep, cause)).rejects.toThrow(UndecidableStream);
    expect(await streams.execute(STREAM, [], { ...cause, claim: (await claim('w1'))! })).toMatchObject({
      kind: 'done',
    });
  });
});

describe('decisions on many streams', () => {
  it('are appended as one, and only those that others changed are made again', async () => {
    const ids = ['eci-1', 'eci-2', 'eci-3'].map(streamOf);
    const rounds: string[][] = [];
    const event = { schemaVersion: 1, metadata: { actor: 'spec', decidedAt: '2026-01-01T00:00:00.000Z' } };

    const written = await streams.executeMany(ids, {
      decide: async (states) => {
        rounds.push([...states.keys()]);
        if (rounds.length === 1) await others.execute(ids[1]!, found(ids[1]), cause);
        return [...states].map(([streamId, { version }]) => ({
          streamId,
          expected: version,
          events: [{ ...event, eventId: streams.newId(), type: 'OrphanKept', data: {} }],
        }));
      },
      append: (appends) => store.append(appends),
    });

    expect(rounds).toEqual([ids, [ids[1]]]);
    expect(written.map(({ streamId, version }) => [streamId, version])).toEqual([
      [ids[0], 1],
      [ids[2], 1],
      [ids[1], 2],
    ]);
  });

  it('are one append also when there is no stream: what goes with it is written', async () => {
    let appends = 0;
    await streams.executeMany([], {
      decide: () => Promise.resolve([]),
      append: (none) => {
        appends += 1;
        return store.append(none);
      },
    });
    expect(appends).toBe(1);
  });
});
