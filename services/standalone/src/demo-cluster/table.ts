import type { KubernetesObject, ResourceType } from './resources.ts';

/** Whether a client would rather have rows than objects: `Accept: application/json;as=Table;v=v1;g=meta.k8s.io,…`. */
export const wantsTable = (accept: string | undefined): boolean => /;\s*as=Table\b/.test(accept ?? '');

interface Column {
  readonly name: string;
  readonly type?: 'string' | 'integer';
  /** Shown by `-o wide` alone. */
  readonly wide?: true;
  readonly cell: (object: KubernetesObject, now: number) => string | number;
}

/** The rows that `kubectl get` prints, in the columns of a real API server. `whole`: each row carries its object, else its metadata. `now` in ms. */
export function tableOf(
  { kind }: ResourceType,
  objects: readonly KubernetesObject[],
  { resourceVersion, whole, now }: { resourceVersion: string; whole: boolean; now: number },
): object {
  const columns = COLUMNS[kind] ?? [NAME, AGE];
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion },
    columnDefinitions: columns.map(({ name, type = 'string', wide }) => ({
      name,
      type,
      format: name === 'Name' ? 'name' : '',
      description: '',
      priority: wide ? 1 : 0,
    })),
    rows: objects.map((object) => ({
      cells: columns.map(({ cell }) => cell(object, now)),
      object: whole
        ? object
        : { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  };
}

const NAME: Column = { name: 'Name', cell: (o) => o.metadata.name };
const AGE: Column = { name: 'Age', cell: (o, now) => since(o.metadata.creationTimestamp, now) };

const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  Pod: [
    NAME,
    { name: 'Ready', cell: (o) => `${containersOf(o).filter((c) => c.ready).length}/${declared(o)}` },
    { name: 'Status', cell: podStatus },
    { name: 'Restarts', cell: (o) => String(containersOf(o).reduce((sum, c) => sum + (c.restartCount ?? 0), 0)) },
    AGE,
    { name: 'IP', wide: true, cell: (o) => text(o.status?.['podIP']) },
    { name: 'Node', wide: true, cell: (o) => text(o.spec?.['nodeName']) },
    { name: 'Nominated Node', wide: true, cell: () => NONE },
    { name: 'Readiness Gates', wide: true, cell: () => NONE },
  ],
  Node: [
    NAME,
    { name: 'Status', cell: nodeStatus },
    { name: 'Roles', cell: rolesOf },
    AGE,
    { name: 'Version', cell: (o) => infoOf(o, 'kubeletVersion') },
    { name: 'Internal-IP', wide: true, cell: (o) => addressOf(o, 'InternalIP') },
    { name: 'External-IP', wide: true, cell: (o) => addressOf(o, 'ExternalIP') },
    { name: 'OS-Image', wide: true, cell: (o) => infoOf(o, 'osImage') },
    { name: 'Kernel-Version', wide: true, cell: (o) => infoOf(o, 'kernelVersion') },
    { name: 'Container-Runtime', wide: true, cell: (o) => infoOf(o, 'containerRuntimeVersion') },
  ],
  Namespace: [NAME, { name: 'Status', cell: (o) => text(o.status?.['phase'] ?? 'Active') }, AGE],
  ConfigMap: [NAME, { name: 'Data', cell: dataCount }, AGE],
  Secret: [NAME, { name: 'Type', cell: (o) => text(o['type'] ?? 'Opaque') }, { name: 'Data', cell: dataCount }, AGE],
  Service: [
    NAME,
    { name: 'Type', cell: (o) => text(o.spec?.['type'] ?? 'ClusterIP') },
    { name: 'Cluster-IP', cell: (o) => text(o.spec?.['clusterIP']) },
    { name: 'External-IP', cell: () => NONE },
    { name: 'Port(s)', cell: portsOf },
    AGE,
  ],
  Lease: [NAME, { name: 'Holder', cell: (o) => text(o.spec?.['holderIdentity']) }, AGE],
  Event: [
    { name: 'Last Seen', cell: (o, now) => since(lastSeen(o), now) },
    { name: 'Type', cell: (o) => text(o['type']) },
    { name: 'Reason', cell: (o) => text(o['reason']) },
    { name: 'Object', cell: regarding },
    { name: 'Message', cell: (o) => text(o['message'] ?? o['note']).trim() },
  ],
};

const NONE = '<none>';
const text = (value: unknown): string => (typeof value === 'string' && value !== '' ? value : NONE);

interface ContainerStatus {
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly state?: {
    readonly running?: object;
    readonly waiting?: { readonly reason?: string };
    readonly terminated?: { readonly reason?: string; readonly exitCode?: number; readonly signal?: number };
  };
}

const containersOf = (pod: KubernetesObject): readonly ContainerStatus[] =>
  (pod.status?.['containerStatuses'] ?? []) as ContainerStatus[];

const declared = (pod: KubernetesObject): number => ((pod.spec?.['containers'] ?? []) as unknown[]).length;

/** The word of `kubectl get pods`: of the first container that has one to say, else the phase. */
function podStatus(pod: KubernetesObject): string {
  if (pod.metadata.deletionTimestamp) return 'Terminating';
  const inits = (pod.status?.['initContainerStatuses'] ?? []) as ContainerStatus[];
  const stuck = inits.findIndex(({ state }) => state?.terminated?.exitCode !== 0);
  const phase = text(pod.status?.['phase'] ?? 'Pending');
  if (stuck >= 0 && phase !== 'Running') {
    const word = wordOf(inits[stuck] as ContainerStatus);
    return word && word !== 'PodInitializing' ? `Init:${word}` : `Init:${stuck}/${inits.length}`;
  }
  const word = containersOf(pod)
    .map(wordOf)
    .find((each) => each !== undefined);
  if (word === 'Completed' && containersOf(pod).some(({ state }) => state?.running)) return phase;
  return word ?? text(pod.status?.['reason'] ?? phase);
}

function wordOf({ state }: ContainerStatus): string | undefined {
  if (state?.waiting) return state.waiting.reason;
  if (!state?.terminated) return undefined;
  const { reason, signal, exitCode } = state.terminated;
  return reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);
}

