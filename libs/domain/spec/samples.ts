/** Samples of commands and events for tests; each may be overridden. */
import type { ContainerGroupCommand } from '../src/container-group/commands.ts';
import type { EventData, GroupStatus, NewContainerGroupEvent } from '../src/container-group/events.ts';
import type { RefusalClass } from '../src/placement/history.ts';
import type { PlacementNeed } from '../src/placement/need.ts';

type Event<T extends keyof EventData> = Extract<NewContainerGroupEvent, { type: T }>;
type Command<T extends ContainerGroupCommand['type']> = Extract<ContainerGroupCommand, { type: T }>;

/** Of a sight that was asked for after all that its stream holds. */
export const NEWEST = Number.MAX_SAFE_INTEGER;

export const need = (over: Partial<PlacementNeed> = {}): PlacementNeed => ({
  accountId: 'acc',
  region: 'cn-hangzhou',
  vSwitches: [{ vSwitchId: 'vsw-1' }, { vSwitchId: 'vsw-2' }],
  scheduleStrategy: 'default',
  specs: ['2-4Gi'],
  chargeType: 'on-demand',
  spotFallback: false,
  failStrategy: 'fail-back',
  priority: 0,
  ...over,
});

const pod = {
  uid: 'u1',
  namespace: 'default',
  name: 'web',
  resourceVersion: '1',
  restartPolicy: 'Never',
  containers: [{ name: 'c', image: 'nginx' }],
  initContainers: [],
} as const;

export const runPod = (over: Partial<Command<'RunPod'>> = {}): Command<'RunPod'> => ({
  type: 'RunPod',
  clusterId: 'k1',
  pod,
  podPhase: 'Pending',
  clearPod: {},
  agentEpoch: 1,
  sequence: 1,
  profileRevision: 'p1',
  spec: { 'spec.containers[0].image': 'd1' },
  digests: { 'env/a': 'h1' },
  tokens: [],
  mapped: { ok: true, need: need() },
  ...over,
});

export const stopPod = (over: Partial<Command<'StopPod'>> = {}): Command<'StopPod'> => ({
  type: 'StopPod',
  clusterId: 'k1',
  podUid: 'u1',
  namespace: 'default',
  name: 'web',
  by: 'agent:k1',
  reason: 'Deleted',
  ...over,
});

export const accepted = (over: Partial<EventData['PodIntentAccepted']> = {}): Event<'PodIntentAccepted'> => ({
  type: 'PodIntentAccepted',
  data: {
    clusterId: 'k1',
    pod,
    clearPod: {},
    need: need(),
    agentEpoch: 1,
    sequence: 1,
    profileRevision: 'p1',
    spec: { 'spec.containers[0].image': 'd1' },
    digests: { 'env/a': 'h1' },
    tokens: [],
    lookUpFirst: false,
    ...over,
  },
});

export const placement = (
  attempt: number,
  over: Partial<EventData['PlacementChosen']> = {},
): EventData['PlacementChosen'] => ({
  attempt,
  clientToken: `token-${attempt}`,
  accountId: 'acc',
  region: 'cn-hangzhou',
  candidates: [
    { vSwitchId: 'vsw-1', reason: 'first' },
    { vSwitchId: 'vsw-2', reason: 'second' },
  ],
  specs: ['2-4Gi'],
  chargeType: 'on-demand',
  policyVersion: 'test',
  why: [],
  seed: 1,
  requestDigest: 'd',
  ...over,
});

export const chosen = (attempt: number): Event<'PlacementChosen'> => ({
  type: 'PlacementChosen',
  data: placement(attempt),
});

export const created = (attempt: number, containerGroupId: string): Event<'ContainerGroupCreated'> => ({
  type: 'ContainerGroupCreated',
  data: { attempt, containerGroupId, requestId: 'r' },
});

export const refused = (attempt: number, refusalClass: RefusalClass): Event<'CreateRefused'> => ({
  type: 'CreateRefused',
  data: { attempt, code: 'Code', class: refusalClass, message: '' },
});

export const seen = (containerGroupId: string, status: GroupStatus): Event<'ContainersChanged'> => ({
  type: 'ContainersChanged',
  data: { containerGroupId, status, containers: [], initContainers: [], conditions: [], cloudEvents: [] },
});
