import { InvalidAppend, type AppendResult, type EventStore, type StreamAppend } from '#libs/event-store';
import { VirtualClock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { GroupCommit } from './group-commit.ts';

const append = (streamId: string): StreamAppend => ({ streamId, expected: 0, events: [] });

describe('appends that share a transaction', () => {
  let clock: VirtualClock;
  let calls: string[][];
  let answer: (streams: readonly StreamAppend[]) => Promise<readonly AppendResult[]>;
  let commit: GroupCommit;

  beforeEach(() => {
    clock = new VirtualClock();
    calls = [];
    answer = (streams) =>
      Promise.resolve(streams.map(({ streamId }) => ({ ok: true, streamId, version: 1, removedEffects: [] })));
    const store = {
      append: (streams: readonly StreamAppend[]) => {
        calls.push(streams.map((s) => s.streamId));
        return answer(streams);
      },
    } as unknown as EventStore;
    commit = new GroupCommit(store, clock, { lingerMs: 2, concurrency: 1 });
  });

  it('makes one call of those that come within its wait', async () => {
    const all = Promise.all([commit.append(append('a')), commit.append(append('b'))]);
    await clock.advance(2);
    expect((await all).map((r) => r.streamId)).toEqual(['a', 'b']);
    expect(calls).toEqual([['a', 'b']]);
  });

  it('never puts one stream into a call twice, and keeps its order', async () => {
    const all = Promise.all([commit.append(append('a')), commit.append(append('a')), commit.append(append('b'))]);
    await clock.advance(10);
    await all;
    expect(calls).toEqual([['a', 'b'], ['a']]);
  });

  it('gathers what comes while a call is on its way', async () => {
    let finish: () => void = () => undefined;
    const ordinary = answer;
    answer = async (streams) => {
      if (streams[0]?.streamId === 'a') await new Promise<void>((resolve) => (finish = resolve));
      return ordinary(streams);
    };
    const first = commit.append(append('a'));
    await clock.advance(2);
    const rest = Promise.all(['b', 'c', 'd'].map((id) => commit.append(append(id))));
    await clock.advance(50);
    expect(calls).toEqual([['a']]);
    finish();
    await first;
    await clock.advance(1);
    await clock.advance(10);
    await rest;
    expect(calls).toEqual([['a'], ['b', 'c', 'd']]);
  });

  it('fails only the caller whose data cannot be stored', async () => {
    const ordinary = answer;
    answer = (streams) =>
      streams.some((s) => s.streamId === 'bad') ? Promise.reject(new InvalidAppend('bad')) : ordinary(streams);
    const settled = Promise.allSettled(['a', 'bad', 'b'].map((id) => commit.append(append(id))));
    await clock.advance(10);
    expect((await settled).map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('tells everybody of a database that is away, once', async () => {
    answer = () => Promise.reject(new Error('connection refused'));
    const settled = Promise.allSettled(['a', 'b'].map((id) => commit.append(append(id))));
    await clock.advance(10);
    expect((await settled).map((r) => r.status)).toEqual(['rejected', 'rejected']);
    expect(calls).toHaveLength(1);
  });
});