function nodeStatus(node: KubernetesObject): string {
  const conditions = (node.status?.['conditions'] ?? []) as { type: string; status: string }[];
  const ready = conditions.find(({ type }) => type === 'Ready');
  const words = [ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown'];
  if (node.spec?.['unschedulable']) words.push('SchedulingDisabled');
  return words.join(',');
}

const ROLE = 'node-role.kubernetes.io/';

function rolesOf(node: KubernetesObject): string {
  const labels = node.metadata.labels ?? {};
  const roles = Object.keys(labels).flatMap((key) => (key.startsWith(ROLE) ? [key.slice(ROLE.length)] : []));
  const old = labels['kubernetes.io/role'];
  return text([...new Set(old ? [...roles, old] : roles)].sort().join(','));
}

const infoOf = (node: KubernetesObject, name: string): string =>
  text(((node.status?.['nodeInfo'] ?? {}) as Record<string, unknown>)[name]);

const addressOf = (node: KubernetesObject, type: string): string =>
  text(
    ((node.status?.['addresses'] ?? []) as { type: string; address: string }[]).find((a) => a.type === type)?.address,
  );

function dataCount(object: KubernetesObject): string {
  return String(Object.keys(object['data'] ?? {}).length);
}

function portsOf(service: KubernetesObject): string {
  const ports = (service.spec?.['ports'] ?? []) as { port: number; protocol?: string }[];
  return text(ports.map(({ port, protocol = 'TCP' }) => `${port}/${protocol}`).join(','));
}

const lastSeen = (event: KubernetesObject): string =>
  [
    event['lastTimestamp'],
    (event['series'] as { lastObservedTime?: unknown } | undefined)?.lastObservedTime,
    event['eventTime'],
  ].find((time): time is string => typeof time === 'string') ?? event.metadata.creationTimestamp;

function regarding(event: KubernetesObject): string {
  const object = (event['involvedObject'] ?? event['regarding'] ?? {}) as { kind?: string; name?: string };
  return `${(object.kind ?? '').toLowerCase()}/${object.name ?? ''}`;
}

/** As `kubectl` writes ages, coarser the older. */
function since(time: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(time)) / 1000));
  if (Number.isNaN(seconds)) return '<unknown>';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}
