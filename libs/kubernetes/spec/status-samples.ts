/** Streams for tests, told in a few words. */
import {
  type ContainerGroupEvent,
  type ContainerStatus,
  type EventData,
  fold,
  type NewContainerGroupEvent,
} from '#libs/domain';
import type { StoredEvent } from '../src/status/pod-events.ts';

type Data<T extends keyof EventData> = EventData[T];

const at = (second: number): string => new Date(Date.UTC(2026, 10, 23, 10, 0, second, 123)).toISOString();

/** Stamps events one second apart from 10:00:00.123. */
export const stream = (...events: readonly NewContainerGroupEvent[]): StoredEvent[] =>
  events.map((event, index) => ({ ...(event as ContainerGroupEvent), at: at(index), id: `e${index}` }));

export const stateOf = (...events: readonly NewContainerGroupEvent[]) => fold(stream(...events));

export const need: Data<'PodIntentAccepted'>['need'] = {
  accountId: 'default',
  region: 'cn-hangzhou',
  vSwitches: [{ vSwitchId: 'vsw-h' }, { vSwitchId: 'vsw-k' }],
  scheduleStrategy: 'default',
  specs: ['2-4Gi'],
  chargeType: 'on-demand',
  spotFallback: false,
  failStrategy: 'fail-back',
  priority: 0,
};

export const accepted = (
  over: Partial<Data<'PodIntentAccepted'>> & {
    readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never';
    readonly init?: boolean;
  } = {},
): NewContainerGroupEvent => {
  const { restartPolicy = 'Always', init = false, ...rest } = over;
  return {
    type: 'PodIntentAccepted',
    data: {
      clusterId: 'c1',
      pod: {
        uid: 'u1',
        namespace: 'shop',
        name: 'web',
        resourceVersion: '1',
        restartPolicy,
        containers: [
          { name: 'web', image: 'nginx:1.27' },
          { name: 'side', image: 'busybox' },
        ],
        initContainers: init ? [{ name: 'init', image: 'busybox' }] : [],
      },
      clearPod: { spec: { containers: [{ name: 'web', resources: {} }, { name: 'side' }] } },
      need,
      agentEpoch: 1,
      sequence: 1,
      profileRevision: 'p1',
      spec: {},
      digests: {},
      tokens: [],
      lookUpFirst: false,
      ...rest,
    },
  };
};

export const chosen = (attempt = 1): NewContainerGroupEvent => ({
  type: 'PlacementChosen',
  data: {
    attempt,
    clientToken: `t${attempt}`,
    accountId: 'default',
    region: 'cn-hangzhou',
    candidates: [
      { vSwitchId: 'vsw-h', zone: 'cn-hangzhou-h', reason: 'first of the profile' },
      { vSwitchId: 'vsw-k', reason: 'second of the profile' },
    ],
    specs: ['2-4Gi'],
    chargeType: 'on-demand',
    policyVersion: '1',
    why: [],
    seed: 1,
    requestDigest: 'd',
  },
});

export const created = (attempt = 1): NewContainerGroupEvent => ({
  type: 'ContainerGroupCreated',
  data: { attempt, containerGroupId: `eci-${attempt}`, requestId: 'R' },
});

export const refusedFor = (refusal: Data<'CreateRefused'>['class'], attempt = 1): NewContainerGroupEvent => ({
  type: 'CreateRefused',
  data: { attempt, code: 'OperationDenied.NoStock', class: refusal, message: 'The resource is out of stock.' },
});

export const landed: NewContainerGroupEvent = {
  type: 'ContainerGroupLanded',
  data: { containerGroupId: 'eci-1', zone: 'cn-hangzhou-k', vSwitchId: 'vsw-k', spec: '2-4Gi', cpu: 2, memoryGiB: 4 },
};

export const container = (name: string, over: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name,
  image: 'nginx:1.27',
  ready: true,
  restartCount: 0,
  state: { state: 'running', startedAt: '2026-11-23T10:00:30Z' },
  ...over,
});

export const seen = (
  status: Data<'ContainersChanged'>['status'],
  over: Partial<Data<'ContainersChanged'>> = {},
): NewContainerGroupEvent => ({
  type: 'ContainersChanged',
  data: {
    containerGroupId: 'eci-1',
    status,
    containers: [],
    initContainers: [],
    conditions: [],
    cloudEvents: [],
    ...over,
  },
});

export const running = (over: Partial<Data<'ContainersChanged'>> = {}): NewContainerGroupEvent =>
  seen('Running', { containers: [container('web'), container('side')], podIp: '172.16.0.9', ...over });

export const stopRequested: NewContainerGroupEvent = {
  type: 'StopRequested',
  data: { by: 'agent:c1', reason: 'Deleted' },
};
