import { KubernetesError, type PodObject, type Stored } from '#libs/kubernetes';
import type { Scheduler } from '../engine/scheduler.ts';

type Json = Record<string, unknown>;
export type Pod = Stored<PodObject>;
export interface PodChange {
  readonly kind: 'added' | 'modified' | 'deleted';
  readonly object: Pod;
}

interface ApiServerWatch {
  /** The object of a pod is gone; `by` = who removed it. */
  readonly onRemoved: (clusterId: string, pod: Pod, by: 'agent' | 'user') => void;
  readonly onStatus: (clusterId: string, before: Pod, after: Pod) => void;
}

/** The API server of one cluster, as far as an agent needs it. Objects are replaced, never changed. */
export class ApiServer {
  readonly clusterId: string;
  private readonly scheduler: Scheduler;
  private readonly watch: ApiServerWatch;
  private readonly objects = new Map<string, Pod>();
  private readonly watchers = new Set<(change: PodChange) => void>();
  private readonly backs = new Set<() => void>();
  private version = 1;
  private out = false;

  constructor(parts: { readonly clusterId: string; readonly scheduler: Scheduler; readonly watch: ApiServerWatch }) {
    this.clusterId = parts.clusterId;
    this.scheduler = parts.scheduler;
    this.watch = parts.watch;
  }

  get away(): boolean {
    return this.out;
  }

  set away(out: boolean) {
    const back = this.out && !out;
    this.out = out;
    if (back) for (const each of [...this.backs]) each();
  }

  get(uid: string): Pod | undefined {
    return this.objects.get(uid);
  }

  values(): readonly Pod[] {
    return [...this.objects.values()];
  }

  /** Changes as they happen, and word when the server is back: then everything is to be listed. Returns how to end it. */
  subscribe(onChange: (change: PodChange) => void, onBack: () => void): () => void {
    this.watchers.add(onChange);
    this.backs.add(onBack);
    return () => {
      this.watchers.delete(onChange);
      this.backs.delete(onBack);
    };
  }

  create(pod: { readonly uid: string; readonly name: string; readonly spec: Json; readonly annotations?: Json }): void {
    const object: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        uid: pod.uid,
        name: pod.name,
        namespace: 'default',
        resourceVersion: `${++this.version}`,
        generation: 1,
        creationTimestamp: this.time(),
        labels: {},
        annotations: (pod.annotations ?? {}) as Record<string, string>,
      },
      spec: { nodeName: 'virtual-kubelet', ...pod.spec },
      status: { phase: 'Pending', conditions: [] },
    };
    this.objects.set(pod.uid, object);
    this.tell({ kind: 'added', object });
  }

  /** What a user may change of a running pod: an image. */
  changeImage(uid: string, image: string): void {
    const pod = this.objects.get(uid);
    if (!pod || pod.metadata.deletionTimestamp !== undefined) return;
    const containers = (pod.spec['containers'] as Json[]).map((each) => ({ ...each, image }));
    const { generation = 1 } = pod.metadata;
    this.replace({
      ...pod,
      metadata: { ...pod.metadata, generation: generation + 1 },
      spec: { ...pod.spec, containers },
    });
  }

  /** `kubectl delete`: the object stays until its kubelet has ended it. */
  deleteGracefully(uid: string, graceSeconds: number): boolean {
    const pod = this.objects.get(uid);
    if (!pod) return false;
    const { deletionTimestamp = this.time(), deletionGracePeriodSeconds: known = Infinity } = pod.metadata;
    const deletionGracePeriodSeconds = Math.min(known, graceSeconds);
    this.replace({ ...pod, metadata: { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds } });
    return true;
  }

  /** `kubectl delete --force`, or an object that is lost with a backup: gone at once. */
  remove(uid: string, by: 'agent' | 'user'): void {
    const pod = this.objects.get(uid);
    if (!pod) return;
    this.objects.delete(uid);
    this.watch.onRemoved(this.clusterId, pod, by);
    this.tell({ kind: 'deleted', object: pod });
  }

  find(name: string): Pod | undefined {
    this.reach('GET');
    return this.values().find((pod) => pod.metadata.name === name);
  }

  list(): readonly Pod[] {
    this.reach('LIST');
    return this.values();
  }

  /** A strategic merge patch of `pods/status`. */
  patchStatus(name: string, patch: Json): Pod {
    const pod = this.find(name);
    const metadata = (patch['metadata'] ?? {}) as Json;
    if (!pod) throw refused('PATCH', 404, 'NotFound');
    if (metadata['uid'] !== undefined && metadata['uid'] !== pod.metadata.uid) throw refused('PATCH', 409, 'Conflict');
    const annotations = { ...pod.metadata.annotations, ...(metadata['annotations'] as Record<string, string>) };
    const labels = { ...pod.metadata.labels, ...(metadata['labels'] as Record<string, string>) };
    const status = patch['status'] ? merged(pod.status ?? {}, patch['status'] as Json) : pod.status;
    const after = this.replace({
      ...pod,
      metadata: { ...pod.metadata, annotations, labels },
      ...(status && { status }),
    });
    this.watch.onStatus(this.clusterId, pod, after);
    return after;
  }

  /** Removal by the agent, with the UID as precondition. */
  delete(name: string, uid: string): void {
    const pod = this.find(name);
    if (!pod) throw refused('DELETE', 404, 'NotFound');
    if (pod.metadata.uid !== uid) throw refused('DELETE', 409, 'Conflict');
    this.remove(uid, 'agent');
  }

  reach(request: string): void {
    if (this.out) throw refused(request, 0, 'Unreachable');
  }

  private replace(pod: Pod): Pod {
    const object: Pod = { ...pod, metadata: { ...pod.metadata, resourceVersion: `${++this.version}` } };
    this.objects.set(pod.metadata.uid, object);
    this.tell({ kind: 'modified', object });
    return object;
  }

  private tell(change: PodChange): void {
    if (!this.out) for (const watcher of [...this.watchers]) watcher(change);
  }

  private time(): string {
    return `${new Date(this.scheduler.now).toISOString().slice(0, 19)}Z`;
  }
}

const refused = (request: string, status: number, reason: string): KubernetesError =>
  new KubernetesError({ request, status, reason, detail: '' });

function merged(status: Json, patch: Json): Json {
  const result: Json = { ...status };
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else if (field === 'conditions') result[field] = mergedConditions(status[field], value as Json[]);
    else if (field === 'podIPs' || field === 'hostIPs') result[field] = mergedAddresses(status[field], value as Json[]);
    else result[field] = value;
  }
  return result;
}

/** By address, unless the list is marked as the whole of it; two of one family are refused. */
function mergedAddresses(known: unknown, patch: readonly Json[]): Json[] {
  const given = patch.filter(({ $patch }) => $patch === undefined);
  const all = given.length < patch.length || !Array.isArray(known) ? given : [...(known as Json[]), ...given];
  const addresses = new Set(all.map(({ ip }) => ip));
  if (addresses.size > 1) throw refused('PATCH', 422, 'Invalid');
  return [...addresses].map((ip) => ({ ip }));
}

function mergedConditions(known: unknown, patch: readonly Json[]): Json[] {
  const byType = new Map((Array.isArray(known) ? (known as Json[]) : []).map((each) => [each['type'], each]));
  for (const { $patch, ...condition } of patch) {
    if ($patch === 'delete') byType.delete(condition['type']);
    else {
      const entries = Object.entries({ ...byType.get(condition['type']), ...condition });
      byType.set(condition['type'], Object.fromEntries(entries.filter(([, value]) => value !== null)));
    }
  }
  return [...byType.values()];
}
