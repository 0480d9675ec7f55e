import { chooses, matches, selects, type Labels, type LabelSelector, type Selector } from '../profile/selectors.ts';

/** What the steering looks at of a pod that is about to be created. */
export interface NewPod {
  readonly metadata?: {
    readonly labels?: Labels | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
    readonly ownerReferences?: readonly { readonly kind: string; readonly controller?: boolean }[] | undefined;
  };
  readonly spec?: {
    readonly nodeName?: string | undefined;
    readonly nodeSelector?: Readonly<Record<string, string>> | undefined;
    readonly tolerations?:
      | readonly {
          readonly key?: string;
          readonly operator?: string;
          readonly value?: string;
          readonly effect?: string;
        }[]
      | undefined;
  };
}

export interface SteeringRules {
  readonly taint: { readonly key: string; readonly value: string; readonly effect: string };
  readonly selectors: readonly Selector[];
}

export interface JsonPatchAdd {
  readonly op: 'add';
  readonly path: string;
  readonly value: unknown;
}

export type Steered =
  | { readonly kind: 'not-ours' }
  /** Labels or fields of the pod speak against it; `reason` is said to its author. */
  | { readonly kind: 'conflict'; readonly reason: string }
  | { readonly kind: 'steered'; readonly patch: readonly JsonPatchAdd[]; readonly by: string };

/** Labels of the node that the scheduler must find. */
export const NODE_SELECTOR: readonly [string, string] = ['type', 'virtual-kubelet'];

/** Selectors that the product has built in (ECI docs, pages on scheduling pods to ECI; the last one is of older components). */
export const BUILT_IN: readonly {
  readonly name: string;
  readonly on: 'pod' | 'namespace';
  readonly selector: LabelSelector;
}[] = [
  { name: 'pod-label', on: 'pod', selector: { matchLabels: { 'alibabacloud.com/eci': 'true' } } },
  { name: 'pod-label-old', on: 'pod', selector: { matchLabels: { eci: 'true' } } },
  { name: 'namespace-label', on: 'namespace', selector: { matchLabels: { 'alibabacloud.com/eci': 'true' } } },
  { name: 'namespace-label-old', on: 'namespace', selector: { matchLabels: { eci: 'true' } } },
  {
    name: 'namespace-affinity-injection',
    on: 'namespace',
    selector: { matchLabels: { 'virtual-node-affinity-injection': 'enabled' } },
  },
];

/**
 * Decides whether a new pod goes to the virtual node, and with what. It only ever adds: a key, a toleration or a node selector that the
 * author gave stays as it is. Doing it twice changes nothing more, because the API server may ask twice.
 */
export function steer(pod: NewPod, namespace: Labels, { taint, selectors }: SteeringRules): Steered {
  const labels = pod.metadata?.labels ?? {};
  // ACS is another product with a virtual node of its own.
  if (labels['alibabacloud.com/acs'] === 'true') return { kind: 'not-ours' };
  // A pod's own "no" beats its namespace and every profile.
  if (labels['alibabacloud.com/eci'] === 'false' || labels.eci === 'false') return { kind: 'not-ours' };
  // ECI runs no daemons; its controller pins each pod to a node, so steering would only leave it pending.
  if (pod.metadata?.ownerReferences?.some((o) => o.kind === 'DaemonSet')) return { kind: 'not-ours' };

  const builtIn = BUILT_IN.find((b) => matches(b.selector, b.on === 'pod' ? labels : namespace));
  const selecting = selectors.filter((s) => selects(s, labels, namespace));
  const byHand = pod.spec?.nodeSelector?.[NODE_SELECTOR[0]] === NODE_SELECTOR[1];
  const by = builtIn?.name ?? selecting[0]?.name ?? (byHand ? 'node-selector' : undefined);
  if (by === undefined) return { kind: 'not-ours' };

  const asked = pod.spec?.nodeSelector?.[NODE_SELECTOR[0]];
  if (asked !== undefined && asked !== NODE_SELECTOR[1]) {
    return {
      kind: 'conflict',
      reason: `${by} sends the pod to ECI, but its node selector wants ${NODE_SELECTOR[0]}=${asked}`,
    };
  }
  const patch: JsonPatchAdd[] = [];
  if (asked === undefined && !pod.spec?.nodeName)
    addKeys(patch, '/spec/nodeSelector', pod.spec?.nodeSelector, [NODE_SELECTOR]);
  if (!pod.spec?.tolerations?.some((t) => tolerates(t, taint))) {
    const toleration = { key: taint.key, operator: 'Equal', value: taint.value, effect: taint.effect };
    patch.push(
      pod.spec?.tolerations === undefined
        ? { op: 'add', path: '/spec/tolerations', value: [toleration] }
        : { op: 'add', path: '/spec/tolerations/-', value: toleration },
    );
  }

  // The pod's own value wins, then the first selector that matches, then later ones; defaults for every ECI pod in their order.
  const effective = selectors.filter((s) => !chooses(s) || selecting.includes(s));
  const annotations = new Map<string, string>();
  const added = new Map<string, string>();
  for (const { effect } of effective) {
    for (const [k, v] of Object.entries(effect?.annotations ?? {})) if (!annotations.has(k)) annotations.set(k, v);
    for (const [k, v] of Object.entries(effect?.labels ?? {})) if (!added.has(k)) added.set(k, v);
  }
  addKeys(patch, '/metadata/annotations', pod.metadata?.annotations, [...annotations]);
  addKeys(patch, '/metadata/labels', pod.metadata?.labels, [...added]);
  return { kind: 'steered', patch, by };
}

function addKeys(
  patch: JsonPatchAdd[],
  path: string,
  existing: Readonly<Record<string, string>> | undefined,
  entries: readonly (readonly [string, string])[],
): void {
  const missing = entries.filter(([key]) => !Object.hasOwn(existing ?? {}, key));
  if (missing.length === 0) return;
  if (existing === undefined) {
    patch.push({ op: 'add', path, value: Object.fromEntries(missing) });
    return;
  }
  for (const [key, value] of missing) {
    patch.push({ op: 'add', path: `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, value });
  }
}

type Toleration = NonNullable<NonNullable<NewPod['spec']>['tolerations']>[number];

function tolerates(t: Toleration, taint: SteeringRules['taint']): boolean {
  if (t.effect && t.effect !== taint.effect) return false;
  if (!t.key) return t.operator === 'Exists';
  return t.key === taint.key && (t.operator === 'Exists' || (t.value ?? '') === taint.value);
}
