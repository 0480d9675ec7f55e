import { describe, expect, it } from 'vitest';
import type { CloudEvent, ContainerStatus, EventData, PodCondition } from './events.ts';
import { fold } from './evolve.ts';
import { accepted, chosen, created } from '../../spec/samples.ts';
import type { ContainerGroupState } from './state.ts';
import { whyExpired, whyFailed } from './why-ended.ts';

type Policy = 'Always' | 'OnFailure' | 'Never';
const DEADLINE = 'Pod was active on the node longer than the specified deadline';
const time = (second: number): string => `2026-01-01T00:00:${`${second}`.padStart(2, '0')}Z`;
/** When the system acted. */
const ACTED = 30;

const stateOf = (
  restartPolicy: Policy,
  over: { activeDeadlineSeconds?: number; spot?: boolean } = {},
): ContainerGroupState => {
  const intent = accepted();
  const { spot, ...facts } = over;
  const placed = chosen(1);
  return fold(
    [
      { ...intent, data: { ...intent.data, pod: { ...intent.data.pod, restartPolicy, ...facts } } },
      { ...placed, data: { ...placed.data, chargeType: spot ? ('spot' as const) : ('on-demand' as const) } },
      created(1, 'eci-1'),
    ].map((event) => ({ ...event, at: time(0) })),
  );
};
const terminated = (exitCode: number, second: number | undefined, reason = 'Error', name = 'c'): ContainerStatus => ({
  name,
  image: 'i',
  ready: false,
  restartCount: 0,
  state: { state: 'terminated', exitCode, reason, ...(second !== undefined && { finishedAt: time(second) }) },
});
const waiting: ContainerStatus = {
  name: 'c',
  image: 'i',
  ready: false,
  restartCount: 0,
  state: { state: 'waiting', reason: 'ImagePullBackOff' },
};
const picture = (over: Partial<EventData['ContainersChanged']>): EventData['ContainersChanged'] => ({
  containerGroupId: 'eci-1',
  status: 'Failed',
  containers: [],
  initContainers: [],
  conditions: [],
  cloudEvents: [],
  startedAt: time(0),
  ...over,
});
const event = (reason: string): CloudEvent => ({
  type: 'Warning',
  reason,
  message: `says ${reason}`,
  count: 1,
  firstTimestamp: time(ACTED),
  lastTimestamp: time(ACTED),
});
const condition = (type: string, reason: string): PodCondition => ({
  type,
  status: 'False',
  reason,
  message: `says ${reason}`,
  lastTransitionTime: time(ACTED),
});

/** How the cloud says that the system ends a group, and what a pod's status says then. */
const SAID: readonly { where: Partial<EventData['ContainersChanged']>; reason: string; message?: string }[] = [
  ...['DeadlineExceeded', 'ActiveDeadlineExceeded'].map((name) => ({
    where: { cloudEvents: [event(name)] },
    reason: 'DeadlineExceeded',
    message: DEADLINE,
  })),
  ...['PendingTimeout', 'StartingFailed', 'Evicted', 'InsufficientBalance', 'SystemFailure.Reboot'].map((name) => ({
    where: { cloudEvents: [event(name)] },
    reason: name,
  })),
  ...['SystemFailure.Reboot', 'InstanceFailure.Reboot', 'SystemFailure.Redeploy'].map((name) => ({
    where: { conditions: [condition('SandboxReady', name)] },
    reason: name,
  })),
  ...['SystemFailureReboot', 'SystemReboot'].map((name) => ({
    where: { conditions: [condition('ContainerInstanceCreated', name)] },
    reason: name,
  })),
  ...[
    { conditions: [condition('ContainerInstanceCreated', 'SpotToBeReleased')] },
    { conditions: [condition('ContainerInstanceExpired', 'SpotToBeReleased')] },
    { cloudEvents: [event('SpotToBeReleased')] },
  ].map((where) => ({ where, reason: 'BidFailed', message: 'says SpotToBeReleased' })),
];

