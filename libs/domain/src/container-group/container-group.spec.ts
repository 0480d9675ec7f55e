import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AbsenceEvidence, ContainerGroupCommand, GroupSnapshot } from './commands.ts';
import { decide } from './decide.ts';
import { containerGroupDecider } from './decider.ts';
import type { ContainerState, ContainerStatus, NewContainerGroupEvent } from './events.ts';
import { finalize, isClosed, lastSight, lifeOf, wantsPlacement } from './questions.ts';
import { AT, specificationOf } from '../../spec/decider-specification.ts';
import { NEWEST, accepted, chosen, created, need, refused, runPod, seen, stopPod } from './samples.ts';

const at = (minutes: number): string => new Date(Date.parse(AT) + minutes * 60_000).toISOString();
const given = specificationOf(containerGroupDecider);

const placed = [accepted(), chosen(1)];
const running = [...placed, created(1, 'eci-1'), seen('eci-1', 'Running')];

describe('an intent', () => {
  it('opens the stream and asks for a placement', () => {
    const step = given().when(runPod()).thenTypes('PodIntentAccepted');
    expect(step.consequences.effects).toEqual([{ op: 'put', kind: 'Place', key: 'next', afterMs: 0, priority: 0 }]);
    expect(lifeOf(step.after)).toBe('requested');
  });

  it('changes nothing when it comes twice', () => {
    given(accepted()).when(runPod()).thenNothing();
  });

  it('for a pod that cannot be mapped is accepted and rejected, and nothing is to be done', () => {
    const command = runPod({ mapped: { ok: false, field: 'spec.hostNetwork', reason: 'ECI has no host network' } });
    const step = given().when(command).thenTypes('PodIntentAccepted', 'PodRejected');
    expect(step.consequences.effects.filter((e) => e.op === 'put')).toEqual([]);
    expect(step.consequences.destroySealed).toBe(true);
    expect(step.after.end).toMatchObject({ kind: 'rejected', message: 'spec.hostNetwork: ECI has no host network' });
  });

  it('keeps what ECI is not asked for, so that it can be told', () => {
    const ignored = [{ field: 'spec.schedulerName', reason: 'the pod is bound already' }];
    const step = given()
      .when(runPod({ mapped: { ok: true, need: need(), ignored } }))
      .thenTypes('PodIntentAccepted');
    expect(step.decision).toMatchObject({ events: [{ data: { ignored } }] });
  });

  it('of a finished pod is refused', () => {
    given()
      .when(runPod({ podPhase: 'Succeeded' }))
      .refused('FinalPhase');
  });

  it('for a pod that already runs looks for its group before anything is created', () => {
    const step = given()
      .when(runPod({ podPhase: 'Running' }))
      .thenTypes('PodIntentAccepted');
    expect(step.consequences.effects).toMatchObject([{ op: 'put', kind: 'LookUp', key: '0' }]);
    expect(wantsPlacement(step.after)).toBe(false);
  });

  it('that changes images is refused once, by field', () => {
    const changed = runPod({ sequence: 2, spec: { 'spec.containers[0].image': 'other' } });
    const step = given(accepted()).when(changed).thenTypes('PodChangeRefused');
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
      .thenTypes('PodChangeRefused', 'PodIntentRefreshed');
    expect(decide(runPod({ ...changed, sequence: 3 }), step.after, AT)).toEqual({ accepted: true, events: [] });
  });

  it('may be refreshed while no attempt is open, once per difference', () => {
    const refreshed = runPod({ sequence: 2, digests: { 'env/a': 'new' } });
    const step = given(accepted()).when(refreshed).thenTypes('PodIntentRefreshed');
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
    const step = given(accepted(), parked).when(command).thenTypes('PodIntentRefreshed', 'Unparked');
    expect(step.consequences.effects).toMatchObject([
      { op: 'remove', kind: 'Refresh' },
      { op: 'put', kind: 'Place' },
    ]);
  });
});

