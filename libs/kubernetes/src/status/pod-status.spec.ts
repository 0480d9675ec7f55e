import type { NewContainerGroupEvent } from '#libs/domain';
import { describe, expect, it } from 'vitest';
import { podAnnotationsOf, podStatusOf } from './pod-status.ts';
import type { PodStatus } from './pod-status-shape.ts';
import {
  accepted,
  chosen,
  container,
  created,
  landed,
  need,
  refusedFor,
  running,
  seen,
  stateOf,
  stopRequested,
} from '../../spec/status-samples.ts';

const statusOf = (...events: NewContainerGroupEvent[]): PodStatus =>
  podStatusOf(stateOf(...events)) as unknown as PodStatus;
const condition = (status: PodStatus, type: string) => status.conditions.find((one) => one.type === type)!;

const parked: NewContainerGroupEvent = {
  type: 'Parked',
  data: {
    gate: {
      kind: 'capacity',
      accountId: 'default',
      region: 'cn-hangzhou',
      specFamily: 'general',
      chargeType: 'on-demand',
    },
    reason: 'NoStock',
    message: 'no zone has stock for 2-4Gi',
  },
};
const failed = (reason: string): NewContainerGroupEvent => ({
  type: 'ContainerGroupFailed',
  data: { containerGroupId: 'eci-1', reason, message: 'why' },
});
const exit = (exitCode: number) =>
  ({
    state: 'terminated',
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    startedAt: '2026-11-23T10:00:30Z',
    finishedAt: '2026-11-23T10:01:00.5Z',
  }) as const;

