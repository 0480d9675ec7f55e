import type { Clock, Ids } from '#libs/runtime';
import { apiVersionOf, RESOURCES, type KubernetesObject, type ResourceType } from './resources.ts';

type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface WatchEvent {
  readonly type: WatchEventType;
  readonly object: KubernetesObject;
  readonly resourceVersion: number;
}

/** A refusal as the API server words it. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

export interface StoredState {
  readonly resourceVersion: number;
  readonly objects: Readonly<Record<string, readonly KubernetesObject[]>>;
}

/** Watchers that fall further behind than this list again (410 Gone), as with a real API server. */
const HISTORY = 5_000;

/** Objects with UIDs and one growing resourceVersion, and a history that watchers read. */
export class ObjectStore {
  private readonly clock: Clock;
  private readonly ids: Ids;
  private readonly objects = new Map<string, Map<string, KubernetesObject>>();
  private readonly history = new Map<string, WatchEvent[]>();
  private readonly listeners = new Map<string, Set<(event: WatchEvent) => void>>();
  private version = 1;
  private firstKept = 1;

  constructor(clock: Clock, ids: Ids, stored?: StoredState) {
    this.clock = clock;
    this.ids = ids;
    for (const type of RESOURCES) {
      this.objects.set(typeKey(type), new Map());
      this.history.set(typeKey(type), []);
      this.listeners.set(typeKey(type), new Set());
    }
    if (!stored) return;
    this.version = stored.resourceVersion;
    this.firstKept = stored.resourceVersion;
    for (const [key, list] of Object.entries(stored.objects)) {
      for (const object of list)
        this.objects.get(key)?.set(objectKey(object.metadata.namespace, object.metadata.name), object);
    }
  }

  get resourceVersion(): number {
    return this.version;
  }

  dump(): StoredState {
    return {
      resourceVersion: this.version,
      objects: Object.fromEntries([...this.objects].map(([key, map]) => [key, [...map.values()]])),
    };
  }

  list(type: ResourceType, namespace?: string): KubernetesObject[] {
    const all = [...(this.objects.get(typeKey(type))?.values() ?? [])];
    return namespace === undefined ? all : all.filter((o) => o.metadata.namespace === namespace);
  }

  get(type: ResourceType, namespace: string | undefined, name: string): KubernetesObject {
    const object = this.objects.get(typeKey(type))?.get(objectKey(namespace, name));
    if (!object) throw new ApiError(404, 'NotFound', `${type.plural} "${name}" not found`);
    return object;
  }

  create(type: ResourceType, namespace: string | undefined, input: Partial<KubernetesObject>): KubernetesObject {
    const given = (input.metadata ?? {}) as Partial<KubernetesObject['metadata']>;
    const name = given.name ?? (given.generateName ? `${given.generateName}${this.ids.uuid().slice(0, 5)}` : undefined);
    if (!name) throw new ApiError(422, 'Invalid', 'metadata.name: name or generateName is required');
    const map = this.objects.get(typeKey(type)) as Map<string, KubernetesObject>;
    if (map.has(objectKey(namespace, name)))
      throw new ApiError(409, 'AlreadyExists', `${type.plural} "${name}" already exists`);
    const object: KubernetesObject = {
      ...input,
      apiVersion: apiVersionOf(type),
      kind: type.kind,
      metadata: {
        ...given,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        uid: this.ids.uuid(),
        resourceVersion: '',
        creationTimestamp: seconds(this.clock.now()),
      },
    };
    return this.write(type, object, 'ADDED');
  }

