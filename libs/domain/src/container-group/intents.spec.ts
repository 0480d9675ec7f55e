import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import { containerGroupDecider } from './decider.ts';
import type { NewContainerGroupEvent } from './events.ts';
import { lifeOf, wantsPlacement } from './questions.ts';
import { accepted, chosen, created, need, runPod, seen, stopPod } from '../../spec/samples.ts';
import { AT, specificationOf } from '../../spec/decider-specification.ts';

const at = (minutes: number): string => new Date(Date.parse(AT) + minutes * 60_000).toISOString();
const given = specificationOf(containerGroupDecider);
const placed = [accepted(), chosen(1)];
const running = [...placed, created(1, 'eci-1'), seen('eci-1', 'Running')];

describe('an intent', () => {
  it('opens the stream and asks for a placement', () => {
    const step = given().when(runPod()).then(accepted());
    expect(step.consequences.effects).toEqual([{ op: 'put', kind: 'Place', key: 'next', afterMs: 0, priority: 0 }]);
    expect(lifeOf(step.after)).toBe('requested');
  });

  it('changes nothing when it comes twice', () => {
    given(accepted()).when(runPod()).thenNothing();
  });

  it('for a pod that cannot be mapped is accepted and rejected, and nothing is to be done', () => {
    const command = runPod({ mapped: { ok: false, field: 'spec.hostNetwork', reason: 'ECI has no host network' } });
    const step = given()
      .when(command)
      .then(accepted({ need: need({ accountId: '', region: '', vSwitches: [], specs: [] }) }), {
        type: 'PodRejected',
        data: { field: 'spec.hostNetwork', reason: 'ECI has no host network' },
      });
    expect(step.consequences.effects.filter((e) => e.op === 'put')).toEqual([]);
    expect(step.consequences.destroySealed).toBe(true);
    expect(step.after.end).toMatchObject({ kind: 'rejected', message: 'spec.hostNetwork: ECI has no host network' });
  });

  it('keeps what ECI is not asked for, so that it can be told', () => {
    const ignored = [{ field: 'spec.schedulerName', reason: 'the pod is bound already' }];
    given()
      .when(runPod({ mapped: { ok: true, need: need(), ignored } }))
      .then(accepted({ ignored }));
  });

  it('of a finished pod is refused', () => {
    given()
      .when(runPod({ podPhase: 'Succeeded' }))
      .refused('FinalPhase');
  });

  it('for a pod that already runs looks for its group before anything is created', () => {
    const step = given()
      .when(runPod({ podPhase: 'Running' }))
      .then(accepted({ lookUpFirst: true }));
    expect(step.consequences.effects).toMatchObject([{ op: 'put', kind: 'LookUp', key: '0' }]);
    expect(wantsPlacement(step.after)).toBe(false);
  });

  it('that changes images is refused once, by field', () => {
    const changed = runPod({ sequence: 2, spec: { 'spec.containers[0].image': 'other' } });
    const step = given(accepted())
      .when(changed)
      .then({ type: 'PodChangeRefused', data: { fields: ['spec.containers[0].image'] } });
    given(
      accepted(),
      ...(step.after.refusedFields.length
        ? [{ type: 'PodChangeRefused' as const, data: { fields: step.after.refusedFields } }]
        : []),
    )
      .when({ ...changed, sequence: 3 })
      .thenNothing();
  });

  it('that changes images renews all the same what was resolved: tokens of a pod that waits would die', () => {
    const changed = { spec: { 'spec.containers[0].image': 'other' }, digests: { 'tokens/t': 'new' } };
    const step = given(accepted())
      .when(runPod({ ...changed, sequence: 2 }))
      .then(
        { type: 'PodChangeRefused', data: { fields: ['spec.containers[0].image'] } },
        {
          type: 'PodIntentRefreshed',
          data: {
            agentEpoch: 1,
            sequence: 2,
            profileRevision: 'p1',
            digests: { 'tokens/t': 'new' },
            tokens: [],
            need: need(),
          },
        },
      );
    expect(decide(runPod({ ...changed, sequence: 3 }), step.after, AT)).toEqual({ accepted: true, events: [] });
  });

  it('may be refreshed while no attempt is open, once per difference', () => {
    const refreshed = runPod({ sequence: 2, digests: { 'env/a': 'new' } });
    const step = given(accepted())
      .when(refreshed)
      .then({
        type: 'PodIntentRefreshed',
        data: {
          agentEpoch: 1,
          sequence: 2,
          profileRevision: 'p1',
          digests: { 'env/a': 'new' },
          tokens: [],
          need: need(),
        },
      });
    expect(decide(refreshed, step.after, AT)).toEqual({ accepted: true, events: [] });
    given(...running)
      .when(refreshed)
      .thenNothing();
  });

  it('with an older sequence is not applied', () => {
    given(accepted({ sequence: 5 }))
      .when(runPod({ sequence: 4, digests: { x: 'y' } }))
      .thenNothing();
  });

  it('with other vSwitches frees a pod that waits for stock', () => {
    const parked: NewContainerGroupEvent = {
      type: 'Parked',
      data: {
        gate: { kind: 'capacity', accountId: 'a', region: 'r', specFamily: '2-4Gi', chargeType: 'on-demand' },
        reason: 'STOCK_OUT',
        message: '',
      },
    };
    const command = runPod({
      sequence: 2,
      profileRevision: 'p2',
      mapped: { ok: true, need: need({ vSwitches: [{ vSwitchId: 'vsw-9' }] }) },
    });
    const step = given(accepted(), parked)
      .when(command)
      .then(
        {
          type: 'PodIntentRefreshed',
          data: {
            agentEpoch: 1,
            sequence: 2,
            profileRevision: 'p2',
            digests: { 'env/a': 'h1' },
            tokens: [],
            need: need({ vSwitches: [{ vSwitchId: 'vsw-9' }] }),
          },
        },
        { type: 'Unparked', data: { by: 'refreshed intent' } },
      );
    expect(step.consequences.effects).toMatchObject([
      { op: 'remove', kind: 'Refresh' },
      { op: 'put', kind: 'Place' },
    ]);
  });
});

it('a stream with events of a newer version is not decided on', () => {
  const fromTheFuture = { type: 'Unknown', was: 'FromTheFuture' } as const;
  given(accepted(), fromTheFuture).when(stopPod(), at(1)).refused('UnknownEvents');
});
