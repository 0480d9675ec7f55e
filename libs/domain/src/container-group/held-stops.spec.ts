import { describe, expect, it } from 'vitest';
import type { ContainerGroupCommand } from './commands.ts';
import { consequencesOf } from './consequences.ts';
import { decide } from './decide.ts';
import type { ContainerGroupEvent, NewContainerGroupEvent } from './events.ts';
import { fold } from './evolve.ts';
import { finalize, isClosed, lifeOf, placeOfGroup, wantsPlacement } from './questions.ts';
import { NEWEST, accepted, chosen, created, need, refused, runPod, seen, stopPod } from './samples.ts';

const AT = '2026-01-01T00:00:00.000Z';
const stamped = (events: readonly NewContainerGroupEvent[]): ContainerGroupEvent[] =>
  events.map((event) => ({ ...event, at: AT }));

function given(...events: NewContainerGroupEvent[]) {
  const state = fold(stamped(events));
  return {
    when(command: ContainerGroupCommand) {
      const decision = decide(command, state, AT);
      const said = decision.accepted ? decision.events : [];
      return {
        said,
        after: fold([...stamped(events), ...said]),
        consequences: consequencesOf(said, state),
        types: said.map(({ type }) => type),
      };
    },
  };
}

const running = [accepted(), chosen(1), created(1, 'eci-1'), seen('eci-1', 'Running')];
const absent = stopPod({ reason: 'Absent', hold: 'k1/1', agentEpoch: 1, sequence: 5 });
const held: NewContainerGroupEvent = {
  type: 'StopHeld',
  data: {
    hold: 'k1/1',
    by: 'agent:k1',
    reason: 'Absent',
    namespace: 'default',
    name: 'web',
    agentEpoch: 1,
    sequence: 5,
  },
};
const denied: NewContainerGroupEvent = { type: 'StopDenied', data: { by: 'operator:jo' } };

describe('a stop that the mass-delete guard holds', () => {
  it('stops nothing, finalizes nothing, and is kept as it was asked for', () => {
    const step = given(...running).when(absent);
    expect(step.types).toEqual(['StopHeld']);
    expect(step.consequences.effects.filter(({ op }) => op === 'put')).toEqual([]);
    expect([lifeOf(step.after), finalize(step.after), isClosed(step.after)]).toEqual(['running', false, false]);
    expect(step.after.held).toMatchObject({ hold: 'k1/1', reason: 'Absent', since: AT });
  });

  it('changes nothing when it is repeated, in whatever words', () => {
    for (const again of [
      absent,
      stopPod({ reason: 'Absent' }),
      stopPod({ reason: 'Deleted', disruption: 'DeletionByTaintManager', hold: 'k1/2' }),
      stopPod({ reason: 'ObjectGone', disruption: 'DeletionByPodGC' }),
    ])
      expect(given(...running, held).when(again).types).toEqual([]);
  });

  it('gives way to somebody who deletes the pod on purpose', () => {
    const step = given(...running, held).when(stopPod({ reason: 'Deleted' }));
    expect(step.types).toEqual(['StopReleased', 'StopRequested']);
    expect(step.after).toMatchObject({ stop: { reason: 'Deleted' } });
    expect(step.after.held).toBeUndefined();
    expect(step.consequences.effects).toContainEqual(
      expect.objectContaining({ op: 'put', kind: 'Delete', key: 'eci-1' }),
    );
  });

  it('is not made for a delete that was seen, nor for a pod that has ended or that nobody knows', () => {
    expect(given(...running).when(stopPod({ reason: 'Deleted', hold: 'k1/1' })).types).toEqual(['StopRequested']);
    expect(given().when(absent).types).toEqual(['StopRequested', 'PodObjectGone']);
    const ended = [...running, { type: 'ContainerGroupSucceeded', data: { containerGroupId: 'eci-1' } } as const];
    expect(given(...ended).when(absent).types).toEqual(['StopRequested', 'PodObjectGone']);
  });

  it('happens once when an operator releases it, with what was asked then', () => {
    const release: ContainerGroupCommand = { type: 'ReleaseStop', by: 'operator:jo', reason: 'they are gone' };
    const step = given(...running, held).when(release);
    expect(step.types).toEqual(['StopReleased', 'StopRequested', 'PodObjectGone']);
    expect(step.said[1]).toMatchObject({ data: { by: 'agent:k1', reason: 'Absent', name: 'web' } });
    expect(step.after.held).toBeUndefined();
    expect(given(...running, held, ...step.said).when(release).types).toEqual([]);
    expect(given(...running).when(release).types).toEqual([]);
  });

  it('that is denied stays shown, stops nothing, and can still be released', () => {
    const deny: ContainerGroupCommand = { type: 'DenyStop', by: 'operator:jo' };
    const step = given(...running, held).when(deny);
    expect(step.types).toEqual(['StopDenied']);
    expect(step.after.held?.denied).toMatchObject({ by: 'operator:jo' });
    expect(given(...running, held, denied).when(deny).types).toEqual([]);
    expect(given(...running, held, denied).when(absent).types).toEqual([]);
    expect(given(...running, held, denied).when({ type: 'ReleaseStop', by: 'operator:jo' }).types).toContain(
      'StopRequested',
    );
  });

  it('is lifted when the pod is there again, but not by what was said before it', () => {
    expect(given(...running, held).when(runPod({ sequence: 6 })).types).toEqual(['StopReleased']);
    expect(given(...running, held, denied).when(runPod({ agentEpoch: 2, sequence: 1 })).types).toEqual([
      'StopReleased',
    ]);
    expect(given(...running, held).when(runPod({ sequence: 4 })).types).toEqual([]);
  });

  it('that is read once more after the pod came back stops nothing', () => {
    const back = given(...running, held).when(runPod({ sequence: 6 }));
    const events = [...running, held, ...back.said];
    expect(given(...events).when(absent).types).toEqual([]);
    expect(given(...events).when(stopPod({ reason: 'Absent', agentEpoch: 1, sequence: 5 })).types).toEqual([]);
    expect(given(...events).when(stopPod({ reason: 'Absent', agentEpoch: 1, sequence: 7 })).types).toContain(
      'StopRequested',
    );
  });

  it('keeps new attempts from being made until the pod is back', () => {
    const waiting = [accepted(), chosen(1), refused(1, 'STOCK_OUT')];
    const step = given(...waiting).when(absent);
    expect(step.consequences.effects).toContainEqual({
      op: 'remove',
      kind: 'Place',
      key: 'next',
      unlessClaimed: false,
    });
    expect(wantsPlacement(step.after)).toBe(false);
    const back = given(...waiting, held).when(runPod({ sequence: 6 }));
    expect(back.consequences.effects).toContainEqual(expect.objectContaining({ op: 'put', kind: 'Place' }));
  });

  it('is settled when the group ends by itself: the pod may go', () => {
    const step = given(...running, held).when({
      type: 'Observe',
      knew: NEWEST,
      snapshot: { containerGroupId: 'eci-1', status: 'Succeeded' },
    });
    expect(step.types).toEqual([
      'ContainersChanged',
      'ContainerGroupSucceeded',
      'StopReleased',
      'StopRequested',
      'PodObjectGone',
    ]);
    expect(finalize(step.after)).toBe(true);
    expect(isClosed(step.after)).toBe(true);
  });
});

