import type { PodStatusMessage } from '#libs/contracts';
import type { Condition, PodObject, Stored } from '#libs/kubernetes';
import { isFinal } from './final-status.ts';
import { debugContainerStatuses, wantsDebugContainers } from './debug-containers.ts';

type Json = Record<string, unknown>;

/** Set on every pod that the virtual node runs, as the product does after scheduling. */
export const VIRTUAL_NODE_LABEL = 'serverless.alibabacloud.com/virtual-node';

/** Fields of v1.PodStatus that a complete status owns: absent in it means absent in the object. */
const OWNED_FIELDS = [
  'phase',
  'reason',
  'message',
  'startTime',
  'hostIP',
  'hostIPs',
  'podIP',
  'podIPs',
  'initContainerStatuses',
  'containerStatuses',
  'ephemeralContainerStatuses',
] as const;

/** Conditions that a kubelet owns; others belong to the scheduler, to controllers and to readiness gates. */
const OWNED_CONDITIONS: readonly string[] = ['Ready', 'ContainersReady', 'Initialized', 'PodReadyToStartContainers'];

/**
 * The strategic merge patch for `pods/status` that brings a pod to the given status, or undefined when the object already shows it. Its UID is
 * a precondition. Labels and annotations travel in the same patch: the API server takes them there, and it is one request instead of two.
 */
export function statusPatch(
  pod: Stored<PodObject>,
  message: Pick<PodStatusMessage, 'status' | 'annotations'>,
  force = false,
): Json | undefined {
  const status = wantedStatus(pod, message.status);
  const annotations = message.annotations;
  const labelled = pod.metadata.labels?.[VIRTUAL_NODE_LABEL] === 'true';
  const annotated = Object.entries(annotations).every(([k, v]) => pod.metadata.annotations?.[k] === v);
  if (!force && labelled && annotated && (!status || shows(pod, status))) return undefined;
  return {
    metadata: {
      uid: pod.metadata.uid,
      ...(labelled ? {} : { labels: { [VIRTUAL_NODE_LABEL]: 'true' } }),
      ...(annotated ? {} : { annotations }),
    },
    ...(status ? { status: patchOf(pod, status) } : {}),
  };
}

/** The status to write; undefined = nothing to say, or the pod has ended for Kubernetes already and must not come back to life. */
function wantedStatus(pod: PodObject, status: Json | undefined): Json | undefined {
  if (!status) return undefined;
  if (isFinal(pod.status?.phase) && !isFinal(status.phase as string | undefined)) return undefined;
  const wanted: Json = {};
  for (const field of OWNED_FIELDS)
    if (status[field] !== undefined && status[field] !== null) wanted[field] = status[field];
  if (wantsDebugContainers(pod)) wanted.ephemeralContainerStatuses = debugContainerStatuses(pod);
  // A stale observedGeneration makes `kubectl wait` hang and cannot be cleared; a missing one is fine.
  wanted.conditions = conditionsOf(status).map(({ observedGeneration: _, ...condition }) => condition);
  return wanted;
}

function patchOf(pod: PodObject, wanted: Json): Json {
  const patch: Json = { ...wanted };
  for (const field of OWNED_FIELDS) {
    if (wanted[field] === undefined && pod.status?.[field] !== undefined) patch[field] = null;
  }
  // These lists would be merged by address: a pod would keep an old one beside the new, which the API server does not even take.
  for (const field of ['podIPs', 'hostIPs'])
    if (Array.isArray(wanted[field])) patch[field] = [{ $patch: 'replace' }, ...(wanted[field] as unknown[])];
  const conditions = wanted.conditions as Condition[];
  const obsolete = conditionsOf(pod.status).filter(
    (c) => OWNED_CONDITIONS.includes(c.type) && !conditions.some((w) => w.type === c.type),
  );
  patch.conditions = [
    ...conditions.map((c) => ({ ...c, ...leftovers(pod, c) })),
    ...obsolete.map(({ type }) => ({ type, $patch: 'delete' })),
  ];
  return patch;
}

/** Conditions are merged key by key, so that the reason of what is over would stay unless it is taken away. */
function leftovers(pod: PodObject, wanted: Condition): { reason?: null; message?: null } {
  const is = conditionsOf(pod.status).find(({ type }) => type === wanted.type);
  return {
    ...(is?.reason && !wanted.reason && { reason: null }),
    ...(is?.message && !wanted.message && { message: null }),
  };
}

/** Everything wanted is there, and nothing of ours beyond it. */
function shows(pod: PodObject, wanted: Json): boolean {
  const is = pod.status ?? {};
  const conditions = conditionsOf(is);
  return (
    OWNED_FIELDS.every((field) =>
      wanted[field] === undefined ? is[field] === undefined : contains(is[field], wanted[field]),
    ) &&
    (wanted.conditions as Condition[]).every((w) => {
      const c = conditions.find(({ type }) => type === w.type);
      return c !== undefined && contains(c, w) && Object.keys(leftovers(pod, w)).length === 0;
    }) &&
    conditions.every(
      (c) => !OWNED_CONDITIONS.includes(c.type) || (wanted.conditions as Condition[]).some((w) => w.type === c.type),
    )
  );
}

/** `wanted` is part of `is`; lists have the same length and order. Times are compared to the second, which is what the API server keeps. */
function contains(is: unknown, wanted: unknown): boolean {
  if (wanted === null || wanted === undefined) return is === null || is === undefined;
  if (Array.isArray(wanted)) {
    return Array.isArray(is) && is.length === wanted.length && wanted.every((w, i) => contains(is[i], w));
  }
  if (typeof wanted === 'object') {
    return (
      typeof is === 'object' &&
      is !== null &&
      Object.entries(wanted).every(([key, w]) => contains((is as Json)[key], w))
    );
  }
  if (is === wanted) return true;
  return isTime(is) && isTime(wanted) && Math.floor(Date.parse(is) / 1000) === Math.floor(Date.parse(wanted) / 1000);
}

const isTime = (value: unknown): value is string => typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value);

function conditionsOf(status: unknown): Condition[] {
  const conditions = (status as { conditions?: unknown } | undefined)?.conditions;
  return Array.isArray(conditions) ? (conditions as Condition[]) : [];
}

/** Somebody else, as a rule the node controller, has set the pod to not ready although we say it is ready. */
export function readinessLost(pod: PodObject, message: Pick<PodStatusMessage, 'status'>): boolean {
  const ready = (status: unknown): string | undefined => conditionsOf(status).find((c) => c.type === 'Ready')?.status;
  return ready(message.status) === 'True' && ready(pod.status) === 'False' && !isFinal(pod.status?.phase);
}