describe('the status of a pod', () => {
  it('is complete before anything of it was seen', () => {
    expect(statusOf(accepted())).toEqual({
      phase: 'Pending',
      startTime: '2026-11-23T10:00:00Z',
      conditions: [
        { type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-11-23T10:00:00Z' },
        { type: 'PodReadyToStartContainers', status: 'False', lastTransitionTime: '2026-11-23T10:00:00Z' },
        { type: 'Initialized', status: 'True', lastTransitionTime: '2026-11-23T10:00:00Z' },
        {
          type: 'ContainersReady',
          status: 'False',
          lastTransitionTime: '2026-11-23T10:00:00Z',
          reason: 'ContainersNotReady',
          message: 'containers with unready status: [web side]',
        },
        {
          type: 'Ready',
          status: 'False',
          lastTransitionTime: '2026-11-23T10:00:00Z',
          reason: 'ContainersNotReady',
          message: 'containers with unready status: [web side]',
        },
        {
          type: 'ContainerInstanceCreated',
          status: 'False',
          lastTransitionTime: '2026-11-23T10:00:00Z',
          reason: 'Creating',
        },
      ],
      containerStatuses: ['web', 'side'].map((name) => ({
        name,
        image: name === 'web' ? 'nginx:1.27' : 'busybox',
        imageID: '',
        ready: false,
        started: false,
        restartCount: 0,
        state: { waiting: { reason: 'ContainerCreating' } },
        lastState: {},
      })),
      qosClass: 'BestEffort',
    });
  });

  it('is Running with its address when its containers run', () => {
    const status = statusOf(accepted(), chosen(), created(), seen('Pending'), landed, running());
    expect(status).toMatchObject({
      phase: 'Running',
      hostIP: '172.16.0.9',
      hostIPs: [{ ip: '172.16.0.9' }],
      podIP: '172.16.0.9',
      podIPs: [{ ip: '172.16.0.9' }],
    });
    expect(condition(status, 'Ready')).toEqual({
      type: 'Ready',
      status: 'True',
      lastTransitionTime: '2026-11-23T10:00:05Z',
    });
    expect(condition(status, 'ContainerInstanceCreated').status).toBe('True');
    expect(status.containerStatuses[0]).toMatchObject({
      ready: true,
      started: true,
      containerID: 'eci://eci-1/web',
      state: { running: { startedAt: '2026-11-23T10:00:30Z' } },
    });
  });

  it('keeps the time of a condition that did not change', () => {
    const before = statusOf(accepted(), chosen(), created(), seen('Pending'), landed, running());
    const restarted = container('side', { restartCount: 1 });
    const after = statusOf(
      accepted(),
      chosen(),
      created(),
      seen('Pending'),
      landed,
      running(),
      running({ containers: [container('web'), restarted] }),
    );
    expect(after.conditions).toEqual(before.conditions);
    const notReady = statusOf(
      accepted(),
      chosen(),
      created(),
      seen('Pending'),
      landed,
      running(),
      seen('Restarting', { containers: [container('web'), container('side')] }),
    );
    expect(condition(notReady, 'Ready')).toMatchObject({ status: 'False', lastTransitionTime: '2026-11-23T10:00:06Z' });
  });

  it.each(['Restarting', 'Updating', 'Terminating', 'Unknown', 'Pending'] as const)(
    'stays Running but not ready when the group is %s after it ran',
    (status) => {
      const now = statusOf(accepted(), chosen(), created(), landed, running(), seen(status));
      expect(now.phase).toBe('Running');
      expect(condition(now, 'Ready').status).toBe('False');
    },
  );

  it('waits for init containers and then counts them as done', () => {
    const before = statusOf(accepted({ init: true }), chosen(), created(), seen('Pending'));
    expect(before.containerStatuses[0]!.state).toEqual({ waiting: { reason: 'PodInitializing' } });
    expect(before.initContainerStatuses![0]).toMatchObject({
      name: 'init',
      ready: false,
      state: { waiting: { reason: 'PodInitializing' } },
    });
    expect(condition(before, 'Initialized')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [init]',
    });

    const after = statusOf(accepted({ init: true }), chosen(), created(), seen('Pending'), running());
    expect(after.initContainerStatuses![0]).toMatchObject({ ready: true, state: { terminated: { exitCode: 0 } } });
    expect(condition(after, 'Initialized')).toMatchObject({
      status: 'True',
      lastTransitionTime: '2026-11-23T10:00:04Z',
    });
  });

  it('is Succeeded with exit codes', () => {
    const status = statusOf(
      accepted({ restartPolicy: 'Never' }),
      chosen(),
      created(),
      running(),
      seen('Succeeded', { containers: [container('web', { ready: false, state: exit(0) })] }),
      { type: 'ContainerGroupSucceeded', data: { containerGroupId: 'eci-1' } },
    );
    expect(status.phase).toBe('Succeeded');
    expect(status.reason).toBeUndefined();
    expect(status.containerStatuses[0]!.state.terminated).toMatchObject({
      exitCode: 0,
      reason: 'Completed',
      finishedAt: '2026-11-23T10:01:00Z',
      containerID: 'eci://eci-1/web',
    });
    // Its end was not seen by itself, but the group succeeded.
    expect(status.containerStatuses[1]!.state.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
    expect(condition(status, 'Ready')).toMatchObject({ status: 'False', reason: 'PodCompleted' });
  });

  it('is Failed by a container without a reason of its own', () => {
    const status = statusOf(
      accepted({ restartPolicy: 'Never' }),
      chosen(),
      created(),
      seen('Failed', { containers: [container('web', { ready: false, state: exit(3) })] }),
      failed('Error'),
    );
    expect(status).toMatchObject({ phase: 'Failed' });
    expect(status.reason).toBeUndefined();
    expect(status.containerStatuses[0]!.state.terminated).toMatchObject({ exitCode: 3, reason: 'Error' });
  });

  it.each([
    { reason: 'DeadlineExceeded', disruption: undefined },
    { reason: 'PendingTimeout', disruption: undefined },
    { reason: 'InsufficientBalance', disruption: undefined },
    { reason: 'BidFailed', disruption: 'SpotReleased' },
    { reason: 'Evicted', disruption: 'TerminationByKubelet' },
    { reason: 'SystemFailure.Reboot', disruption: 'HostFailure' },
    { reason: 'SystemReboot', disruption: 'HostFailure' },
  ])('is Failed with the reason of the system that ended it: $reason', ({ reason, disruption }) => {
    const status = statusOf(
      accepted({ restartPolicy: 'Never' }),
      chosen(),
      created(),
      running(),
      seen('Failed', { containers: [container('web', { ready: false, state: exit(137) })] }),
      {
        type: 'ContainerGroupFailed',
        data: { containerGroupId: 'eci-1', reason, message: 'why', bySystem: true },
      },
    );

    expect(status).toMatchObject({ phase: 'Failed', reason, message: 'why' });
    expect(status.containerStatuses[0]!.state.terminated).toMatchObject({ exitCode: 137 });
    expect(condition(status, 'DisruptionTarget')?.reason).toBe(disruption);
  });

  it('says that the account has no money when its group was taken back for that', () => {
    const expired: NewContainerGroupEvent = {
      type: 'ContainerGroupExpired',
      data: { containerGroupId: 'eci-1', reason: 'InsufficientBalance', message: 'no money' },
    };
    const status = statusOf(accepted(), chosen(), created(), running(), expired);

    expect(status).toMatchObject({ phase: 'Failed', reason: 'InsufficientBalance', message: 'no money' });
    expect(condition(status, 'DisruptionTarget').reason).toBe('ContainerGroupExpired');
  });

  it('is Failed with the reason when the group vanished, its containers unknown', () => {
    const status = statusOf(accepted(), chosen(), created(), running(), failed('OutcomeUnknown'));
    expect(status).toMatchObject({ phase: 'Failed', reason: 'OutcomeUnknown', message: 'why' });
    expect(status.containerStatuses[0]!.state.terminated).toMatchObject({
      exitCode: 137,
      reason: 'ContainerStatusUnknown',
    });
  });

  it('is Failed with BidFailed when a spot group was taken back', () => {
    const expired: NewContainerGroupEvent = {
      type: 'ContainerGroupExpired',
      data: { containerGroupId: 'eci-1', message: 'released at 10:05' },
    };
    expect(statusOf(accepted(), chosen(), created(), running(), expired)).toMatchObject({
      phase: 'Failed',
      reason: 'BidFailed',
      message: 'released at 10:05',
    });
  });

  it.each([
    { restartPolicy: 'Always', phase: 'Pending' },
    { restartPolicy: 'OnFailure', phase: 'Failed' },
    { restartPolicy: 'Never', phase: 'Failed' },
  ] as const)('of a rejected pod with $restartPolicy is $phase and says why', ({ restartPolicy, phase }) => {
    const rejected: NewContainerGroupEvent = {
      type: 'PodRejected',
      data: { field: 'spec.hostNetwork', reason: 'ECI has no host network' },
    };
    const status = statusOf(accepted({ restartPolicy }), rejected);
    expect(status).toMatchObject({
      phase,
      reason: 'ProviderFailed',
      message: 'spec.hostNetwork: ECI has no host network',
    });
    expect(status.containerStatuses[0]!.state.waiting).toMatchObject({ reason: 'ProviderFailed' });
  });

  it('of a parked pod says what was tried and why it waits', () => {
    const status = statusOf(accepted(), chosen(), refusedFor('STOCK_OUT'), parked);
    expect(status).toMatchObject({
      phase: 'Pending',
      message:
        'Waiting: no zone has stock for 2-4Gi. Tried: attempt 1 (2-4Gi in vsw-h, vsw-k): STOCK_OUT OperationDenied.NoStock.',
    });
    expect(status.reason).toBeUndefined();
    expect(condition(status, 'ContainerInstanceCreated')).toMatchObject({ status: 'False', reason: 'NoStock' });
  });

  it('of a fail-fast pod without stock says so and stays Pending', () => {
    const status = statusOf(
      accepted({ need: { ...need, failStrategy: 'fail-fast' } }),
      chosen(),
      refusedFor('STOCK_OUT'),
    );
    expect(status).toMatchObject({ phase: 'Pending', reason: 'ContainerInstanceScheduleFailed' });
    expect(status.containerStatuses[0]!.state.waiting).toMatchObject({ reason: 'ProviderFailed' });
  });

  it('says between two attempts why the last one failed', () => {
    const status = statusOf(accepted(), chosen(), refusedFor('VSWITCH_IP_EXHAUSTED'), chosen(2));
    expect(condition(status, 'ContainerInstanceCreated')).toMatchObject({
      reason: 'Creating',
      message: expect.stringContaining('VSWITCH_IP_EXHAUSTED') as string,
    });
  });

  it('keeps its phase while it is being deleted', () => {
    expect(statusOf(accepted(), stopRequested).phase).toBe('Failed');
    expect(statusOf(accepted(), chosen(), stopRequested).phase).toBe('Pending');
    expect(statusOf(accepted(), chosen(), created(), running(), stopRequested).phase).toBe('Running');
  });

  it('has nothing to say without an intent, or while a pod that ran is looked up', () => {
    expect(podStatusOf(stateOf(stopRequested))).toBeUndefined();
    expect(podStatusOf(stateOf(accepted({ lookUpFirst: true })))).toBeUndefined();
    const adopted: NewContainerGroupEvent = { type: 'Adopted', data: { attempt: 1, containerGroupId: 'eci-1' } };
    expect(podStatusOf(stateOf(accepted({ lookUpFirst: true }), adopted))).toBeUndefined();
    expect(statusOf(accepted({ lookUpFirst: true }), adopted, seen('Pending')).phase).toBe('Running');
  });

  it.each(['ContainerInstanceCreated', 'SandboxReady', 'ContainerHasSufficientDisk'])(
    'gives no reason for %s when it is True, whatever the cloud goes on saying',
    (type) => {
      const old = { reason: 'NoStock', message: 'no zone has stock', lastTransitionTime: '2026-11-23T11:00:00Z' };
      const status = statusOf(
        accepted(),
        chosen(),
        created(),
        seen('Running', { conditions: [{ type, status: 'True', ...old }] }),
      );
      expect(condition(status, type)).toEqual({
        type,
        status: 'True',
        lastTransitionTime: expect.any(String) as string,
      });
    },
  );

  it('says why a group will be taken back, although that is True', () => {
    const conditions = [
      {
        type: 'ContainerInstanceExpired',
        status: 'True',
        reason: 'SpotToBeReleased',
        message: 'at ten',
        lastTransitionTime: '2026-11-23T11:00:00Z',
      },
    ] as const;
    const status = statusOf(accepted(), chosen(), created(), seen('Running', { conditions }));
    expect(condition(status, 'ContainerInstanceExpired')).toEqual(conditions[0]);
  });

  it('relays conditions that only the cloud knows', () => {
    const conditions = [
      { type: 'Ready', status: 'True', lastTransitionTime: '2026-11-23T11:00:00Z' },
      {
        type: 'SandboxReady',
        status: 'False',
        reason: 'SystemFailure.Reboot',
        lastTransitionTime: '2026-11-23T11:00:00Z',
      },
    ] as const;
    const status = statusOf(accepted(), chosen(), created(), seen('Running', { conditions }));
    expect(condition(status, 'SandboxReady')).toEqual({ ...conditions[1] });
    expect(condition(status, 'Ready').status).toBe('False');
  });

  it.each([
    [
      [{ resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1000m', memory: '1024Mi' } } }],
      'Guaranteed',
    ],
    [[{ resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1', memory: '1Gi' } } }, {}], 'Burstable'],
    [[{ resources: { requests: { cpu: '1' } } }], 'Burstable'],
    [[{ resources: { limits: { 'nvidia.com/gpu': '1' } } }], 'BestEffort'],
  ] as const)('has the QoS class of its resources: %j is %s', (containers, qosClass) => {
    expect(statusOf(accepted({ clearPod: { spec: { containers } } })).qosClass).toBe(qosClass);
  });

  it('leaves the QoS class to the API server when the pod is not known in full', () => {
    expect(statusOf(accepted({ clearPod: {} })).qosClass).toBeUndefined();
  });
});

describe('the annotations of a pod', () => {
  it('name the group, its size and its zone', () => {
    expect(podAnnotationsOf(stateOf(accepted()))).toEqual({});
    expect(podAnnotationsOf(stateOf(accepted(), chosen(), created(), landed))).toEqual({
      'k8s.aliyun.com/eci-instance-id': 'eci-1',
      'k8s.aliyun.com/eci-instance-spec': '2.0-4.0Gi',
      'k8s.aliyun.com/eci-instance-zone': 'cn-hangzhou-k',
    });
  });
});
