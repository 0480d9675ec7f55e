/** For tests: a spec in which every field is set, each with a value of its own, and what goes with it. */
import type { ContainerGroupSpec, ContainerSpec, InitContainerSpec } from '#libs/contracts';
import type { Placement } from '../src/eci.ts';
import type { GroupIdentity } from '../src/reads.ts';

const init: InitContainerSpec = {
  name: 'init',
  image: 'registry.example/init:1',
  imagePullPolicy: 'Always',
  cpu: 0.25,
  memoryGiB: 0.5,
  gpu: 1,
  command: ['init-command'],
  args: ['init-arg'],
  workingDir: '/init-dir',
  env: [
    { name: 'INIT_ENV', value: 'init-env-canary' },
    { name: 'INIT_IP', fieldPath: 'status.podIP' },
  ],
  ports: [{ port: 7001, protocol: 'UDP' }],
  mounts: [{ volume: 'files', path: '/init-mount', subPath: 'init-sub', readOnly: true, propagation: 'None' }],
  security: { runAsUser: 1001, readOnlyRootFilesystem: true, addCapabilities: ['NET_RAW'] },
  terminationMessagePath: '/init-log',
  terminationMessagePolicy: 'File',
};

const app: ContainerSpec = {
  name: 'app',
  image: 'registry.example/app:2',
  imagePullPolicy: 'IfNotPresent',
  cpu: 1.5,
  memoryGiB: 3.25,
  gpu: 2,
  command: ['/bin/sh', '-c'],
  args: ["echo 'ä b' && x=1&y=2 ?#%+"],
  workingDir: '/app-dir',
  env: [
    { name: 'PASSWORD', value: 'env-canary p@ss=1&2?3' },
    { name: 'EMPTY', value: '' },
    { name: 'IP', fieldPath: 'status.podIP' },
  ],
  ports: [
    { port: 8080, protocol: 'TCP' },
    { port: 8081, protocol: 'UDP' },
  ],
  mounts: [{ volume: 'scratch', path: '/scratch', subPath: 'sub', readOnly: false, propagation: 'HostToContainer' }],
  security: {
    runAsUser: 1000,
    runAsGroup: 2000,
    runAsNonRoot: true,
    readOnlyRootFilesystem: true,
    addCapabilities: ['NET_ADMIN'],
  },
  terminationMessagePath: '/app-log',
  terminationMessagePolicy: 'FallbackToLogsOnError',
  liveness: {
    handler: { kind: 'http', path: '/live', port: 9001, scheme: 'HTTPS' },
    initialDelaySeconds: 11,
    periodSeconds: 12,
    timeoutSeconds: 13,
    successThreshold: 1,
    failureThreshold: 14,
  },
  readiness: { handler: { kind: 'exec', command: ['ready'] }, periodSeconds: 15 },
  postStart: { kind: 'http', path: '/started', port: 9002, scheme: 'HTTP', host: 'start.example' },
  preStop: { kind: 'exec', command: ['sleep', '5'] },
  stdin: true,
  stdinOnce: true,
  tty: true,
};

const side: ContainerSpec = {
  ...init,
  name: 'side',
  image: 'registry.example/side:3',
  liveness: { handler: { kind: 'tcp', port: 9003 } },
  postStart: { kind: 'exec', command: ['begin'] },
  preStop: { kind: 'tcp', port: 9004, host: 'stop.example' },
};

const last: ContainerSpec = {
  ...side,
  name: 'last',
  postStart: { kind: 'tcp', port: 9005, host: 'tcp-start.example' },
  preStop: { kind: 'http', path: '/stop', port: 9006, scheme: 'HTTPS', host: 'http-stop.example' },
};

export const maximalSpec: ContainerGroupSpec = {
  name: 'ns-pod',
  region: 'cn-hangzhou',
  restartPolicy: 'OnFailure',
  containers: [app, side, last],
  initContainers: [init],
  volumes: [
    { kind: 'empty-dir', name: 'scratch', medium: 'Memory', sizeLimit: '256Mi' },
    {
      kind: 'files',
      name: 'files',
      defaultMode: 420,
      files: [
        { path: 'key', content: 'ZmlsZS1jYW5hcnk=', mode: 256 },
        { path: 'plain', content: 'cGxhaW4=' },
      ],
    },
    { kind: 'nfs', name: 'nfs', server: '10.0.0.9', path: '/export', readOnly: true },
  ],
  securityGroupIds: ['sg-1', 'sg-2'],
  resourceGroupId: 'rg-1',
  ramRoleName: 'role-1',
  registryCredentials: [{ server: 'registry.example', userName: 'robot', password: 'registry-canary' }],
  dns: {
    policy: 'None',
    nameServers: ['10.96.0.10'],
    searches: ['ns.svc.cluster.local', 'svc.cluster.local'],
    options: [{ name: 'ndots', value: '5' }, { name: 'edns0' }],
  },
  hostAliases: [{ ip: '1.2.3.4', hostnames: ['h1', 'h2'] }],
  hostName: 'host-1',
  terminationGracePeriodSeconds: 33,
  activeDeadlineSeconds: 3_601,
  shareProcessNamespace: true,
  sysctls: [
    { name: 'net.ipv4.ping_group_range', value: '0 1', safe: true },
    { name: 'net.core.somaxconn', value: '1024', safe: false },
  ],
  spot: { strategy: 'SpotWithPriceLimit', priceLimit: 0.1234, durationHours: 0 },
  tags: { team: 'payments', 'cost-center': '42' },
  maxPendingMinutes: 77,
  cpuArchitecture: 'AMD64',
  ephemeralStorageGiB: 15,
  autoMatchImageCache: true,
  imageSnapshotId: 'imc-1',
};

export const placement: Placement = {
  clientToken: 'token-1',
  vSwitchIds: ['vsw-b', 'vsw-a'],
  ordered: true,
  specs: ['2-4Gi', 'ecs.c6.large'],
  spot: true,
};

export const identity: GroupIdentity = {
  fleet: 'eci-fleet',
  clusterId: 'c1',
  podUid: '7f3c',
  attempt: 2,
  namespace: 'ns',
  name: 'pod',
};