describe('a create', () => {
  it('that is accepted is only starting', () => {
    const step = given(...placed)
      .when({ type: 'RecordCreate', attempt: 1, outcome: { kind: 'done', containerGroupId: 'eci-1', requestId: 'r' } })
      .thenTypes('ContainerGroupCreated');
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
        .thenTypes('CreateRefused');
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
      .thenTypes('CreateRefused');
    expect(wantsPlacement(step.after)).toBe(false);
    expect(step.after.end).toBeUndefined();
  });

  it.each(['QUOTA', 'AUTH'] as const)('refused with %s parks the pod behind the account', (refusalClass) => {
    const step = given(...placed)
      .when({
        type: 'RecordCreate',
        attempt: 1,
        outcome: { kind: 'refused', code: 'x', class: refusalClass, message: 'm' },
      })
      .thenTypes('CreateRefused', 'Parked');
    expect(step.consequences.parking).toEqual([
      { op: 'park', gate: { kind: 'account', accountId: 'acc', class: refusalClass }, priority: 0 },
    ]);
    expect(lifeOf(step.after)).toBe('parked');
  });

  it.each(['NOT_FOUND', 'INVALID_REQUEST'] as const)('refused with %s rejects the pod', (refusalClass) => {
    const step = given(...placed)
      .when({
        type: 'RecordCreate',
        attempt: 1,
        outcome: { kind: 'refused', code: 'InvalidParameter', class: refusalClass, message: 'm' },
      })
      .thenTypes('CreateRefused', 'PodRejected');
    expect(isClosed(step.after)).toBe(true);
  });

  it('with an unknown outcome is not a failure: no attempt follows, and a later refusal proves nothing', () => {
    const step = given(...placed)
      .when({ type: 'RecordCreate', attempt: 1, outcome: { kind: 'unknown', reason: 'timeout' } })
      .thenTypes('CreateOutcomeUnknown');
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
      .thenTypes('ContainerGroupCreated');
    given(...unknown)
      .when({ type: 'RecordFound', attempt: 1, containerGroupId: 'eci-1' })
      .thenTypes('Adopted');
  });

  it('that only has to be sent again leaves no trace', () => {
    given(...placed)
      .when({ type: 'RecordCreate', attempt: 1, outcome: { kind: 'retry', reason: 'Throttling' } })
      .thenNothing();
  });

  it('whose scheduling fails later is followed by another attempt', () => {
    const step = given(...placed, created(1, 'eci-1'))
      .when({ type: 'Observe', knew: NEWEST, snapshot: { containerGroupId: 'eci-1', status: 'ScheduleFailed' } })
      .thenTypes('SchedulingFailed');
    expect(wantsPlacement(step.after)).toBe(true);
  });
});

describe('absence', () => {
  const minute = 60_000;
  const base = Date.parse(AT);
  const evidence = (over: Partial<AbsenceEvidence> = {}): AbsenceEvidence => ({
    firstAt: base + minute,
    secondAt: base + 3 * minute,
    apartMs: minute,
    ageMs: 3 * minute,
    ...over,
  });
  const unknown = [...placed, { type: 'CreateOutcomeUnknown', data: { attempt: 1, reason: 'timeout' } } as const];

  it('of two complete look-ups a minute apart settles the attempt', () => {
    const step = given(...unknown)
      .when({ type: 'RecordAbsent', attempt: 1, evidence: evidence() })
      .thenTypes('ContainerGroupGone');
    expect(wantsPlacement(step.after)).toBe(true);
  });

  it('proves nothing when less than a minute was waited between the two, whatever clocks say', () => {
    given(...unknown)
      .when({
        type: 'RecordAbsent',
        attempt: 1,
        evidence: evidence({ apartMs: minute - 1, secondAt: base + 9 * minute }),
      })
      .refused('EvidenceTooClose');
    given(...unknown)
      .when({ type: 'RecordAbsent', attempt: 1, evidence: evidence({ secondAt: base - 9 * minute }) })
      .thenTypes('ContainerGroupGone');
  });

  it.each([
    ['the database', evidence({ ageMs: 55 * minute })],
    ['the replicas', evidence({ secondAt: base + 55 * minute })],
  ])(
    'that by the clock of %s comes after ECI may have forgotten a finished group ends the pod as unknown',
    (_, late) => {
      given(...unknown)
        .when({ type: 'RecordAbsent', attempt: 1, evidence: late })
        .thenTypes('ContainerGroupFailed', 'ContainerGroupGone');
      const always = accepted({ pod: { ...accepted().data.pod, restartPolicy: 'Always' } });
      given(always, ...unknown.slice(1))
        .when({ type: 'RecordAbsent', attempt: 1, evidence: late })
        .thenTypes('ContainerGroupGone');
    },
  );
});

