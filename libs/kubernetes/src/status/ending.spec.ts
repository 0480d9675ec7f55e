import { finalize, type NewContainerGroupEvent } from '#libs/domain';
import { describe, expect, it } from 'vitest';
import { podStatusOf } from './pod-status.ts';
import type { PodStatus } from './pod-status-shape.ts';
import {
  accepted,
  chosen,
  container,
  created,
  need,
  refusedFor,
  running,
  seen,
  stateOf,
  stopRequested as stop,
} from '../../spec/status-samples.ts';

type Event = NewContainerGroupEvent;

const parked: Event = {
  type: 'Parked',
  data: { gate: { kind: 'account', accountId: 'default', class: 'QUOTA' }, reason: 'QuotaExceeded', message: 'm' },
};
const gone: Event = { type: 'ContainerGroupGone', data: { containerGroupId: 'eci-1', evidence: 'read' } };
const neverMade: Event = { type: 'ContainerGroupGone', data: { attempt: 1, evidence: 'no group' } };
const deleted: Event = { type: 'DeleteAccepted', data: { containerGroupId: 'eci-1' } };
const failed = (reason: string): Event => ({
  type: 'ContainerGroupFailed',
  data: { containerGroupId: 'eci-1', reason, message: 'why' },
});
const exit = (exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error') =>
  ({ state: 'terminated', exitCode, reason, finishedAt: '2026-11-23T10:01:00Z' }) as const;
const waits = (reason: string) => ({ state: 'waiting', reason }) as const;
const side = (over: Parameters<typeof container>[1]) => container('side', over);
const web = (over: Parameters<typeof container>[1] = {}) => container('web', over);
const unseen = (status: 'Running' | 'Terminating'): Event => seen(status, { podIp: '172.16.0.9' });
const lookUp = accepted({ lookUpFirst: true });
const life = (...events: Event[]): Event[] => [accepted(), chosen(), created(), ...events];
const withInit = (...events: Event[]): Event[] => [accepted({ init: true }), chosen(), created(), ...events];

/** `137`, `0` … = ended with that code; a word = waits with that reason. In the order web, side, init. */
const endOf = (status: PodStatus): (number | string)[] =>
  [...status.containerStatuses, ...(status.initContainerStatuses ?? [])].map(
    ({ state }) => state.terminated?.exitCode ?? state.waiting?.reason ?? 'running',
  );
const disruption = (status: PodStatus) => status.conditions.find(({ type }) => type === 'DisruptionTarget');

const CREATING = 'ContainerCreating';

describe('the status of a pod whose object may go', () => {
  it.each<[string, Event[], 'Succeeded' | 'Failed', (number | string)[]]>([
    ['stopped before anything was tried', [accepted(), stop], 'Failed', [CREATING, CREATING]],
    ['parked', [accepted(), chosen(), refusedFor('QUOTA'), parked, stop], 'Failed', [CREATING, CREATING]],
    [
      'refused for want of stock',
      [accepted(), chosen(), refusedFor('STOCK_OUT'), stop],
      'Failed',
      [CREATING, CREATING],
    ],
    [
      'given up by fail-fast',
      [accepted({ need: { ...need, failStrategy: 'fail-fast' } }), chosen(), refusedFor('STOCK_OUT'), stop],
      'Failed',
      ['ProviderFailed', 'ProviderFailed'],
    ],
    [
      'rejected, restartPolicy Always',
      [accepted(), { type: 'PodRejected', data: { field: 'spec.x', reason: 'no' } }, stop],
      'Failed',
      ['ProviderFailed', 'ProviderFailed'],
    ],
    [
      'rejected, restartPolicy Never',
      [accepted({ restartPolicy: 'Never' }), { type: 'PodRejected', data: { field: 'spec.x', reason: 'no' } }, stop],
      'Failed',
      ['ProviderFailed', 'ProviderFailed'],
    ],
    ['creating, never sent', [accepted(), chosen(), stop, neverMade], 'Failed', [CREATING, CREATING]],
    [
      'creating, outcome unknown, nothing made',
      [accepted(), chosen(), { type: 'CreateOutcomeUnknown', data: { attempt: 1, reason: 'r' } }, stop, neverMade],
      'Failed',
      [CREATING, CREATING],
    ],
    ['made and never seen', life(stop, deleted, gone), 'Failed', [CREATING, CREATING]],
    [
      'pulling images',
      life(seen('Pending', { containers: [web({ state: waits('ErrImagePull'), ready: false })] }), stop, deleted, gone),
      'Failed',
      ['ErrImagePull', CREATING],
    ],
    ['running', life(running(), stop, deleted, gone), 'Failed', [137, 137]],
    ['running, its containers never seen', life(unseen('Running'), stop, deleted, gone), 'Failed', [137, 137]],
    [
      'terminating, the end of one seen',
      life(running(), stop, deleted, ends([143, undefined]), gone),
      'Failed',
      [143, 137],
    ],
    ['terminating, all ended well', life(running(), stop, deleted, ends([0, 0]), gone), 'Succeeded', [0, 0]],
    ['terminating, one ended badly', life(running(), stop, deleted, ends([0, 3]), gone), 'Failed', [0, 3]],
    [
      'waiting to be restarted: what it waited after is its end',
      life(
        running({
          containers: [
            web(),
            side({ state: waits('CrashLoopBackOff'), lastState: exit(3), restartCount: 2, ready: false }),
          ],
        }),
        stop,
        deleted,
        gone,
      ),
      'Failed',
      [137, 3],
    ],
    [
      'waiting to be restarted, and how it ended was not seen',
      life(running({ containers: [web(), side({ state: waits('CrashLoopBackOff'), restartCount: 2 })] }), stop, gone),
      'Failed',
      [137, 137],
    ],
    [
      'running, one container never started',
      life(running({ containers: [web(), side({ state: waits('ErrImagePull'), ready: false })] }), stop, gone),
      'Failed',
      [137, 'ErrImagePull'],
    ],
    [
      'init container running',
      withInit(seen('Pending', { initContainers: [container('init')] }), stop, deleted, gone),
      'Failed',
      ['PodInitializing', 'PodInitializing', 137],
    ],
    [
      'init container failed and waits',
      withInit(
        seen('Pending', {
          initContainers: [
            container('init', { state: waits('CrashLoopBackOff'), lastState: exit(1), restartCount: 1 }),
          ],
        }),
        stop,
        deleted,
        gone,
      ),
      'Failed',
      ['PodInitializing', 'PodInitializing', 1],
    ],
    ['running after its init containers', withInit(running(), stop, deleted, gone), 'Failed', [137, 137, 0]],
    ['ended well after its init containers', withInit(running(), stop, ends([0, 0]), gone), 'Succeeded', [0, 0, 0]],
    [
      'finished well before',
      life(running(), { type: 'ContainerGroupSucceeded', data: { containerGroupId: 'eci-1' } }, stop),
      'Succeeded',
      [0, 0],
    ],
    ['failed before', life(running(), ends([0, 3]), failed('Error'), stop), 'Failed', [0, 3]],
    ['vanished before', life(running(), failed('OutcomeUnknown'), gone, stop), 'Failed', [137, 137]],
    ['ran before it was known, looked up, deleted', [lookUp, found(), stop, deleted, gone], 'Failed', [137, 137]],
    ['ran before it was known, never found', [lookUp, stop, failed('OutcomeUnknown'), neverMade], 'Failed', [137, 137]],
    [
      'a late twin is found afterwards',
      life(running(), stop, deleted, gone, {
        type: 'OrphanFound',
        data: { containerGroupId: 'eci-x', status: 'Running' },
      }),
      'Failed',
      [137, 137],
    ],
  ])('is final: %s', (what, events, phase, ends) => {
    const state = stateOf(...events);
    expect(finalize(state)).toBe(!what.includes('twin'));

    const status = podStatusOf(state) as unknown as PodStatus;

    expect(status.phase).toBe(phase);
    expect(endOf(status)).toEqual(ends);
    for (const type of ['Ready', 'ContainersReady', 'PodReadyToStartContainers'])
      expect(status.conditions.find((one) => one.type === type)).toMatchObject({ status: 'False' });
    for (const { ready, started } of status.containerStatuses)
      expect({ ready, started }).toEqual({ ready: false, started: false });
    expect(disruption(status) !== undefined).toBe(
      events.some((event) => event.type === 'ContainerGroupFailed' && event.data.reason === 'OutcomeUnknown'),
    );
  });

  it('says of an end that nobody saw what a kubelet says', () => {
    const { containerStatuses } = podStatusOf(stateOf(...life(running(), stop, deleted, gone))) as unknown as PodStatus;

    expect(containerStatuses[0]?.state).toEqual({
      terminated: {
        exitCode: 137,
        reason: 'ContainerStatusUnknown',
        message: 'The container could not be located when the pod was terminated',
        startedAt: '2026-11-23T10:00:30Z',
        finishedAt: '2026-11-23T10:00:06Z',
        containerID: 'eci://eci-1/web',
      },
    });
  });

  it.each<[string, Event[], string | undefined]>([
    [
      'the spot group was taken back',
      life(running(), { type: 'ContainerGroupExpired', data: { containerGroupId: 'eci-1', message: 'released' } }),
      'SpotReleased',
    ],
    [
      'it vanished after its release was announced',
      life(
        running(),
        { type: 'SpotReleaseAnnounced', data: { containerGroupId: 'eci-1', message: 'soon' } },
        failed('OutcomeUnknown'),
        gone,
      ),
      'SpotReleased',
    ],
    ['it vanished', life(running(), failed('OutcomeUnknown'), gone), 'ContainerGroupVanished'],
    [
      'its host failed',
      life(
        running({ conditions: [{ type: 'SandboxReady', status: 'False', reason: 'SystemFailure.Reboot' }] }),
        failed('Error'),
      ),
      'HostFailure',
    ],
    ['the cloud names the host', life(running(), failed('SystemFailureReboot')), 'HostFailure'],
    ['a container failed', life(running(), ends([1, 0]), failed('Error')), undefined],
    ['somebody deleted it', life(running(), stop, deleted, gone), undefined],
    ['its create was refused', [accepted(), chosen(), refusedFor('QUOTA'), parked], undefined],
  ])('is a disruption or none: %s', (_, events, reason) => {
    const status = podStatusOf(stateOf(...events)) as unknown as PodStatus;

    expect(disruption(status)?.reason).toBe(reason);
    if (reason !== undefined) expect(disruption(status)).toMatchObject({ status: 'True' });
  });
});

function ends([first, second]: readonly [number | undefined, number | undefined]): Event {
  const of = (code: number | undefined) => (code === undefined ? {} : { state: exit(code), ready: false });
  return seen('Terminating', { containers: [web(of(first)), side(of(second))], podIp: '172.16.0.9' });
}

function found(): Event {
  return { type: 'Adopted', data: { attempt: 1, containerGroupId: 'eci-1' } };
}
