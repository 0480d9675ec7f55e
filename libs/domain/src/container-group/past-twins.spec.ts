import { describe, expect, it } from 'vitest';
import { containerGroupDecider } from './decider.ts';
import { finalize, isClosed, wantsPlacement } from './questions.ts';
import { accepted, chosen, created, seen } from '../../spec/samples.ts';
import { specificationOf } from '../../spec/decider-specification.ts';

const given = specificationOf(containerGroupDecider);
const placed = [accepted(), chosen(1)];
const running = [...placed, created(1, 'eci-1'), seen('eci-1', 'Running')];

describe('an observation of a group that ended before anybody knew of it', () => {
  const absent = [...placed, { type: 'ContainerGroupGone', data: { attempt: 1, evidence: '' } } as const];
  const past = {
    type: 'RecordTwin',
    containerGroupId: 'eci-past',
    attempt: 1,
    status: 'Succeeded',
    createdAt: '2026-01-01T00:00:00Z',
    finishedAt: '2026-01-01T00:01:00Z',
  } as const;

  it('names it, with its times, and asks for nothing to be done', () => {
    const step = given(...absent)
      .when(past)
      .then(
        {
          type: 'OrphanFound',
          data: { containerGroupId: 'eci-past', status: 'Succeeded', attempt: 1, createdAt: '2026-01-01T00:00:00Z' },
        },
        {
          type: 'ContainerGroupGone',
          data: {
            containerGroupId: 'eci-past',
            evidence: 'it had ended by itself: Succeeded',
            finishedAt: '2026-01-01T00:01:00Z',
          },
        },
      );
    expect(step.consequences.effects.filter(({ op, kind }) => op === 'put' && kind !== 'Place')).toEqual([]);
    expect(wantsPlacement(step.after)).toBe(true);
  });

  it('names it once', () => {
    const events = [...absent, ...given(...absent).when(past).events];
    given(...events)
      .when(past)
      .thenNothing();
  });

  it('gives one that was never scheduled no time', () => {
    const step = given(...absent).when({ ...past, status: 'ScheduleFailed' });
    expect(JSON.stringify(step.events)).not.toMatch(/createdAt|finishedAt/);
  });

  it('says nothing of one that the stream knows', () => {
    const known = { ...past, containerGroupId: 'eci-1' };
    given(...running)
      .when(known)
      .thenNothing();
    const gone = { type: 'ContainerGroupGone', data: { containerGroupId: 'eci-1', evidence: '' } } as const;
    given(...running, gone)
      .when(known)
      .thenNothing();
  });

  it('adopts the one of an attempt in doubt', () => {
    given(...placed)
      .when(past)
      .then({ type: 'Adopted', data: { attempt: 1, containerGroupId: 'eci-past' } });
  });

  it('leaves a stream closed that was closed', () => {
    const stopped = { type: 'StopRequested', data: { by: 'agent', reason: 'Deleted' } } as const;
    const step = given(...absent, stopped)
      .when(past)
      .then(
        {
          type: 'OrphanFound',
          data: { containerGroupId: 'eci-past', status: 'Succeeded', attempt: 1, createdAt: '2026-01-01T00:00:00Z' },
        },
        {
          type: 'ContainerGroupGone',
          data: {
            containerGroupId: 'eci-past',
            evidence: 'it had ended by itself: Succeeded',
            finishedAt: '2026-01-01T00:01:00Z',
          },
        },
      );
    expect([isClosed(step.after), finalize(step.after)]).toEqual([true, true]);
  });
});
