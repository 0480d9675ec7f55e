/**
 * What of a pod stays readable for ever: in Kafka, in events, for policies, search and back-tests. Everything else of it is hidden: it travels
 * sealed, and rests sealed under its stream's display key, which is erased some time after the pod is gone. A field that Kubernetes adds tomorrow
 * is hidden until it is written down here. Docs: `docs/operators/what-stays-readable.md`.
 */

/** `scalar`: a text, number or truth. `map`: an object of those. `all`: whatever there is. A list has one shape for all of its items. */
export type Readable = 'scalar' | 'map' | 'all' | readonly [Readable] | { readonly [field: string]: Readable };

const resources = { limits: 'map', requests: 'map' } as const;

const container = {
  name: 'scalar',
  image: 'scalar',
  imagePullPolicy: 'scalar',
  restartPolicy: 'scalar',
  resources,
} as const;

/** Labels that say whose pod it is and which of them; people write anything into all others. */
export const READABLE_LABELS = [
  'app',
  'app.kubernetes.io/component',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/managed-by',
  'app.kubernetes.io/name',
  'app.kubernetes.io/part-of',
  'app.kubernetes.io/version',
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-completion-index',
  'batch.kubernetes.io/job-name',
  'controller-revision-hash',
  'job-name',
  'k8s-app',
  'pod-template-hash',
  'statefulset.kubernetes.io/pod-name',
] as const;

/** By this the pod of an intent is split, and what rests of it in events. */
export const READABLE_POD = {
  uid: 'scalar',
  namespace: 'scalar',
  name: 'scalar',
  resourceVersion: 'scalar',
  phase: 'scalar',
  metadata: {
    uid: 'scalar',
    namespace: 'scalar',
    name: 'scalar',
    generateName: 'scalar',
    resourceVersion: 'scalar',
    generation: 'scalar',
    creationTimestamp: 'scalar',
    deletionTimestamp: 'scalar',
    deletionGracePeriodSeconds: 'scalar',
    ownerReferences: [{ apiVersion: 'scalar', kind: 'scalar', name: 'scalar', uid: 'scalar', controller: 'scalar' }],
    labels: Object.fromEntries(READABLE_LABELS.map((name) => [name, 'scalar'])) as Record<string, 'scalar'>,
  },
  spec: {
    containers: [container],
    initContainers: [container],
    resources,
    restartPolicy: 'scalar',
    priority: 'scalar',
    priorityClassName: 'scalar',
    preemptionPolicy: 'scalar',
    schedulerName: 'scalar',
    serviceAccountName: 'scalar',
    runtimeClassName: 'scalar',
    nodeName: 'scalar',
    activeDeadlineSeconds: 'scalar',
    terminationGracePeriodSeconds: 'scalar',
  },
  /** What the agent resolved: the profile, DNS, addresses of Services, lives of tokens. */
  resolved: 'all',
} as const satisfies Readable;

const ofContainer = (list: string): readonly string[] => [
  `spec.${list}.*.env.*.valueFrom.configMapKeyRef.name`,
  `spec.${list}.*.env.*.valueFrom.secretKeyRef.name`,
  `spec.${list}.*.envFrom.*.configMapRef.name`,
  `spec.${list}.*.envFrom.*.secretRef.name`,
];

/**
 * Names, and never what they stand for, that stay readable beside the pod: of annotations and of what the agent looked up for it. Keyed digests go
 * by them, so that a change of one can be told. `*`: each item; `%`: a name in a map.
 */
export const READABLE_NAMES: readonly string[] = [
  'metadata.annotations.%',
  ...ofContainer('containers'),
  ...ofContainer('initContainers'),
  'spec.ephemeralContainers.*.name',
  'spec.imagePullSecrets.*.name',
  'spec.volumes.*.name',
  'spec.volumes.*.configMap.name',
  'spec.volumes.*.secret.secretName',
  'spec.volumes.*.projected.sources.*.configMap.name',
  'spec.volumes.*.projected.sources.*.secret.name',
  'spec.volumes.*.projected.sources.*.serviceAccountToken.path',
];

/** Where something was, and what: field names and places in lists, from the outside. */
export type HiddenPart = readonly [path: readonly (string | number)[], value: unknown];

/**
 * Splits JSON by its shape. What is hidden is missing in `readable`; places in lists stay. {@link reveal} puts both together again. `at`: where the
 * value stands in what is revealed later.
 */
export function hide(
  value: unknown,
  shape: Readable,
  at: readonly string[] = [],
): { readable: unknown; hidden: HiddenPart[] } {
  const hidden: HiddenPart[] = [];
  const readable = isKept(value, shape) ? reduced(value, shape, [...at], hidden) : undefined;
  if (readable === undefined && value !== undefined) hidden.push([at, value]);
  return { readable, hidden };
}

/** Undoes {@link hide}; changes neither. */
export function reveal(readable: unknown, hidden: readonly HiddenPart[]): unknown {
  const whole = hidden.find(([path]) => path.length === 0);
  if (whole) return whole[1];
  if (hidden.length === 0) return readable;
  const made = Array.isArray(readable) ? [...(readable as unknown[])] : { ...(readable as object) };
  const below = new Map<string | number, HiddenPart[]>();
  for (const [[first, ...rest], value] of hidden) {
    const parts = below.get(first!);
    if (parts) parts.push([rest, value]);
    else below.set(first!, [[rest, value]]);
  }
  for (const [name, parts] of below) set(made, name, reveal((made as Record<string | number, unknown>)[name], parts));
  return made;
}

/** `path` is where `value` stands, and is the same again when it returns. */
function reduced(value: unknown, shape: Readable, path: (string | number)[], hidden: HiddenPart[]): unknown {
  if (typeof shape === 'string') return value;
  const keep = (
    inside: unknown,
    of: Readable | undefined,
    at: string | number,
  ): { readonly part: unknown } | undefined => {
    path.push(at);
    const kept = of !== undefined && isKept(inside, of) ? { part: reduced(inside, of, path, hidden) } : undefined;
    if (!kept && inside !== undefined) hidden.push([[...path], inside]);
    path.pop();
    return kept;
  };
  // What is hidden of a list leaves its place.
  if (Array.isArray(value))
    return value.map((inside: unknown, at) => keep(inside, (shape as readonly [Readable])[0], at)?.part ?? null);
  const made = {};
  for (const name of Object.keys(value as object)) {
    const kept = keep((value as Record<string, unknown>)[name], fieldOf(shape, name), name);
    if (kept) set(made, name, kept.part);
  }
  return made;
}

const fieldOf = (shape: Readable, name: string): Readable | undefined =>
  Object.hasOwn(shape as object, name) ? (shape as Readonly<Record<string, Readable>>)[name] : undefined;

/** It is of the kind that its shape says; anything else is hidden as it is. */
function isKept(value: unknown, shape: Readable): boolean {
  if (shape === 'all') return true;
  if (shape === 'scalar') return isScalar(value);
  if (Array.isArray(shape)) return Array.isArray(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return shape !== 'map' || Object.values(value).every(isScalar);
}

const isScalar = (value: unknown): boolean => value !== undefined && (typeof value !== 'object' || value === null);

/** Also a field whose name means something to JavaScript. */
function set(made: object, name: string | number, value: unknown): void {
  if (name !== '__proto__') {
    (made as Record<string | number, unknown>)[name] = value;
    return;
  }
  Object.defineProperty(made, name, { value, enumerable: true, writable: true, configurable: true });
}
