import { describe, expect, it } from 'vitest';
import { containerGroupDecider } from './decider.ts';
import { isClosed, lifeOf, wantsPlacement } from './questions.ts';
import { NEWEST, accepted, chosen, created, need, refused } from '../../spec/samples.ts';
import { specificationOf } from '../../spec/decider-specification.ts';

const given = specificationOf(containerGroupDecider);
const placed = [accepted(), chosen(1)];

describe('a create', () => {
  it('that is accepted is only starting', () => {
    const step = given(...placed)
      .when({ type: 'RecordCreate', attempt: 1, outcome: { kind: 'done', containerGroupId: 'eci-1', requestId: 'r' } })
      .then(created(1, 'eci-1'));
    expect(lifeOf(step.after)).toBe('starting');
    expect(step.consequences.containerGroups).toEqual([
      { accountId: 'acc', region: 'cn-hangzhou', containerGroupId: 'eci-1' },
    ]);
  });

  it.each(['STOCK_OUT', 'VSWITCH_IP_EXHAUSTED'] as const)(
    'refused with %s is followed by another attempt',
    (refusalClass) => {
      const step = given(...placed)
        .when({
          type: 'RecordCreate',
          attempt: 1,
          outcome: { kind: 'refused', code: 'x', class: refusalClass, message: '' },
        })
        .then({ type: 'CreateRefused', data: { attempt: 1, code: 'x', class: refusalClass, message: '' } });
      expect(step.consequences.effects).toContainEqual({
        op: 'put',
        kind: 'Place',
        key: 'next',
        afterMs: 0,
        priority: 0,
      });
    },
  );

  it('refused for stock ends the attempts of a fail-fast pod, which stays pending', () => {
    const step = given(accepted({ need: need({ failStrategy: 'fail-fast' }) }), chosen(1))
      .when({
        type: 'RecordCreate',
        attempt: 1,
        outcome: { kind: 'refused', code: 'x', class: 'STOCK_OUT', message: '' },
      })
      .then({ type: 'CreateRefused', data: { attempt: 1, code: 'x', class: 'STOCK_OUT', message: '' } });
    expect(wantsPlacement(step.after)).toBe(false);
    expect(step.after.end).toBeUndefined();
  });

  it.each(['QUOTA', 'AUTH'] as const)('refused with %s parks the pod behind the account', (refusalClass) => {
    const gate = { kind: 'account', accountId: 'acc', class: refusalClass } as const;
    const step = given(...placed)
      .when({
        type: 'RecordCreate',
        attempt: 1,
        outcome: { kind: 'refused', code: 'x', class: refusalClass, message: 'm' },
      })
      .then(
        { type: 'CreateRefused', data: { attempt: 1, code: 'x', class: refusalClass, message: 'm' } },
        { type: 'Parked', data: { gate, reason: 'x', message: 'm' } },
      );
    expect(step.consequences.parking).toEqual([{ op: 'park', gate, priority: 0 }]);
    expect(lifeOf(step.after)).toBe('parked');
  });

  it.each(['NOT_FOUND', 'INVALID_REQUEST'] as const)('refused with %s rejects the pod', (refusalClass) => {
    const step = given(...placed)
      .when({
        type: 'RecordCreate',
        attempt: 1,
        outcome: { kind: 'refused', code: 'InvalidParameter', class: refusalClass, message: 'm' },
      })
      .then(
        { type: 'CreateRefused', data: { attempt: 1, code: 'InvalidParameter', class: refusalClass, message: 'm' } },
        {
          type: 'PodRejected',
          data: { field: 'request', reason: 'ECI refused it with InvalidParameter: m', code: 'InvalidParameter' },
        },
      );
    expect(isClosed(step.after)).toBe(true);
  });

  it('with an unknown outcome is not a failure: no attempt follows, and a later refusal proves nothing', () => {
    const step = given(...placed)
      .when({ type: 'RecordCreate', attempt: 1, outcome: { kind: 'unknown', reason: 'timeout' } })
      .then({ type: 'CreateOutcomeUnknown', data: { attempt: 1, reason: 'timeout' } });
    expect(wantsPlacement(step.after)).toBe(false);
    const unknown = [...placed, { type: 'CreateOutcomeUnknown', data: { attempt: 1, reason: 'timeout' } } as const];
    given(...unknown)
      .when({ type: 'RecordCreate', attempt: 1, outcome: { kind: 'unknown', reason: 'again' } })
      .thenNothing();
    given(...unknown)
      .when({
        type: 'RecordCreate',
        attempt: 1,
        outcome: { kind: 'refused', code: 'x', class: 'STOCK_OUT', message: '' },
      })
      .thenNothing();
    given(...unknown)
      .when({ type: 'RecordCreate', attempt: 1, outcome: { kind: 'done', containerGroupId: 'eci-1', requestId: 'r' } })
      .then(created(1, 'eci-1'));
    given(...unknown)
      .when({ type: 'RecordFound', attempt: 1, containerGroupId: 'eci-1' })
      .then({ type: 'Adopted', data: { attempt: 1, containerGroupId: 'eci-1' } });
  });

  it('that only has to be sent again leaves no trace', () => {
    given(...placed)
      .when({ type: 'RecordCreate', attempt: 1, outcome: { kind: 'retry', reason: 'Throttling' } })
      .thenNothing();
  });

  it('whose scheduling fails later is followed by another attempt', () => {
    const step = given(...placed, created(1, 'eci-1'))
      .when({ type: 'Observe', knew: NEWEST, snapshot: { containerGroupId: 'eci-1', status: 'ScheduleFailed' } })
      .then({
        type: 'SchedulingFailed',
        data: {
          attempt: 1,
          containerGroupId: 'eci-1',
          reason: 'ScheduleFailed',
          message: 'ECI accepted the request and then found no resources for it.',
        },
      });
    expect(wantsPlacement(step.after)).toBe(true);
  });
});

it('refusals are remembered with the vSwitches and specs that were tried', () => {
  expect(given(...placed, refused(1, 'STOCK_OUT')).state.failures).toMatchObject([
    { attempt: 1, class: 'STOCK_OUT', specs: ['2-4Gi'], vSwitchIds: ['vsw-1', 'vsw-2'] },
  ]);
});
