/** Pods for tests, as an API server (1.37) returns them: defaulted fields, injected token volume and all. */
import type { RunPod, SealedRunPod } from '#libs/contracts';
import { mapPod, type MapPodInput, type MapPodResult } from '../src/mapping/map-pod.ts';

type Json = Record<string, unknown>;

export const nginxContainer = (over: Json = {}): Json => ({
  name: 'nginx',
  image: 'nginx:1.27',
  imagePullPolicy: 'IfNotPresent',
  resources: {},
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  volumeMounts: [
    { mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', name: 'kube-api-access-x7k2p', readOnly: true },
  ],
  ...over,
});

export const tokenVolume: Json = {
  name: 'kube-api-access-x7k2p',
  projected: {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { items: [{ key: 'ca.crt', path: 'ca.crt' }], name: 'kube-root-ca.crt' } },
      {
        downwardAPI: {
          items: [{ fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' }, path: 'namespace' }],
        },
      },
    ],
  },
};

const nginxSpec = (over: Json = {}): Json => ({
  containers: [nginxContainer()],
  dnsPolicy: 'ClusterFirst',
  enableServiceLinks: true,
  nodeName: 'virtual-kubelet',
  preemptionPolicy: 'PreemptLowerPriority',
  priority: 0,
  restartPolicy: 'Always',
  schedulerName: 'default-scheduler',
  securityContext: {},
  serviceAccount: 'default',
  serviceAccountName: 'default',
  terminationGracePeriodSeconds: 30,
  tolerations: [
    { effect: 'NoSchedule', key: 'virtual-kubelet.io/provider', operator: 'Exists' },
    { effect: 'NoExecute', key: 'node.kubernetes.io/not-ready', operator: 'Exists', tolerationSeconds: 300 },
    { effect: 'NoExecute', key: 'node.kubernetes.io/unreachable', operator: 'Exists', tolerationSeconds: 300 },
  ],
  volumes: [tokenVolume],
  ...over,
});

const runPodOf = (spec: Json, metadata: Json = {}): RunPod['pod'] => ({
  uid: '6f2c9f8e-3a55-4f0e-9a0e-1d2b3c4d5e6f',
  namespace: 'shop',
  name: 'nginx',
  resourceVersion: '4711',
  phase: 'Pending',
  metadata: {
    name: 'nginx',
    namespace: 'shop',
    uid: '6f2c9f8e-3a55-4f0e-9a0e-1d2b3c4d5e6f',
    creationTimestamp: '2026-11-23T10:00:00Z',
    labels: { app: 'nginx', 'alibabacloud.com/eci': 'true' },
    annotations: {},
    ...metadata,
  },
  spec,
});

export const sealedOf = (over: Partial<SealedRunPod> = {}): SealedRunPod => ({
  env: {},
  annotations: {},
  configMaps: { 'kube-root-ca.crt': { data: { 'ca.crt': 'CERT' }, binaryData: {} } },
  secrets: {},
  tokens: { 'kube-api-access-x7k2p/token': 'TOKEN' },
  pullSecrets: [],
  ...over,
});

export const resolvedOf = (over: Partial<RunPod['resolved']> = {}): RunPod['resolved'] => ({
  profileRevision: 'p1',
  profile: {
    region: 'cn-hangzhou',
    vpcId: 'vpc-1',
    vSwitchIds: ['vsw-h', 'vsw-k'],
    securityGroupId: 'sg-1',
    enableClusterIp: true,
  },
  dns: { clusterDomain: 'cluster.local', nameServers: ['10.96.0.10'] },
  serviceEnv: {},
  tokens: [],
  ...over,
});

export const inputOf = (
  spec: Json = {},
  over: { metadata?: Json; sealed?: Partial<SealedRunPod>; resolved?: Partial<RunPod['resolved']> } = {},
): MapPodInput => ({
  accountId: 'default',
  pod: runPodOf(nginxSpec(spec), over.metadata),
  resolved: resolvedOf(over.resolved),
  sealed: sealedOf(over.sealed),
});

export const mapped = (result: MapPodResult): Extract<MapPodResult, { ok: true }> => {
  if (!result.ok) throw new Error(`${result.field}: ${result.reason}`);
  return result;
};

/** `<field>: <reason>`, or `mapped`. */
export const refusalOf = (input: MapPodInput): string => {
  const result = mapPod(input);
  return result.ok ? 'mapped' : `${result.field}: ${result.reason}`;
};

export const base64 = (text: string): string => Buffer.from(text).toString('base64');
