import { isConflict, resources, type KubernetesApi } from '#libs/kubernetes';
import { chooses, type LabelSelector, type Selector } from '../profile/selectors.ts';
import { BUILT_IN } from './steer.ts';

export interface RegistrationTarget {
  /** https URL, or the Service in the agent's namespace. */
  readonly url?: string | undefined;
  readonly service: { readonly namespace: string; readonly name: string };
  readonly nodeName: string;
}

const KUBE_SYSTEM = 'kube-system';
const NAMESPACE_NAME = 'kubernetes.io/metadata.name';

const registrationName = (nodeName: string): string => `eci-fleet-${nodeName}`;

/**
 * The MutatingWebhookConfiguration: one entry for each way by which a pod is chosen, so that the API server asks about those pods only. Pods of
 * `kube-system` and of the agent are never asked about, and a webhook that does not answer never holds up a pod (Ignore, 5 s).
 */
export function registrationOf(
  target: RegistrationTarget,
  caBundle: string,
  selectors: readonly Selector[],
): Record<string, unknown> {
  const entry = (name: string, on: { namespace?: LabelSelector; pod?: LabelSelector }): Record<string, unknown> => ({
    name: `${name}.steering.eci-fleet.local`,
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Ignore',
    timeoutSeconds: 5,
    matchPolicy: 'Equivalent',
    // An effect of another webhook may be what makes a pod ours.
    reinvocationPolicy: 'IfNeeded',
    clientConfig: {
      caBundle: Buffer.from(caBundle, 'utf8').toString('base64'),
      ...(target.url === undefined
        ? { service: { ...target.service, path: '/mutate', port: 443 } }
        : { url: `${target.url.replace(/\/+$/, '')}/mutate` }),
    },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' }],
    namespaceSelector: {
      ...on.namespace,
      matchExpressions: [
        ...(on.namespace?.matchExpressions ?? []),
        { key: NAMESPACE_NAME, operator: 'NotIn', values: [KUBE_SYSTEM, target.service.namespace] },
      ],
    },
    objectSelector: on.pod ?? {},
  });
  const choosing = selectors.filter(chooses);
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: registrationName(target.nodeName), labels: { 'app.kubernetes.io/part-of': 'eci-fleet' } },
    webhooks: [
      ...BUILT_IN.map(({ name, on, selector }) => entry(name, { [on]: selector })),
      ...choosing.map((s, index) =>
        entry(`selector-${index}`, {
          ...(s.namespaceSelector ? { namespace: s.namespaceSelector } : {}),
          ...(s.objectSelector ? { pod: s.objectSelector } : {}),
        }),
      ),
      // Defaults for every ECI pod reach also those that chose the node by hand, which no label selector can see.
      ...(selectors.length > choosing.length ? [entry('defaults', {})] : []),
    ],
  };
}

/** Makes the registration be what it should be. Returns whether anything had to be written. */
export async function register(api: KubernetesApi, wanted: Record<string, unknown>): Promise<boolean> {
  const { name } = wanted.metadata as { name: string };
  const found = await api.find(resources.mutatingWebhooks, { name });
  if (!found) {
    try {
      await api.create(resources.mutatingWebhooks, {}, wanted);
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
    return true;
  }
  if (contains(found.webhooks, wanted.webhooks)) return false;
  await api.patch(resources.mutatingWebhooks, { name }, 'merge', {
    metadata: { resourceVersion: found.metadata.resourceVersion },
    webhooks: wanted.webhooks,
  });
  return true;
}

/** The API server fills in defaults; they are no difference. */
function contains(is: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return Array.isArray(is) && is.length === wanted.length && wanted.every((w, i) => contains(is[i], w));
  }
  if (typeof wanted === 'object' && wanted !== null) {
    return (
      typeof is === 'object' &&
      is !== null &&
      Object.entries(wanted).every(([k, w]) => contains((is as Record<string, unknown>)[k], w))
    );
  }
  return is === wanted;
}
