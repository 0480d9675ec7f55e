import { describe, expect, it } from 'vitest';
import type { ContainerGroupCommand } from './commands.ts';
import { containerGroupDecider } from './decider.ts';
import type { NewContainerGroupEvent } from './events.ts';
import { finalize, isClosed, lifeOf, placeOfGroup, wantsPlacement } from './questions.ts';
import { AT, specificationOf } from '../../spec/decider-specification.ts';
import { NEWEST, accepted, chosen, created, need, refused, runPod, seen, stopPod } from '../../spec/samples.ts';

const given = specificationOf(containerGroupDecider);

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
    step.then({
      type: 'StopHeld',
      data: {
        hold: 'k1/1',
        by: 'agent:k1',
        agentEpoch: 1,
        sequence: 5,
        reason: 'Absent',
        namespace: 'default',
        name: 'web',
      },
    });
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
      given(...running, held)
        .when(again)
        .thenNothing();
  });

  it('gives way to somebody who deletes the pod on purpose', () => {
    const step = given(...running, held).when(stopPod({ reason: 'Deleted' }));
    step.then(
      { type: 'StopReleased', data: { by: 'agent:k1', outcome: 'stopped', reason: 'a later stop: Deleted' } },
      { type: 'StopRequested', data: { by: 'agent:k1', reason: 'Deleted', namespace: 'default', name: 'web' } },
    );
    expect(step.after).toMatchObject({ stop: { reason: 'Deleted' } });
    expect(step.after.held).toBeUndefined();
    expect(step.consequences.effects).toContainEqual(
      expect.objectContaining({ op: 'put', kind: 'Delete', key: 'eci-1' }),
    );
  });

  it('is not made for a delete that was seen, nor for a pod that has ended or that nobody knows', () => {
    given(...running)
      .when(stopPod({ reason: 'Deleted', hold: 'k1/1' }))
      .then({ type: 'StopRequested', data: { by: 'agent:k1', reason: 'Deleted', namespace: 'default', name: 'web' } });
    given()
      .when(absent)
      .then(
        { type: 'StopRequested', data: { by: 'agent:k1', reason: 'Absent', namespace: 'default', name: 'web' } },
        { type: 'PodObjectGone', data: { reason: 'Absent' } },
      );
    const ended = [...running, { type: 'ContainerGroupSucceeded', data: { containerGroupId: 'eci-1' } } as const];
    given(...ended)
      .when(absent)
      .then(
        { type: 'StopRequested', data: { by: 'agent:k1', reason: 'Absent', namespace: 'default', name: 'web' } },
        { type: 'PodObjectGone', data: { reason: 'Absent' } },
      );
  });

  it('happens once when an operator releases it, with what was asked then', () => {
    const release: ContainerGroupCommand = { type: 'ReleaseStop', by: 'operator:jo', reason: 'they are gone' };
    const step = given(...running, held).when(release);
    step.then(
      { type: 'StopReleased', data: { by: 'operator:jo', outcome: 'stopped', reason: 'they are gone' } },
      { type: 'StopRequested', data: { by: 'agent:k1', reason: 'Absent', namespace: 'default', name: 'web' } },
      { type: 'PodObjectGone', data: { reason: 'Absent' } },
    );
    expect(step.events[1]).toMatchObject({ data: { by: 'agent:k1', reason: 'Absent', name: 'web' } });
    expect(step.after.held).toBeUndefined();
    given(...running, held, ...step.events)
      .when(release)
      .thenNothing();
    given(...running)
      .when(release)
      .thenNothing();
  });

  it('that is denied stays shown, stops nothing, and can still be released', () => {
    const deny: ContainerGroupCommand = { type: 'DenyStop', by: 'operator:jo' };
    const step = given(...running, held).when(deny);
    step.then({ type: 'StopDenied', data: { by: 'operator:jo' } });
    expect(step.after.held?.denied).toMatchObject({ by: 'operator:jo' });
    given(...running, held, denied)
      .when(deny)
      .thenNothing();
    given(...running, held, denied)
      .when(absent)
      .thenNothing();
    expect(given(...running, held, denied).when({ type: 'ReleaseStop', by: 'operator:jo' }).after.stop).toBeDefined();
  });

  it('is lifted when the pod is there again, but not by what was said before it', () => {
    given(...running, held)
      .when(runPod({ sequence: 6 }))
      .then({
        type: 'StopReleased',
        data: { by: 'agent:k1', outcome: 'returned', reason: 'the pod exists', agentEpoch: 1, sequence: 6 },
      });
    given(...running, held, denied)
      .when(runPod({ agentEpoch: 2, sequence: 1 }))
      .then({
        type: 'StopReleased',
        data: { by: 'agent:k1', outcome: 'returned', reason: 'the pod exists', agentEpoch: 2, sequence: 1 },
      });
    given(...running, held)
      .when(runPod({ sequence: 4 }))
      .thenNothing();
  });

  it('that is read once more after the pod came back stops nothing', () => {
    const back = given(...running, held).when(runPod({ sequence: 6 }));
    const events = [...running, held, ...back.events];
    given(...events)
      .when(absent)
      .thenNothing();
    given(...events)
      .when(stopPod({ reason: 'Absent', agentEpoch: 1, sequence: 5 }))
      .thenNothing();
    expect(given(...events).when(stopPod({ reason: 'Absent', agentEpoch: 1, sequence: 7 })).after.stop).toBeDefined();
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
    step.then(
      seen('eci-1', 'Succeeded'),
      { type: 'ContainerGroupSucceeded', data: { containerGroupId: 'eci-1' } },
      { type: 'StopReleased', data: { by: 'control-plane', outcome: 'stopped', reason: 'it ended by itself' } },
      { type: 'StopRequested', data: { by: 'agent:k1', reason: 'Absent', namespace: 'default', name: 'web' } },
      { type: 'PodObjectGone', data: { reason: 'Absent' } },
    );
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
    step.then({ type: 'OrphanFound', data: { containerGroupId: 'eci-9', status: 'Running', attempt: 1 } });
    expect(step.consequences.effects).toEqual([
      { op: 'put', kind: 'Delete', key: 'eci-9', afterMs: 60_000, priority: 0 },
    ]);
    // until it is gone, the stream is not closed
    expect([isClosed(step.after), finalize(step.after)]).toEqual([false, false]);
  });

  it('is never the current group, nor one that may be the attempt in doubt', () => {
    given(...running)
      .when(twin({ containerGroupId: 'eci-1', attempt: 7 }))
      .thenNothing();
    const doubt = [accepted(), chosen(1), { type: 'CreateOutcomeUnknown', data: { attempt: 1, reason: 'x' } } as const];
    given(...doubt)
      .when(twin({ attempt: 1 }))
      .then({ type: 'Adopted', data: { attempt: 1, containerGroupId: 'eci-9' } });
    // Its tags do not name an attempt: it may be the one in doubt.
    given(...doubt)
      .when(twin())
      .thenNothing();
    given(...doubt)
      .when(twin({ attempt: 2 }))
      .then({ type: 'OrphanFound', data: { containerGroupId: 'eci-9', status: 'Running', attempt: 2 } });
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
