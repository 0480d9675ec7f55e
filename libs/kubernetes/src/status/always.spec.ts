/** What holds for the status of any stream that the decider can write. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ContainerGroupCommand,
  type ContainerGroupEvent,
  type ContainerGroupState,
  type ContainerState,
  decide,
  evolve,
  finalize,
  type GroupSnapshot,
  type GroupStatus,
  initialState,
  nextAttempt,
} from '#libs/domain';
import { podEventsOf } from './pod-events.ts';
import { podStatusOf } from './pod-status.ts';
import type { PodStatus } from './pod-status-shape.ts';
import { accepted, chosen, need } from '../../spec/status-samples.ts';

const STATUSES: readonly GroupStatus[] = [
  'Scheduling',
  'ScheduleFailed',
  'Pending',
  'Running',
  'Running',
  'Running',
  'Restarting',
  'Updating',
  'Terminating',
  'Succeeded',
  'Failed',
  'Expired',
  'Unknown',
];

const containerState: fc.Arbitrary<ContainerState> = fc.oneof(
  fc.record({ state: fc.constant('waiting' as const), reason: fc.constantFrom('', 'ImagePullBackOff') }),
  fc.record({ state: fc.constant('running' as const) }),
  fc.record({
    state: fc.constant('terminated' as const),
    exitCode: fc.constantFrom(0, 1),
    reason: fc.constantFrom('', 'Error'),
  }),
);
const seenContainer = (names: readonly string[]) =>
  fc.record({
    name: fc.constantFrom(...names),
    image: fc.constantFrom('', 'nginx'),
    ready: fc.boolean(),
    restartCount: fc.nat(2),
    state: containerState,
  });

type Step = (state: ContainerGroupState) => ContainerGroupCommand | undefined;

const acceptedData = (lookUpFirst: boolean, failFast: boolean, restartPolicy: 'Always' | 'Never') =>
  accepted({
    init: true,
    restartPolicy,
    lookUpFirst,
    need: { ...need, failStrategy: failFast ? 'fail-fast' : 'fail-back' },
  }).data as never;

const run: fc.Arbitrary<Step> = fc
  .tuple(fc.boolean(), fc.boolean(), fc.constantFrom('Always' as const, 'Never' as const), fc.boolean())
  .map(([ran, failFast, restartPolicy, ok]): Step => () => ({
    ...(acceptedData(ran, failFast, restartPolicy) as Extract<ContainerGroupCommand, { type: 'RunPod' }>),
    type: 'RunPod',
    podPhase: ran ? 'Running' : 'Pending',
    mapped:
      ok || ran
        ? { ok: true, need: { ...need, failStrategy: failFast ? 'fail-fast' : 'fail-back' } }
        : { ok: false, field: 'spec.x', reason: 'no' },
  }));
const place: Step = (state) => ({ type: 'ChoosePlacement', choice: chosen(nextAttempt(state)).data as never });
const answer: fc.Arbitrary<Step> = fc
  .constantFrom('done', 'done', 'STOCK_OUT', 'QUOTA', 'INVALID_REQUEST', 'unknown')
  .map((kind): Step => (state) => {
    const attempt = state.attempt?.number;
    if (attempt === undefined) return undefined;
    if (kind === 'done')
      return { type: 'RecordCreate', attempt, outcome: { kind, containerGroupId: `eci-${attempt}`, requestId: 'r' } };
    if (kind === 'unknown') return { type: 'RecordCreate', attempt, outcome: { kind, reason: 'silence' } };
    return {
      type: 'RecordCreate',
      attempt,
      outcome: { kind: 'refused', code: 'c', class: kind as 'QUOTA', message: 'm' },
    };
  });
const found: Step = (state) => ({
  type: 'RecordFound',
  attempt: state.attempt?.number ?? 1,
  containerGroupId: `eci-${state.attempt?.number ?? 1}`,
});
const observe: fc.Arbitrary<Step> = fc
  .record({
    status: fc.constantFrom(...STATUSES),
    containers: fc.uniqueArray(seenContainer(['web', 'side', 'stranger']), { selector: ({ name }) => name }),
    initContainers: fc.uniqueArray(seenContainer(['init']), { selector: ({ name }) => name }),
    podIp: fc.constantFrom('', '10.0.0.1'),
  })
  .map(
    ({ podIp, ...seen }): Step =>
      (state) =>
        state.group && {
          type: 'Observe',
          knew: Number.MAX_SAFE_INTEGER,
          snapshot: {
            containerGroupId: state.group.containerGroupId,
            ...seen,
            ...(podIp && { podIp }),
          } as GroupSnapshot,
        },
  );
const gone: Step = (state) =>
  state.group && { type: 'RecordGone', containerGroupId: state.group.containerGroupId, evidence: 'e' };
const deleted: Step = (state) =>
  state.group && { type: 'RecordDelete', containerGroupId: state.group.containerGroupId };
const absent: Step = (state) => ({
  type: 'RecordAbsent',
  attempt: state.attempt?.number ?? 1,
  evidence: { firstAt: 1, secondAt: 70_000, apartMs: 69_999, ageMs: 80_000 },
});
const neverSent: Step = (state) => state.attempt && { type: 'RecordNeverSent', attempt: state.attempt.number };
const twin: Step = () => ({ type: 'RecordTwin', containerGroupId: 'eci-twin', attempt: 99, status: 'Running' });
const simple =
  (command: ContainerGroupCommand): Step =>
  () =>
    command;
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: run },
  { weight: 3, arbitrary: fc.constant(place) },
  { weight: 3, arbitrary: answer },
  { weight: 6, arbitrary: observe },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Step>(
      found,
      gone,
      deleted,
      absent,
      neverSent,
      twin,
      simple({ type: 'Unpark', by: 'gate' }),
      simple({ type: 'Reject', field: 'spec.y', reason: 'no' }),
      simple({
        type: 'StopPod',
        clusterId: 'c1',
        podUid: 'u1',
        namespace: 'shop',
        name: 'web',
        by: 'agent:c1',
        reason: 'Deleted',
      }),
    ),
  },
);

const RANK = { Pending: 0, Running: 1, Succeeded: 2, Failed: 2 } as const;

describe('status, always', () => {
  it('is complete, deterministic, never goes back, and keeps the time of what did not change', () => {
    let sawRunning = 0;
    let finals = 0;
    fc.assert(
      fc.property(run, fc.array(step, { maxLength: 25 }), (first, steps) => {
        let state = initialState;
        let before: PodStatus | undefined;
        let final = false;
        const events: (ContainerGroupEvent & { id: string })[] = [];
        [first, ...steps].forEach((next, index) => {
          const command = next(state);
          if (!command) return;
          const decision = decide(command, state, new Date(Date.UTC(2026, 0, 1) + index * 5000).toISOString());
          if (!decision.accepted) return;
          for (const event of decision.events) {
            state = evolve(state, event);
            events.push({ ...event, id: `e${events.length}` });
            const now = podStatusOf(state) as unknown as PodStatus | undefined;
            expect(JSON.stringify(podStatusOf(structuredClone(state)))).toBe(JSON.stringify(now));
            // The object goes only when its status is final, and what is found later takes nothing back.
            final ||= finalize(state);
            if (final && state.intent) {
              finals += 1;
              expect(['Succeeded', 'Failed']).toContain(now?.phase);
            }
            if (!now) continue;
            if (now.phase === 'Running') sawRunning += 1;
            expect(now.containerStatuses.map(({ name }) => name)).toEqual(['web', 'side']);
            expect(now.initContainerStatuses?.map(({ name }) => name)).toEqual(['init']);
            for (const container of [...now.containerStatuses, ...now.initContainerStatuses!]) {
              expect(Object.keys(container.state)).toHaveLength(1);
              if (RANK[now.phase] === 2) expect(container.state.running).toBeUndefined();
            }
            if (now.phase === 'Succeeded')
              for (const { state: ended } of now.containerStatuses) expect(ended.terminated).toBeDefined();
            if (before) {
              expect(RANK[now.phase]).toBeGreaterThanOrEqual(RANK[before.phase]);
              if (RANK[before.phase] === 2) expect(now.phase).toBe(before.phase);
              for (const condition of now.conditions) {
                const was = before.conditions.find(({ type }) => type === condition.type);
                if (was?.status === condition.status) expect(condition.lastTransitionTime).toBe(was.lastTransitionTime);
              }
            }
            before = now;
          }
        });
        const ids = podEventsOf(events).map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 500 },
    );
    expect(sawRunning).toBeGreaterThan(0);
    expect(finals).toBeGreaterThan(0);
  });
});
