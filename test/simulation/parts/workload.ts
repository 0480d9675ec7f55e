import type { RunPod, SealedRunPod } from '#libs/contracts';
import type { Random } from '#libs/runtime';
import type { Pod } from './api-server.ts';

export const REGION = 'cn-hangzhou';
export const ACCOUNT = 'acc';

/** What a pod does, and what its user does to it. Times are milliseconds from the beginning. */
export interface PodPlan {
  readonly clusterId: string;
  readonly uid: string;
  readonly name: string;
  readonly kind: PodKind;
  readonly createAtMs: number;
  /** Absent: at the very end, with all that is left. */
  readonly deleteAtMs?: number;
  readonly graceSeconds: number;
  /** The object vanishes at once (`--force`). */
  readonly force: boolean;
  /** Its user changes its image, which no running group can follow. */
  readonly changeAtMs?: number;
  readonly tokenLifeMs?: number;
}

export type PodKind =
  | 'service'
  | 'job'
  | 'failing-job'
  | 'crash-loop'
  | 'fail-fast'
  | 'unmappable'
  | 'two-specs'
  | 'init'
  | 'three-inits'
  | 'init-crash-loop'
  | 'no-image'
  | 'deadline'
  | 'pending-limit'
  | 'fails-before-deadline'
  | 'odd-text';

/** An image that no registry has; a scene tells the cloud so. */
export const NO_IMAGE = 'missing:1';

const KINDS: readonly (readonly [PodKind, number])[] = [
  ['service', 8],
  ['job', 4],
  ['failing-job', 1.5],
  ['crash-loop', 1],
  ['fail-fast', 1],
  ['unmappable', 0.3],
  ['two-specs', 2],
  ['init', 1],
];

/** What neither a process nor a record can take, what is only long, and what only looks odd. */
export const ODD_TEXTS = ['a\0b', '\ud800', 'x\udc00y', '\0', `${'😀'.repeat(2_000)}\0`, 'y'.repeat(20_000), '\\u0000'];

/** Somewhere in every sealed value: if it is found anywhere in clear, a secret got out. */
const canaryOf = (uid: string): string => `canary-${uid}-tweet`;

export function drawPods(random: Random, clusters: readonly string[], count: number, spanMs: number): PodPlan[] {
  const total = KINDS.reduce((sum, [, weight]) => sum + weight, 0);
  return Array.from({ length: count }, (_, index) => {
    let left = random.next() * total;
    const kind = KINDS.find(([, weight]) => (left -= weight) < 0)?.[0] ?? 'service';
    const createAtMs = Math.floor(random.next() ** 1.5 * spanMs);
    const deleted = random.next() < 0.5;
    // Now and then a pod is deleted in the very moment in which it is made.
    const lifeMs = random.next() < 0.25 ? random.next() * 3_000 : random.next() * spanMs;
    const serial = `${index}`.padStart(3, '0');
    return {
      clusterId: clusters[index % clusters.length] as string,
      uid: `uid-${serial}`,
      name: `pod-${serial}`,
      kind,
      createAtMs,
      ...(deleted && { deleteAtMs: Math.floor(createAtMs + lifeMs) }),
      graceSeconds: random.next() < 0.5 ? 30 : Math.floor(random.next() * 5),
      force: deleted && random.next() < 0.12,
      ...drawChange(random, createAtMs, spanMs),
    };
  });
}

function drawChange(random: Random, createAtMs: number, spanMs: number): Pick<PodPlan, 'changeAtMs' | 'tokenLifeMs'> {
  const changed = random.next() < 0.1;
  const afterMs = random.next() * spanMs;
  const withTokens = random.next() < 0.4;
  const tokenLifeMs = 60_000 + Math.floor(random.next() * 1_200_000);
  return { ...(changed && { changeAtMs: Math.floor(createAtMs + afterMs) }), ...(withTokens && { tokenLifeMs }) };
}