describe('a stop', () => {
  it('of an unknown pod leaves a closed stream that ignores a later intent', () => {
    const step = given().when(stopPod()).thenTypes('StopRequested');
    expect([isClosed(step.after), finalize(step.after)]).toEqual([true, true]);
    expect(decide(runPod(), step.after, AT)).toEqual({ accepted: true, events: [] });
  });

  it('before the placement means: never created', () => {
    const step = given(accepted()).when(stopPod()).thenTypes('StopRequested');
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
      .thenTypes('StopRequested');
    expect(finalize(step.after)).toBe(false);
    expect(step.consequences.effects).toContainEqual({ op: 'remove', kind: 'Create', key: '1', unlessClaimed: true });
    const stopped = { type: 'StopRequested', data: { by: 'agent', reason: 'Deleted' } } as const;
    const late = given(...placed, stopped)
      .when({ type: 'RecordCreate', attempt: 1, outcome: { kind: 'done', containerGroupId: 'eci-1', requestId: 'r' } })
      .thenTypes('ContainerGroupCreated');
    expect(late.consequences.effects).toContainEqual({
      op: 'put',
      kind: 'Delete',
      key: 'eci-1',
      afterMs: 0,
      priority: 0,
    });
    const never = given(...placed, stopped)
      .when({ type: 'RecordNeverSent', attempt: 1 })
      .thenTypes('ContainerGroupGone');
    expect(finalize(never.after)).toBe(true);
  });

  it('deletes the group, and finalizes when it is proven gone', () => {
    const step = given(...running)
      .when(stopPod())
      .thenTypes('StopRequested');
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
      .thenTypes('DeleteAccepted');
    expect(finalize(deleting.after)).toBe(false);
    const gone = given(...running, stopped, { type: 'DeleteAccepted', data: { containerGroupId: 'eci-1' } })
      .when({ type: 'RecordGone', containerGroupId: 'eci-1', evidence: 'two reads' })
      .thenTypes('ContainerGroupGone');
    expect([finalize(gone.after), lifeOf(gone.after), gone.consequences.destroySealed]).toEqual([true, 'gone', true]);
  });

  it('of a finished pod, whose group ECI has forgotten, finalizes at once', () => {
    const done = [...running, { type: 'ContainerGroupSucceeded', data: { containerGroupId: 'eci-1' } } as const];
    expect(finalize(given(...done).state)).toBe(false);
    expect(finalize(given(...done).when(stopPod()).after)).toBe(true);
  });
});

const ended: ContainerState = { state: 'terminated', exitCode: 0, reason: 'Completed' };
const said = ({ decision }: { decision: ReturnType<typeof decide> }): NewContainerGroupEvent[] =>
  decision.accepted ? [...decision.events] : [];

