import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import { containerGroupDecider } from './decider.ts';
import { finalize, isClosed, lifeOf } from './questions.ts';
import { accepted, chosen, created, runPod, seen, stopPod } from '../../spec/samples.ts';
import { AT, specificationOf } from '../../spec/decider-specification.ts';

const given = specificationOf(containerGroupDecider);
const placed = [accepted(), chosen(1)];
const running = [...placed, created(1, 'eci-1'), seen('eci-1', 'Running')];

describe('a stop', () => {
  it('of an unknown pod leaves a closed stream that ignores a later intent', () => {
    const step = given()
      .when(stopPod())
      .then({ type: 'StopRequested', data: { by: 'agent:k1', reason: 'Deleted', namespace: 'default', name: 'web' } });
    expect([isClosed(step.after), finalize(step.after)]).toEqual([true, true]);
    expect(decide(runPod(), step.after, AT)).toEqual({ accepted: true, events: [] });
  });

  it('before the placement means: never created', () => {
    const step = given(accepted())
      .when(stopPod())
      .then({ type: 'StopRequested', data: { by: 'agent:k1', reason: 'Deleted', namespace: 'default', name: 'web' } });
    expect(step.consequences.effects).toContainEqual({
      op: 'remove',
      kind: 'Place',
      key: 'next',
      unlessClaimed: false,
    });
    expect(finalize(step.after)).toBe(true);
  });

  it('during the create waits for its outcome, and then deletes', () => {
    const step = given(...placed)
      .when(stopPod())
      .then({ type: 'StopRequested', data: { by: 'agent:k1', reason: 'Deleted', namespace: 'default', name: 'web' } });
    expect(finalize(step.after)).toBe(false);
    expect(step.consequences.effects).toContainEqual({ op: 'remove', kind: 'Create', key: '1', unlessClaimed: true });
    const stopped = { type: 'StopRequested', data: { by: 'agent', reason: 'Deleted' } } as const;
    const late = given(...placed, stopped)
      .when({ type: 'RecordCreate', attempt: 1, outcome: { kind: 'done', containerGroupId: 'eci-1', requestId: 'r' } })
      .then(created(1, 'eci-1'));
    expect(late.consequences.effects).toContainEqual({
      op: 'put',
      kind: 'Delete',
      key: 'eci-1',
      afterMs: 0,
      priority: 0,
    });
    const never = given(...placed, stopped)
      .when({ type: 'RecordNeverSent', attempt: 1 })
      .then({ type: 'ContainerGroupGone', data: { attempt: 1, evidence: 'the create request was never sent' } });
    expect(finalize(never.after)).toBe(true);
  });

  it('deletes the group, and finalizes when it is proven gone', () => {
    const step = given(...running)
      .when(stopPod())
      .then({ type: 'StopRequested', data: { by: 'agent:k1', reason: 'Deleted', namespace: 'default', name: 'web' } });
    expect(step.consequences.effects).toContainEqual({
      op: 'put',
      kind: 'Delete',
      key: 'eci-1',
      afterMs: 0,
      priority: 0,
    });
    const stopped = { type: 'StopRequested', data: { by: 'agent', reason: 'Deleted' } } as const;
    const deleting = given(...running, stopped)
      .when({ type: 'RecordDelete', containerGroupId: 'eci-1' })
      .then({ type: 'DeleteAccepted', data: { containerGroupId: 'eci-1' } });
    expect(finalize(deleting.after)).toBe(false);
    const gone = given(...running, stopped, { type: 'DeleteAccepted', data: { containerGroupId: 'eci-1' } })
      .when({ type: 'RecordGone', containerGroupId: 'eci-1', evidence: 'two reads' })
      .then({ type: 'ContainerGroupGone', data: { containerGroupId: 'eci-1', evidence: 'two reads' } });
    expect([finalize(gone.after), lifeOf(gone.after), gone.consequences.destroySealed]).toEqual([true, 'gone', true]);
  });

  it('of a finished pod, whose group ECI has forgotten, finalizes at once', () => {
    const done = [...running, { type: 'ContainerGroupSucceeded', data: { containerGroupId: 'eci-1' } } as const];
    expect(finalize(given(...done).state)).toBe(false);
    expect(finalize(given(...done).when(stopPod()).after)).toBe(true);
  });
});