export function podSpec({ kind, uid }: PodPlan): {
  readonly spec: Record<string, unknown>;
  readonly annotations: Record<string, string>;
} {
  const resources = { requests: { cpu: '1', memory: '2Gi' } };
  const variable = { name: 'SECRET', value: canaryOf(uid) };
  const container = { name: 'main', image: 'app:1', resources, env: [variable] };
  const seconds = 5 + (Number(uid.slice(4)) % 40);
  const of = (restartPolicy: string, command: readonly string[] = []) => ({
    restartPolicy,
    containers: [{ ...container, env: [{ ...variable }], ...(command.length > 0 && { command }) }],
  });
  const init = (name: string, ...command: readonly string[]) => ({ name, image: 'prepare:1', resources: {}, command });
  switch (kind) {
    case 'service':
      return { spec: of('Always'), annotations: {} };
    case 'job':
      return { spec: of('Never', ['sleep', `${seconds}`]), annotations: {} };
    case 'failing-job':
      return { spec: of('Never', ['sh', '-c', `sleep ${seconds}; exit 3`]), annotations: {} };
    case 'crash-loop':
      return { spec: of('OnFailure', ['sh', '-c', `sleep ${seconds}; exit 1`]), annotations: {} };
    case 'fail-fast':
      return { spec: of('Always'), annotations: { 'k8s.aliyun.com/eci-fail-strategy': 'fail-fast' } };
    case 'unmappable':
      return { spec: { ...of(seconds % 2 === 0 ? 'Always' : 'Never'), hostNetwork: true }, annotations: {} };
    case 'two-specs':
      return { spec: of('Always'), annotations: { 'k8s.aliyun.com/eci-use-specs': '1-2Gi,2-4Gi' } };
    case 'init':
      return { spec: { ...of('Always'), initContainers: [init('prepare', 'sleep', '3')] }, annotations: {} };
    case 'three-inits': {
      const initContainers = ['i1', 'i2', 'i3'].map((name) => init(name, 'sleep', '15'));
      return { spec: { ...of('Always'), initContainers }, annotations: {} };
    }
    case 'init-crash-loop':
      return { spec: { ...of('Always'), initContainers: [init('i1', 'sh', '-c', 'exit 1')] }, annotations: {} };
    case 'deadline':
      return { spec: { ...of('Never', ['sleep', '600']), activeDeadlineSeconds: 60 }, annotations: {} };
    case 'fails-before-deadline':
      return { spec: { ...of('Never', ['sh', '-c', 'sleep 30; exit 3']), activeDeadlineSeconds: 60 }, annotations: {} };
    case 'pending-limit':
      return {
        spec: { ...of('Never'), containers: [{ ...container, image: NO_IMAGE }] },
        annotations: { 'k8s.aliyun.com/eci-max-pending-minute': '10' },
      };
    case 'odd-text': {
      const serial = Number(uid.slice(4));
      const odd = ODD_TEXTS[serial % ODD_TEXTS.length] as string;
      const spec = of('Never', ['sleep', '5', ...(serial % 3 === 0 ? [odd] : [])]);
      if (serial % 3 === 1) spec.containers[0]!.env[0]!.value += odd;
      return { spec, annotations: serial % 3 === 2 ? { 'k8s.aliyun.com/eci-ram-role-name': odd } : {} };
    }
    case 'no-image':
      return { spec: { ...of('Always'), containers: [{ ...container, image: NO_IMAGE }] }, annotations: {} };
  }
}

/** The intent of a pod as its agent would resolve it. */
export function resolvePod(
  pod: Pod,
  plan: PodPlan | undefined,
  now: number,
): {
  readonly kind: 'ready';
  readonly body: RunPod;
  readonly sealed: SealedRunPod;
  readonly missing: readonly never[];
} {
  const { uid, name, namespace, resourceVersion } = pod.metadata;
  const env: Record<string, string> = {};
  const containers = (pod.spec['containers'] as { name: string; env?: { name: string; value: string }[] }[]).map(
    (container) => {
      container.env?.forEach(({ value }, index) => (env[`containers/${container.name}/${index}`] = value));
      return {
        ...container,
        ...(container.env && { env: container.env.map(({ name: n }) => ({ name: n, value: '' })) }),
      };
    },
  );
  const life = plan?.tokenLifeMs;
  const path = 'token/token';
  const tokens =
    life === undefined
      ? []
      : [{ path, issuedAt: new Date(now).toISOString(), expiresAt: new Date(now + life).toISOString() }];
  return {
    kind: 'ready',
    missing: [],
    body: {
      kind: 'RunPod',
      pod: {
        uid,
        namespace,
        name,
        resourceVersion,
        phase: (pod.status?.phase ?? 'Pending') as RunPod['pod']['phase'],
        metadata: { uid, name, namespace, labels: {}, annotations: { ...pod.metadata.annotations } },
        spec: { ...pod.spec, containers },
      },
      resolved: {
        profileRevision: 'p1',
        profile: {
          region: REGION,
          vSwitchIds: ['vsw-demo-h', 'vsw-demo-i', 'vsw-demo-j'],
          securityGroupId: 'sg-demo',
          enableClusterIp: true,
        },
        serviceEnv: {},
        tokens,
      },
    },
    sealed: {
      env,
      annotations: {},
      configMaps: {},
      secrets: {},
      tokens: life === undefined ? {} : { [path]: `${canaryOf(uid)}.${now}` },
      pullSecrets: [],
    },
  };
}
