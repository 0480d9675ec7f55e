/** For specs: one event of each type with everything that it may say. */
import type {
  AccountEventData,
  AccountFacts,
  ClusterEventData,
  ClusterFacts,
  ContainerState,
  ContainerStatus,
  EventData,
  OrphanEventData,
} from '#libs/domain';

/** With every field that may be absent. A type that gets a new one asks for it here, and the spec for its schema. */
type Whole<T> = string extends keyof T ? T : T extends object ? { readonly [K in keyof T]-?: Whole<T[K]> } : T;

const AT = '2026-03-01T10:00:00Z';

const terminated: Whole<Extract<ContainerState, { state: 'terminated' }>> = {
  state: 'terminated',
  exitCode: 137,
  signal: 9,
  reason: 'Error',
  message: 'out of memory',
  startedAt: AT,
  finishedAt: AT,
  containerId: 'containerd://1',
};
const container = (state: Whole<ContainerState>): Whole<ContainerStatus> => ({
  name: 'main',
  image: 'nginx:1',
  imageId: 'sha256:1',
  ready: true,
  started: true,
  restartCount: 3,
  restartsBefore: 2,
  state,
  lastState: terminated,
});

const need: Whole<EventData['PodIntentRefreshed']['need']> = {
  accountId: 'default',
  region: 'cn-hangzhou',
  vSwitches: [{ vSwitchId: 'vsw-b', zone: 'cn-hangzhou-b' }],
  scheduleStrategy: 'VSwitchOrdered',
  specs: ['2-4Gi'],
  chargeType: 'spot',
  spotFallback: true,
  failStrategy: 'fail-fast',
  priority: 7,
};
const tokens = [{ path: 'api/token', issuedAt: AT, expiresAt: AT }];
const digests = { 'env/main/0': 'digest' };

export const CONTAINER_GROUP_SAMPLES: { readonly [T in keyof EventData]: readonly Whole<EventData[T]>[] } = {
  PodIntentAccepted: [
    {
      clusterId: 'c1',
      pod: {
        uid: 'u1',
        namespace: 'default',
        name: 'web',
        resourceVersion: '1',
        restartPolicy: 'OnFailure',
        containers: [{ name: 'main', image: 'nginx:1' }],
        initContainers: [{ name: 'init', image: 'busybox:1' }],
        createdAt: AT,
        activeDeadlineSeconds: 60,
      },
      clearPod: { metadata: { name: 'web' }, spec: { containers: [{ name: 'main', image: 'nginx:1' }, null] } },
      need,
      agentEpoch: 2,
      sequence: 5,
      profileRevision: 'r1',
      spec: { 'spec.containers[0].image': 'digest' },
      digests,
      tokens,
      lookUpFirst: true,
      ignored: [{ field: 'spec.hostIPC', reason: 'ECI has none', warning: 'FailedToRetrieveImagePullSecret' }],
    },
  ],
  PodIntentRefreshed: [{ agentEpoch: 2, sequence: 6, profileRevision: 'r2', digests, tokens, need }],
  PodChangeRefused: [{ fields: ['spec.containers[0].image'] }],
  PodRejected: [{ field: 'spec.volumes[0]', reason: 'no host paths', code: 'InvalidParameter' }],
  PlacementChosen: [
    {
      attempt: 1,
      clientToken: 'token-1',
      accountId: 'default',
      region: 'cn-hangzhou',
      candidates: [{ vSwitchId: 'vsw-b', zone: 'cn-hangzhou-b', reason: 'first of the profile' }],
      specs: ['2-4Gi'],
      chargeType: 'on-demand',
      policyVersion: '1',
      why: ['as given'],
      seed: 1,
      requestDigest: 'digest',
    },
  ],
  ContainerGroupCreated: [{ attempt: 1, containerGroupId: 'eci-1', requestId: 'r' }],
  CreateRefused: [{ attempt: 1, code: 'Sold', class: 'STOCK_OUT', message: 'no stock', requestId: 'r' }],
  CreateOutcomeUnknown: [{ attempt: 1, reason: 'the connection broke' }],
  Adopted: [{ attempt: 1, containerGroupId: 'eci-1' }],
  ContainerGroupLanded: [
    { containerGroupId: 'eci-1', zone: 'cn-hangzhou-b', vSwitchId: 'vsw-b', spec: '2-4Gi', cpu: 2, memoryGiB: 4 },
  ],
  SchedulingFailed: [{ attempt: 1, containerGroupId: 'eci-1', reason: 'NoStock', message: 'no stock' }],
  Parked: [
    {
      gate: {
        kind: 'capacity',
        accountId: 'default',
        region: 'cn-hangzhou',
        specFamily: '2-4Gi',
        chargeType: 'on-demand',
      },
      reason: 'STOCK_OUT',
      message: 'no stock',
    },
    { gate: { kind: 'account', accountId: 'default', class: 'QUOTA' }, reason: 'QUOTA', message: 'full' },
  ],
  Unparked: [{ by: 'gate' }],
  ContainersChanged: [
    {
      containerGroupId: 'eci-1',
      status: 'Running',
      containers: [
        container({ state: 'running', startedAt: AT }),
        container({ state: 'waiting', reason: 'ImagePullBackOff', message: 'not found' }),
      ],
      initContainers: [container(terminated)],
      conditions: [{ type: 'Ready', status: 'True', reason: 'R', message: 'all are', lastTransitionTime: AT }],
      cloudEvents: [
        { type: 'Warning', reason: 'Pulled', message: 'pulled', count: 2, firstTimestamp: AT, lastTimestamp: AT },
      ],
      podIp: '10.0.0.7',
      startedAt: AT,
      askedAt: 1_772_359_200_000,
    },
  ],
  ContainerGroupSucceeded: [{ containerGroupId: 'eci-1', finishedAt: AT }],
  ContainerGroupFailed: [
    {
      containerGroupId: 'eci-1',
      reason: 'Error',
      message: 'exit code 1',
      bySystem: true,
      finishedAt: AT,
      lastSeen: 'Running',
    },
  ],
  SpotReleaseAnnounced: [{ containerGroupId: 'eci-1', message: 'it will be released' }],
  ContainerGroupExpired: [{ containerGroupId: 'eci-1', reason: 'BidFailed', message: 'released', finishedAt: AT }],
  StopRequested: [
    {
      by: 'agent:c1',
      reason: 'Deleted',
      graceSeconds: 30,
      deletionTimestamp: AT,
      disruption: 'PreemptionByScheduler',
      namespace: 'default',
      name: 'web',
    },
  ],
  StopHeld: [
    {
      hold: 'c1/1',
      by: 'agent:c1',
      reason: 'Absent',
      disruption: 'PreemptionByScheduler',
      graceSeconds: 30,
      deletionTimestamp: AT,
      namespace: 'default',
      name: 'web',
      agentEpoch: 2,
      sequence: 8,
    },
  ],
  StopDenied: [{ by: 'jo', reason: 'a mistake' }],
  StopReleased: [{ by: 'jo', outcome: 'returned', reason: 'the pod exists', agentEpoch: 2, sequence: 9 }],
  DeleteAccepted: [{ containerGroupId: 'eci-1', requestId: 'r' }],
  ContainerGroupGone: [{ attempt: 1, containerGroupId: 'eci-1', evidence: 'two reads', finishedAt: AT }],
  OrphanFound: [
    {
      containerGroupId: 'eci-2',
      attempt: 1,
      status: 'Running',
      createdAt: AT,
      accountId: 'default',
      region: 'cn-hangzhou',
    },
  ],
  PodObjectGone: [{ reason: 'ObjectGone' }],
};

