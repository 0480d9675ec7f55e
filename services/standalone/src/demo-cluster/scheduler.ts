import { resource } from './admission.ts';
import type { ObjectStore } from './object-store.ts';
import type { KubernetesObject } from './resources.ts';

interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
}

/** Binds pods to nodes: the node selector and affinity by label must fit, taints must be tolerated, the node must be Ready. */
export function startScheduler(store: ObjectStore): () => void {
  const pods = resource('Pod');
  const nodes = resource('Node');
  const tryAll = (): void => {
    for (const pod of store.list(pods)) {
      if (pod.spec?.['nodeName'] || pod.metadata.deletionTimestamp) continue;
      const node = store.list(nodes).find((n) => fits(pod, n));
      if (node) bind(store, pod, node.metadata.name);
    }
  };
  const stops = [
    store.watch(pods, store.resourceVersion, (e) => e.type === 'ADDED' && queueMicrotask(tryAll)),
    store.watch(nodes, store.resourceVersion, () => queueMicrotask(tryAll)),
  ];
  tryAll();
  return () => stops.forEach((stop) => stop());
}

function bind(store: ObjectStore, pod: KubernetesObject, nodeName: string): void {
  const { namespace, name } = pod.metadata;
  const type = resource('Pod');
  const bound = store.update(type, namespace, name, { ...pod, spec: { ...pod.spec, nodeName } }, 'all');
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: bound.metadata.creationTimestamp };
  store.update(
    type,
    namespace,
    name,
    { ...bound, status: { ...bound.status, phase: 'Pending', conditions: [scheduled] } },
    'status',
  );
}

function fits(pod: KubernetesObject, node: KubernetesObject): boolean {
  const labels = node.metadata.labels ?? {};
  const selector = (pod.spec?.['nodeSelector'] ?? {}) as Record<string, string>;
  const terms = (
    pod.spec as {
      affinity?: {
        nodeAffinity?: {
          requiredDuringSchedulingIgnoredDuringExecution?: {
            nodeSelectorTerms?: { matchExpressions?: { key: string; operator: string; values?: string[] }[] }[];
          };
        };
      };
    }
  )?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const taints = (node.spec?.['taints'] ?? []) as { key: string; value?: string; effect: string }[];
  const tolerations = (pod.spec?.['tolerations'] ?? []) as Toleration[];
  const ready = ((node.status?.['conditions'] ?? []) as { type: string; status: string }[]).some(
    (c) => c.type === 'Ready' && c.status === 'True',
  );
  return (
    ready &&
    Object.entries(selector).every(([key, value]) => labels[key] === value) &&
    (!terms ||
      terms.some((term) =>
        (term.matchExpressions ?? []).every((e) =>
          e.operator === 'In'
            ? (e.values ?? []).includes(labels[e.key] ?? '')
            : e.operator === 'Exists'
              ? e.key in labels
              : false,
        ),
      )) &&
    taints.filter((t) => t.effect !== 'PreferNoSchedule').every((taint) => tolerations.some((t) => tolerates(t, taint)))
  );
}

function tolerates(toleration: Toleration, taint: { key: string; value?: string; effect: string }): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (!toleration.key) return toleration.operator === 'Exists';
  return (
    toleration.key === taint.key &&
    (toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? ''))
  );
}