  /** Replaces what is stored; a resourceVersion or UID in `next` must match. Status and spec are kept apart as the API server does. */
  update(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    next: Partial<KubernetesObject>,
    part: 'all' | 'status',
  ): KubernetesObject {
    const current = this.get(type, namespace, name);
    const given = (next.metadata ?? {}) as Partial<KubernetesObject['metadata']>;
    if (given.uid && given.uid !== current.metadata.uid) {
      throw new ApiError(
        409,
        'Conflict',
        `the UID in the precondition (${given.uid}) does not match the UID in record (${current.metadata.uid})`,
      );
    }
    if (given.resourceVersion && given.resourceVersion !== current.metadata.resourceVersion) {
      throw new ApiError(
        409,
        'Conflict',
        `the object has been modified; please apply your changes to the latest version and try again`,
      );
    }
    const { uid, creationTimestamp, deletionTimestamp, namespace: ns } = current.metadata;
    const metadata: KubernetesObject['metadata'] = {
      ...(part === 'status'
        ? {
            ...current.metadata,
            annotations: given.annotations ?? current.metadata.annotations ?? {},
            labels: given.labels ?? current.metadata.labels ?? {},
          }
        : given),
      name,
      uid,
      creationTimestamp,
      resourceVersion: '',
      ...(ns === undefined ? {} : { namespace: ns }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    };
    const merged: KubernetesObject =
      part === 'status'
        ? { ...current, metadata, ...(next.status === undefined ? {} : { status: next.status }) }
        : {
            ...next,
            ...(current.status === undefined || type.kind !== 'Pod' ? {} : { status: current.status }),
            apiVersion: current.apiVersion,
            kind: current.kind,
            metadata,
          };
    return this.write(type, merged, 'MODIFIED');
  }

  /** A bound pod lives on with a deletionTimestamp until somebody deletes it with grace 0; all else goes at once. */
  delete(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    options: { uid?: string; graceSeconds?: number },
  ): KubernetesObject {
    const current = this.get(type, namespace, name);
    if (options.uid && options.uid !== current.metadata.uid) {
      throw new ApiError(
        409,
        'Conflict',
        `the UID in the precondition (${options.uid}) does not match the UID in record (${current.metadata.uid})`,
      );
    }
    const phase = current.status?.['phase'];
    const waits = type.kind === 'Pod' && current.spec?.['nodeName'] && phase !== 'Succeeded' && phase !== 'Failed';
    if (waits && options.graceSeconds !== 0) {
      if (current.metadata.deletionTimestamp) return current;
      const grace = options.graceSeconds ?? Number(current.spec?.['terminationGracePeriodSeconds'] ?? 30);
      const metadata = {
        ...current.metadata,
        deletionTimestamp: seconds(this.clock.now() + grace * 1000),
        deletionGracePeriodSeconds: grace,
      };
      return this.write(type, { ...current, metadata }, 'MODIFIED');
    }
    this.objects.get(typeKey(type))?.delete(objectKey(namespace, name));
    return this.note(type, { ...current, metadata: { ...current.metadata, resourceVersion: '' } }, 'DELETED');
  }

  /** Calls back for everything after `since`, in order; returns how to stop. Throws 410 when that history is gone. */
  watch(type: ResourceType, since: number, listener: (event: WatchEvent) => void): () => void {
    if (since < this.firstKept && since !== 0)
      throw new ApiError(410, 'Expired', `too old resource version: ${since} (${this.firstKept})`);
    for (const event of this.history.get(typeKey(type)) ?? []) if (event.resourceVersion > since) listener(event);
    const set = this.listeners.get(typeKey(type)) as Set<(event: WatchEvent) => void>;
    set.add(listener);
    return () => set.delete(listener);
  }

  /** Nobody can watch from before now any more. */
  forgetHistory(): void {
    for (const entries of this.history.values()) entries.length = 0;
    this.firstKept = this.version;
  }

  private write(type: ResourceType, object: KubernetesObject, event: WatchEventType): KubernetesObject {
    const written = this.note(type, object, event);
    this.objects.get(typeKey(type))?.set(objectKey(object.metadata.namespace, object.metadata.name), written);
    return written;
  }

  private note(type: ResourceType, object: KubernetesObject, event: WatchEventType): KubernetesObject {
    this.version += 1;
    const written: KubernetesObject = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.version) },
    };
    const history = this.history.get(typeKey(type)) as WatchEvent[];
    const entry: WatchEvent = { type: event, object: written, resourceVersion: this.version };
    history.push(entry);
    if (history.length > HISTORY) {
      const dropped = history.shift() as WatchEvent;
      this.firstKept = Math.max(this.firstKept, dropped.resourceVersion);
    }
    for (const listener of [...(this.listeners.get(typeKey(type)) ?? [])]) listener(entry);
    return written;
  }
}

const typeKey = (type: ResourceType): string => `${type.group}/${type.plural}`;
const objectKey = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;

/** Kubernetes writes times to the second. */
function seconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