export const ORPHAN_SAMPLES: { readonly [T in keyof OrphanEventData]: readonly Whole<OrphanEventData[T]>[] } = {
  OrphanQuarantined: [
    {
      accountId: 'default',
      region: 'cn-hangzhou',
      containerGroupId: 'eci-9',
      status: 'Running',
      clusterId: 'c1',
      podUid: 'u9',
      attempt: 1,
      namespace: 'default',
      name: 'web',
      createdAt: AT,
      spec: '2-4Gi',
      cpu: 2,
      memoryGiB: 4,
      why: 'no stream knows it',
    },
  ],
  OrphanKept: [{ by: 'jo', reason: 'a test of mine' }],
  OrphanRemovalRequested: [{ by: 'jo', reason: 'left behind' }],
  OrphanDeleteAccepted: [{ requestId: 'r' }],
  OrphanRemoved: [{ evidence: 'two reads' }],
  OrphanClosed: [{ reason: 'claimed', evidence: 'a stream has it', streamId: 'container_group:c1:u9' }],
};

const clusterFacts: Whole<ClusterFacts> = {
  name: 'Alpha',
  accountId: 'default',
  registeredAt: AT,
  joinedAt: AT,
  unregisteredAt: AT,
  fingerprint: 'uid-of-kube-system',
  keyThumbprint: 'thumbprint',
  keyGeneration: 1,
};
const reason = 'moved to another region';

export const CLUSTER_SAMPLES: { readonly [T in keyof ClusterEventData]: readonly Whole<ClusterEventData[T]>[] } = {
  ClusterRegistered: [{ name: 'Alpha', accountId: 'default', reason }],
  ClusterImported: [clusterFacts],
  ClusterChangedElsewhere: [clusterFacts],
  JoinTokenIssued: [{ expiresAt: AT, reason }],
  ClusterJoined: [{ fingerprint: 'uid-of-kube-system', keyThumbprint: 'thumbprint', keyGeneration: 1 }],
  AgentKeyTaken: [{ keyGeneration: 1, reason }],
  SessionSuperseded: [{ epoch: 4, agentId: 'agent-b', superseded: 'agent-a' }],
  ClusterUnregistered: [{ reason }],
};

const accountFacts: Whole<AccountFacts> = {
  name: 'Main',
  credential: 'main',
  credentialDigest: 'digest',
  regions: ['cn-hangzhou'],
  endpoint: 'eci.cn-hangzhou.aliyuncs.com',
  quotas: { create: { perMinute: 100 } },
  source: 'api',
};

export const ACCOUNT_SAMPLES: { readonly [T in keyof AccountEventData]: readonly Whole<AccountEventData[T]>[] } = {
  AccountAdded: [{ ...accountFacts, reason }],
  AccountChanged: [{ ...accountFacts, reason }],
  AccountImported: [accountFacts],
  AccountChangedElsewhere: [accountFacts],
};