describe('an observation', () => {
  it('that shows nothing new says nothing', () => {
    given(...running)
      .when({ type: 'Observe', knew: NEWEST, snapshot: { containerGroupId: 'eci-1', status: 'Running' } })
      .thenNothing();
  });

  it('older than what is known says nothing', () => {
    given(...running)
      .when({ type: 'Observe', knew: NEWEST, snapshot: { containerGroupId: 'eci-1', status: 'Pending' } })
      .thenNothing();
  });

  describe('whose restart count is smaller than what is known', () => {
    const late = '2026-01-01T00:09:00.000Z';
    const container = (restartCount: number, state: ContainerState): ContainerStatus => ({
      name: 'c',
      image: 'i',
      ready: state.state === 'running',
      restartCount,
      state,
    });
    const picture = (containers: ContainerStatus[], podIp = '10.0.0.1') =>
      ({
        type: 'ContainersChanged',
        data: {
          containerGroupId: 'eci-1',
          status: 'Running',
          containers,
          initContainers: [],
          conditions: [],
          cloudEvents: [],
          podIp,
        },
      }) as NewContainerGroupEvent;
    const restarted = [
      ...running,
      picture([container(3, { state: 'running', startedAt: '2026-01-01T00:05:00.000Z' })]),
    ];
    const sight = (more: Partial<GroupSnapshot>): ContainerGroupCommand => ({
      type: 'Observe',
      knew: NEWEST,
      snapshot: { containerGroupId: 'eci-1', status: 'Running', ...more },
    });

    it.each(['Succeeded', 'Failed', 'Expired'] as const)('ends the pod when it says %s', (status) => {
      const step = given(...restarted).when(sight({ status, containers: [container(0, ended)] }));
      expect(step.after.end).toBeDefined();
      expect(step.after.group!.containers[0]!.restartCount).toBe(3);
    });

    it('adds restarts to those known: the host was restarted', () => {
      const first = given(...restarted).when(
        sight({ containers: [container(0, { state: 'running', startedAt: late })] }),
      );
      expect(first.after.group!.containers[0]).toMatchObject({ restartCount: 3, restartsBefore: 3 });

      const again = container(1, { state: 'running', startedAt: '2026-01-01T00:10:00.000Z' });
      const second = given(...restarted, ...said(first)).when(sight({ containers: [again] }));
      expect(second.after.group!.containers[0]).toMatchObject({ restartCount: 4, restartsBefore: 3 });
    });

    it('never lets a count fall or a pod miss its end, whatever is seen in whatever order', () => {
      const states: fc.Arbitrary<ContainerState> = fc.oneof(
        fc.constant({ state: 'waiting' as const, reason: 'CrashLoopBackOff' }),
        fc.integer({ min: 0, max: 30 }).map((n) => ({ state: 'running' as const, startedAt: at(n) })),
      );
      const sights = fc.record({ count: fc.nat(4), state: states, podIp: fc.constantFrom('10.0.0.1', '10.0.0.2') });
      fc.assert(
        fc.property(fc.array(sights, { maxLength: 12 }), fc.constantFrom('Succeeded', 'Failed'), (list, status) => {
          let events = [...restarted];
          let count = 3;
          for (const { count: restarts, state, podIp } of list) {
            const step = given(...events).when(sight({ podIp, containers: [container(restarts, state)] }));
            const now = step.after.group!.containers[0]!.restartCount;
            expect(now).toBeGreaterThanOrEqual(count);
            count = now;
            events = [...events, ...said(step)];
          }
          const end = given(...events).when(sight({ status, containers: [container(0, ended)] }));
          expect(end.after.end).toBeDefined();
        }),
      );
    });
  });

  describe('of an event that only repeats', () => {
    const sight = (count: number, secondsLater: number): ContainerGroupCommand => ({
      type: 'Observe',
      knew: NEWEST,
      snapshot: {
        containerGroupId: 'eci-1',
        status: 'Pending',
        cloudEvents: [
          {
            type: 'Normal',
            reason: 'BackOff',
            message: 'Back-off pulling image "missing"',
            count,
            firstTimestamp: '2026-01-01T00:00:00Z',
            lastTimestamp: new Date(Date.parse('2026-01-01T00:00:00Z') + secondsLater * 1000).toISOString(),
          },
        ],
      },
    });

    it('costs a few events an hour, and is never told with a count that is long wrong', () => {
      let events: NewContainerGroupEvent[] = [accepted(), chosen(1), created(1, 'eci-1'), seen('eci-1', 'Pending')];
      const before = events.length;
      for (let count = 1; count <= 2_880; count++) {
        const step = given(...events).when(sight(count, count * 10));
        events = [...events, ...said(step)];
        const told = step.after.group!.cloudEvents[0]!.count;
        expect(told).toBeGreaterThan(count / 2);
        expect(count - told).toBeLessThan(60);
      }
      // Eight hours.
      expect(events.length - before).toBeLessThan(8 * 6 + 10);
    });

    it('is told with whatever else is new', () => {
      const events = [accepted(), chosen(1), created(1, 'eci-1')];
      const first = given(...events).when(sight(10, 100));
      given(...events, ...said(first))
        .when(sight(11, 110))
        .thenNothing();
      const more = sight(11, 110) as Extract<ContainerGroupCommand, { type: 'Observe' }>;
      const step = given(...events, ...said(first)).when({
        ...more,
        snapshot: { ...more.snapshot, podIp: '10.0.0.7' },
      });
      expect(step.after.group!.cloudEvents[0]!.count).toBe(11);
    });
  });

  describe('and what its asker knew', () => {
    const waiting: ContainerState = { state: 'waiting', reason: 'CrashLoopBackOff' };
    const states: fc.Arbitrary<ContainerState> = fc.oneof(
      fc.constant(waiting),
      fc.integer({ min: 0, max: 30 }).map((n) => ({ state: 'running' as const, startedAt: at(n) })),
    );
    /** What the cloud shows, one after the other: each with an address of its own, and counts and times as a host has them whose clock was set. */
    const shown = fc.record({ count: fc.nat(4), state: states });
    const steps = fc.array(fc.oneof(fc.record({ asks: shown }), fc.record({ arrives: fc.nat(4) })), {
      maxLength: 30,
      size: 'max',
    });

    it('make it newer than all that was recorded, or leave it out, in whatever order answers come', () => {
      fc.assert(
        fc.property(steps, (taken) => {
          let events: NewContainerGroupEvent[] = [...running];
          const onTheirWay: Extract<ContainerGroupCommand, { type: 'Observe' }>[] = [];
          let moment = 0;
          let newest = 0;
          let restarts = 0;
          for (const step of taken) {
            if ('asks' in step) {
              const { count, state } = step.asks;
              const container = { name: 'c', image: 'i', ready: false, restartCount: count, state };
              moment += 1;
              const snapshot: GroupSnapshot = {
                containerGroupId: 'eci-1',
                status: 'Running',
                podIp: `10.0.0.${moment}`,
                containers: [container],
              };
              onTheirWay.push({ type: 'Observe', snapshot, knew: lastSight(given(...events).state, 'eci-1') });
              continue;
            }
            const [command] = onTheirWay.splice(step.arrives, 1);
            if (!command) continue;
            events = [...events, ...said(given(...events).when(command))];
            const { podIp = '10.0.0.0', containers } = given(...events).state.group!;
            const told = Number(podIp.slice('10.0.0.'.length));
            expect(told).toBeGreaterThanOrEqual(newest);
            newest = told;
            expect(containers[0]?.restartCount ?? 0).toBeGreaterThanOrEqual(restarts);
            restarts = containers[0]?.restartCount ?? 0;
          }
        }),
      );
    });

    const later = {
      type: 'Observe',
      knew: NEWEST,
      snapshot: { containerGroupId: 'eci-1', status: 'Running', podIp: '10.0.0.9' },
    } as const;
    const events = [...running, ...said(given(...running).when(later))];

    it('leave out what was asked for without knowing what is held now', () => {
      const knew = lastSight(given(...running).state, 'eci-1');
      const snapshot = { ...later.snapshot, podIp: '10.0.0.1' };
      given(...events)
        .when({ type: 'Observe', knew, snapshot })
        .thenNothing();
      given(...events)
        .when({ type: 'Observe', knew: lastSight(given(...events).state, 'eci-1'), snapshot })
        .thenTypes('ContainersChanged');
    });

    it('end the pod, whatever was known', () => {
      const snapshot = { containerGroupId: 'eci-1', status: 'Succeeded' } as const;
      expect(given(...events).when({ type: 'Observe', knew: 0, snapshot }).after.end).toBeDefined();
    });

    it('bring the place where the group is, whatever was known: that never changes', () => {
      const snapshot = { ...later.snapshot, zone: 'z', vSwitchId: 'vsw', spec: '2-4Gi', podIp: '10.0.0.1' };
      given(...events)
        .when({ type: 'Observe', knew: 0, snapshot })
        .thenTypes('ContainerGroupLanded');
    });
  });

  it('of an end gives the pod its end, for ever', () => {
    const step = given(...running)
      .when({
        type: 'Observe',
        knew: NEWEST,
        snapshot: {
          containerGroupId: 'eci-1',
          status: 'Failed',
          containers: [
            {
              name: 'c',
              image: 'i',
              ready: false,
              restartCount: 0,
              state: { state: 'terminated', exitCode: 3, reason: 'Error' },
            },
          ],
        },
      })
      .thenTypes('ContainersChanged', 'ContainerGroupFailed');
    expect(step.after.end).toMatchObject({
      kind: 'failed',
      reason: 'Error',
      message: 'container c ended with exit code 3',
    });
    expect(wantsPlacement(step.after)).toBe(false);
    expect(finalize(step.after)).toBe(false);
  });

  it('that a group vanished without our delete fails the pod with what was seen last', () => {
    const step = given(...running)
      .when({ type: 'RecordGone', containerGroupId: 'eci-1', evidence: 'lists' })
      .thenTypes('ContainerGroupFailed', 'ContainerGroupGone');
    expect(step.decision).toMatchObject({ events: [{ data: { reason: 'OutcomeUnknown', lastSeen: 'Running' } }, {}] });
  });

  describe('of a group that ended before anybody knew of it', () => {
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
        .thenTypes('OrphanFound', 'ContainerGroupGone');

      expect(step.decision).toMatchObject({
        events: [
          { data: { containerGroupId: 'eci-past', status: 'Succeeded', createdAt: past.createdAt } },
          { data: { containerGroupId: 'eci-past', finishedAt: past.finishedAt } },
        ],
      });
      expect(step.consequences.effects.filter(({ op, kind }) => op === 'put' && kind !== 'Place')).toEqual([]);
      expect(wantsPlacement(step.after)).toBe(true);
    });

    it('names it once', () => {
      const events = [...absent, ...said(given(...absent).when(past))];
      given(...events)
        .when(past)
        .thenNothing();
    });

    it('gives one that was never scheduled no time', () => {
      const step = given(...absent).when({ ...past, status: 'ScheduleFailed' });
      expect(JSON.stringify(said(step))).not.toMatch(/createdAt|finishedAt/);
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
        .thenTypes('Adopted');
    });

    it('leaves a stream closed that was closed', () => {
      const stopped = { type: 'StopRequested', data: { by: 'agent', reason: 'Deleted' } } as const;
      const step = given(...absent, stopped)
        .when(past)
        .thenTypes('OrphanFound', 'ContainerGroupGone');
      expect([isClosed(step.after), finalize(step.after)]).toEqual([true, true]);
    });
  });

  it('of a late twin deletes it after a minute and lets no attempt start before it is gone', () => {
    const absent = [...placed, { type: 'ContainerGroupGone', data: { attempt: 1, evidence: '' } } as const];
    const step = given(...absent)
      .when({ type: 'RecordTwin', containerGroupId: 'eci-late', attempt: 1, status: 'Running' })
      .thenTypes('OrphanFound');
    expect(step.consequences.effects).toContainEqual({
      op: 'put',
      kind: 'Delete',
      key: 'eci-late',
      afterMs: 60_000,
      priority: 0,
    });
    expect(wantsPlacement(step.after)).toBe(false);
  });
});

it('a stream with events of a newer version is not decided on', () => {
  const fromTheFuture = { type: 'FromTheFuture', data: {} } as unknown as NewContainerGroupEvent;
  given(accepted(), fromTheFuture).when(stopPod(), at(1)).refused('UnknownEvents');
});

it('refusals are remembered with the vSwitches and specs that were tried', () => {
  expect(given(...placed, refused(1, 'STOCK_OUT')).state.failures).toMatchObject([
    { attempt: 1, class: 'STOCK_OUT', specs: ['2-4Gi'], vSwitchIds: ['vsw-1', 'vsw-2'] },
  ]);
});