describe('a late twin', () => {
  const twin = (over: object = {}): ContainerGroupCommand => ({
    type: 'RecordTwin',
    containerGroupId: 'eci-9',
    status: 'Running',
    ...over,
  });

  it('of a closed stream is deleted, a minute after it was found', () => {
    const closed: NewContainerGroupEvent[] = [
      ...running,
      { type: 'StopRequested', data: { by: 'agent:k1', reason: 'Deleted' } },
      { type: 'DeleteAccepted', data: { containerGroupId: 'eci-1' } },
      { type: 'ContainerGroupGone', data: { containerGroupId: 'eci-1', evidence: 'read' } },
    ];
    const step = given(...closed).when(twin({ attempt: 1 }));
    expect(step.types).toEqual(['OrphanFound']);
    expect(step.consequences.effects).toEqual([
      { op: 'put', kind: 'Delete', key: 'eci-9', afterMs: 60_000, priority: 0 },
    ]);
    // until it is gone, the stream is not closed
    expect([isClosed(step.after), finalize(step.after)]).toEqual([false, false]);
  });

  it('is never the current group, nor one that may be the attempt in doubt', () => {
    expect(given(...running).when(twin({ containerGroupId: 'eci-1', attempt: 7 })).types).toEqual([]);
    const doubt = [accepted(), chosen(1), { type: 'CreateOutcomeUnknown', data: { attempt: 1, reason: 'x' } } as const];
    expect(given(...doubt).when(twin({ attempt: 1 })).types).toEqual(['Adopted']);
    // Its tags do not name an attempt: it may be the one in doubt.
    expect(given(...doubt).when(twin()).types).toEqual([]);
    expect(given(...doubt).when(twin({ attempt: 2 })).types).toEqual(['OrphanFound']);
  });

  it('is where it was found, not where the pod is now', () => {
    const place = { accountId: 'acc', region: 'cn-beijing' };
    const step = given(...running).when(twin({ attempt: 7, ...place }));
    expect(placeOfGroup(step.after, 'eci-9')).toEqual(place);
    expect(placeOfGroup(step.after, 'eci-1')).toEqual({ accountId: need().accountId, region: need().region });
    // a twin of an old event
    const old = given(...running).when(twin({ attempt: 7 }));
    expect(placeOfGroup(old.after, 'eci-9').region).toBe('cn-hangzhou');
  });
});
