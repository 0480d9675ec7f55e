import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ContainerGroupCommand, GroupSnapshot } from './commands.ts';
import { containerGroupDecider } from './decider.ts';
import type { ContainerState, ContainerStatus, NewContainerGroupEvent } from './events.ts';
import { finalize, lastSight, wantsPlacement } from './questions.ts';
import { NEWEST, accepted, chosen, created, seen } from '../../spec/samples.ts';
import { AT, specificationOf } from '../../spec/decider-specification.ts';

const at = (minutes: number): string => new Date(Date.parse(AT) + minutes * 60_000).toISOString();
const given = specificationOf(containerGroupDecider);
const placed = [accepted(), chosen(1)];
const running = [...placed, created(1, 'eci-1'), seen('eci-1', 'Running')];

const ended: ContainerState = { state: 'terminated', exitCode: 0, reason: 'Completed' };
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
      const second = given(...restarted, ...first.events).when(sight({ containers: [again] }));
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
            events = [...events, ...step.events];
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
        events = [...events, ...step.events];
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
      given(...events, ...first.events)
        .when(sight(11, 110))
        .thenNothing();
      const more = sight(11, 110) as Extract<ContainerGroupCommand, { type: 'Observe' }>;
      const step = given(...events, ...first.events).when({
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
            events = [...events, ...given(...events).when(command).events];
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
    const events = [...running, ...given(...running).when(later).events];

    it('leave out what was asked for without knowing what is held now', () => {
      const knew = lastSight(given(...running).state, 'eci-1');
      const snapshot = { ...later.snapshot, podIp: '10.0.0.1' };
      given(...events)
        .when({ type: 'Observe', knew, snapshot })
        .thenNothing();
      given(...events)
        .when({ type: 'Observe', knew: lastSight(given(...events).state, 'eci-1'), snapshot })
        .then({
          type: 'ContainersChanged',
          data: {
            containerGroupId: 'eci-1',
            status: 'Running',
            containers: [],
            initContainers: [],
            conditions: [],
            cloudEvents: [],
            podIp: '10.0.0.1',
          },
        });
    });

    it('end the pod, whatever was known', () => {
      const snapshot = { containerGroupId: 'eci-1', status: 'Succeeded' } as const;
      expect(given(...events).when({ type: 'Observe', knew: 0, snapshot }).after.end).toBeDefined();
    });

    it('bring the place where the group is, whatever was known: that never changes', () => {
      const snapshot = { ...later.snapshot, zone: 'z', vSwitchId: 'vsw', spec: '2-4Gi', podIp: '10.0.0.1' };
      given(...events)
        .when({ type: 'Observe', knew: 0, snapshot })
        .then({
          type: 'ContainerGroupLanded',
          data: { containerGroupId: 'eci-1', zone: 'z', vSwitchId: 'vsw', spec: '2-4Gi' },
        });
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
      .then(
        {
          type: 'ContainersChanged',
          data: {
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
            initContainers: [],
            conditions: [],
            cloudEvents: [],
          },
        },
        {
          type: 'ContainerGroupFailed',
          data: { containerGroupId: 'eci-1', reason: 'Error', message: 'container c ended with exit code 3' },
        },
      );
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
      .then(
        {
          type: 'ContainerGroupFailed',
          data: {
            containerGroupId: 'eci-1',
            reason: 'OutcomeUnknown',
            message: 'The container group vanished without our delete: lists.',
            lastSeen: 'Running',
          },
        },
        { type: 'ContainerGroupGone', data: { containerGroupId: 'eci-1', evidence: 'lists' } },
      );
    expect(step.decision).toMatchObject({ events: [{ data: { reason: 'OutcomeUnknown', lastSeen: 'Running' } }, {}] });
  });

  it('of a late twin deletes it after a minute and lets no attempt start before it is gone', () => {
    const absent = [...placed, { type: 'ContainerGroupGone', data: { attempt: 1, evidence: '' } } as const];
    const step = given(...absent)
      .when({ type: 'RecordTwin', containerGroupId: 'eci-late', attempt: 1, status: 'Running' })
      .then({ type: 'OrphanFound', data: { containerGroupId: 'eci-late', status: 'Running', attempt: 1 } });
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
