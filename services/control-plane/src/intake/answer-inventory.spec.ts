import { fold, initialState, type ContainerGroupState } from '#libs/domain';
import { describe, expect, it } from 'vitest';
import { answerInventory, type InventoryQuestion } from './answer-inventory.ts';
import type { InventoryPod } from './ports.ts';

const at = '2026-01-01T00:00:00.000Z';
const open: ContainerGroupState = { ...initialState, version: 3 };
const stopped = fold([{ type: 'StopRequested', at, data: { by: 'x', reason: 'Deleted' } }]);

const pod = (uid: string, over: Partial<InventoryPod> = {}): InventoryPod => ({
  uid,
  phase: 'Running',
  revision: 3,
  ...over,
});
const ask = (over: Partial<InventoryQuestion>) =>
  answerInventory({
    pods: [],
    openStreams: new Map(),
    pastStreams: new Map(),
    states: new Map(),
    quarantined: new Set(),
    held: new Set(),
    before: { unknownPods: [], missingPods: [] },
    keyEnded: false,
    ...over,
  });

describe('an inventory', () => {
  it('asks nothing when cluster and streams agree', () => {
    const answer = ask({ pods: [pod('a')], openStreams: new Map([['a', 3]]) });
    expect(answer).toEqual({ recheck: [], republish: [], unknownPods: [], missingPods: [] });
  });

  it('asks for pods of open streams that it lacks, and stops none of them', () => {
    const answer = ask({ openStreams: new Map([['a', 3]]), states: new Map([['a', open]]) });
    expect(answer.recheck).toEqual(['a']);
    expect(answer.missingPods).toEqual(['a']);
  });

  it('asks at once for pods without a stream when a key has ended under which they may have been sent', () => {
    const pods = [pod('a'), pod('waiting', { waitingFor: 'a Secret' }), pod('over', { phase: 'Failed' })];
    expect(ask({ pods }).recheck).toEqual([]);
    expect(ask({ pods, keyEnded: true }).recheck).toEqual(['a']);
  });

  it('asks for a pod whose stop is held once it is there again', () => {
    const question = { openStreams: new Map([['a', 3]]), held: new Set(['a']) };
    expect(ask({ ...question, pods: [pod('a')] }).recheck).toEqual(['a']);
    const going = pod('a', { deletionTimestamp: at });
    expect(ask({ ...question, pods: [going], states: new Map([['a', stopped]]) }).recheck).toEqual([]);
  });

  it('asks for a pod without a stream when two inventories running show it', () => {
    expect(ask({ pods: [pod('a')] })).toMatchObject({ recheck: [], unknownPods: ['a'] });
    expect(ask({ pods: [pod('a')], before: { unknownPods: ['a'], missingPods: [] } }).recheck).toEqual(['a']);
  });

  it.each([
    ['waits for something in its cluster', { waitingFor: 'ConfigMap missing' }],
    ['has ended', { phase: 'Succeeded' }],
  ])('lets a pod without a stream be that %s', (_, over) => {
    const answer = ask({ pods: [pod('a', over)], before: { unknownPods: ['a'], missingPods: [] } });
    expect(answer).toMatchObject({ recheck: [], unknownPods: [] });
  });

  it('asks for an ended pod without a stream that somebody deletes: only we can let it go', () => {
    const pods = [pod('a', { phase: 'Failed', deletionTimestamp: at })];
    expect(ask({ pods, before: { unknownPods: ['a'], missingPods: [] } }).recheck).toEqual(['a']);
  });

  it('asks for a deleted pod whose stream has not heard of it', () => {
    const pods = [pod('a', { deletionTimestamp: at }), pod('b', { deletionTimestamp: at, revision: 1 })];
    const answer = ask({
      pods,
      openStreams: new Map([
        ['a', 3],
        ['b', 1],
      ]),
      states: new Map([
        ['a', open],
        ['b', stopped],
      ]),
    });
    expect(answer.recheck).toEqual(['a']);
  });

  it('publishes again what the agent has not written', () => {
    const pods = [pod('a', { revision: 2 }), pod('b', { revision: undefined }), pod('c', { revision: 4 })];
    const openStreams = new Map(['a', 'b', 'c'].map((uid) => [uid, 3] as const));
    expect(ask({ pods, openStreams }).republish).toEqual(['a', 'b']);
  });

  it('asks for pods of quarantined intents', () => {
    expect(ask({ pods: [pod('a')], quarantined: new Set(['a', 'elsewhere']) }).recheck).toEqual(['a']);
  });

  it('asks for the pod of a closed stream when two inventories lack it, and takes none for gone: both may be older than the pod', () => {
    const question = { openStreams: new Map([['a', 1]]), states: new Map([['a', stopped]]) };
    expect(ask(question)).toMatchObject({ recheck: [], missingPods: ['a'] });
    const again = ask({ ...question, before: { unknownPods: [], missingPods: ['a'] } });
    expect(again).toMatchObject({ recheck: ['a'], missingPods: ['a'] });
  });

  it('says again how a pod is that is there though its stream is history: its agent would never let it go', () => {
    const pastStreams = new Map([['a', 4]]);
    const pods = [pod('a', { deletionTimestamp: at, revision: undefined })];
    expect(ask({ pods, pastStreams })).toMatchObject({ republish: ['a'], unknownPods: [], recheck: [] });
    expect(ask({ pods: [pod('a', { revision: 4 })], pastStreams })).toMatchObject({ republish: [], unknownPods: [] });
  });
});