describe('a group that the system ended', () => {
  const ends: readonly { what: string; policy: Policy; containers: ContainerStatus[]; inits?: ContainerStatus[] }[] = [
    { what: 'killed its container', policy: 'Never', containers: [terminated(137, ACTED)] },
    { what: 'asked its container to end', policy: 'Never', containers: [terminated(143, ACTED + 5)] },
    { what: 'asked, and no time was told', policy: 'Never', containers: [terminated(143, undefined)] },
    { what: 'found its container waiting', policy: 'Never', containers: [waiting] },
    { what: 'found its container between two restarts', policy: 'Always', containers: [terminated(3, 10)] },
    {
      what: 'found an init container between two restarts',
      policy: 'OnFailure',
      containers: [waiting],
      inits: [terminated(1, 10, 'Error', 'init')],
    },
    {
      what: 'killed one of its containers, another had failed',
      policy: 'Never',
      containers: [terminated(3, 10), terminated(137, ACTED, 'Error', 'd')],
    },
  ];
  const cases = SAID.flatMap((said) => ends.map((end) => ({ ...said, ...end })));

  it.each(cases)('says $reason when it $what', ({ where, reason, message, policy, containers, inits = [] }) => {
    const end = whyFailed(picture({ ...where, containers, initContainers: inits }), stateOf(policy), time(ACTED));

    expect(end).toEqual({ reason, message: message ?? `says ${reason}`, bySystem: true });
  });

  it('says so when only its own deadline tells', () => {
    const state = stateOf('Never', { activeDeadlineSeconds: 20 });
    const containers = [terminated(137, 20)];

    expect(whyFailed(picture({ containers }), state, time(20))).toMatchObject({
      reason: 'DeadlineExceeded',
      message: DEADLINE,
      bySystem: true,
    });
    expect(whyFailed(picture({ containers: [terminated(137, 19)] }), state, time(19)).bySystem).toBe(false);
  });

  it('says the end and not what was announced before', () => {
    const cloudEvents = [event('SpotToBeReleased'), event('DeadlineExceeded')];

    expect(
      whyFailed(picture({ cloudEvents, containers: [terminated(137, ACTED)] }), stateOf('Never'), time(ACTED)),
    ).toMatchObject({
      reason: 'DeadlineExceeded',
    });
  });

  it('is not taken for one that failed after its host came back', () => {
    const conditions = [{ ...condition('SandboxReady', 'SystemFailure.Reboot'), status: 'True' as const }];

    expect(
      whyFailed(picture({ conditions, containers: [terminated(3, 50)] }), stateOf('Never'), time(50)),
    ).toMatchObject({
      reason: 'Error',
      bySystem: false,
    });
  });
});

describe('a group whose container failed first', () => {
  it.each(SAID)('keeps its reason when the cloud also says $reason', ({ where }) => {
    const own = whyFailed(picture({ ...where, containers: [terminated(3, 10)] }), stateOf('Never'), time(ACTED));
    expect(own).toEqual({ reason: 'Error', message: 'container c ended with exit code 3', bySystem: false });

    const memory = whyFailed(
      picture({ ...where, containers: [terminated(137, 10, 'OOMKilled')] }),
      stateOf('Never'),
      time(ACTED),
    );
    expect(memory).toMatchObject({ reason: 'OOMKilled', bySystem: false });

    const init = whyFailed(
      picture({ ...where, initContainers: [terminated(4, 10, 'Error', 'init')], containers: [waiting] }),
      stateOf('Never'),
      time(ACTED),
    );
    expect(init).toMatchObject({ message: 'container init ended with exit code 4', bySystem: false });
  });

  it('of a spot group that is to be released keeps its reason', () => {
    const cloudEvents = [event('SpotToBeReleased')];

    expect(
      whyFailed(picture({ cloudEvents, containers: [terminated(3, 40)] }), stateOf('Never'), time(40)),
    ).toMatchObject({
      reason: 'Error',
      bySystem: false,
    });
  });
});

describe('a group without any reason', () => {
  it('says the last warning of the cloud, or that it failed', () => {
    const cloudEvents = [event('FailedMount'), event('ImageCacheNotFound')];
    expect(whyFailed(picture({ cloudEvents }), stateOf('Never'), undefined).reason).toBe('ImageCacheNotFound');
    expect(whyFailed(picture({}), stateOf('Never'), undefined)).toEqual({
      reason: 'Failed',
      message: 'ECI reports the container group as failed.',
      bySystem: false,
    });
  });
});

describe('a group that expired', () => {
  it.each([
    {
      what: 'its release was announced',
      spot: 'released at ten',
      cloudEvents: [],
      reason: 'BidFailed',
      message: 'released at ten',
    },
    {
      what: 'it is a spot group',
      isSpot: true,
      cloudEvents: [],
      reason: 'BidFailed',
      message: 'ECI took the container group back.',
    },
    {
      what: 'the account has no money',
      cloudEvents: [event('InsufficientBalance')],
      reason: 'InsufficientBalance',
      message: 'says InsufficientBalance',
    },
    { what: 'nobody knows', cloudEvents: [], reason: 'Expired', message: 'ECI took the container group back.' },
  ])('says $reason when $what', ({ spot, isSpot = false, cloudEvents, reason, message }) => {
    const state = stateOf('Always', { spot: isSpot });

    expect(whyExpired(picture({ cloudEvents, status: 'Expired' }), state, spot)).toEqual({ reason, message });
  });
});
