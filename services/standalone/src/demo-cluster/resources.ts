/** The part of the Kubernetes API that the demo cluster has. */
export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  /** Its status is written apart. */
  readonly withStatus: boolean;
}

const core = (
  plural: string,
  kind: string,
  shortName: string | undefined,
  { namespaced = true, withStatus = false } = {},
): ResourceType => ({
  group: '',
  version: 'v1',
  plural,
  kind,
  namespaced,
  shortNames: shortName === undefined ? [] : [shortName],
  withStatus,
});

const grouped = (group: string, plural: string, kind: string, namespaced = true): ResourceType => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced,
  shortNames: [],
  withStatus: false,
});

export const RESOURCES: readonly ResourceType[] = [
  core('namespaces', 'Namespace', 'ns', { namespaced: false }),
  core('nodes', 'Node', 'no', { namespaced: false, withStatus: true }),
  core('pods', 'Pod', 'po', { withStatus: true }),
  core('configmaps', 'ConfigMap', 'cm'),
  core('secrets', 'Secret', undefined),
  core('services', 'Service', 'svc'),
  core('serviceaccounts', 'ServiceAccount', 'sa'),
  core('events', 'Event', 'ev'),
  grouped('events.k8s.io', 'events', 'Event'),
  grouped('coordination.k8s.io', 'leases', 'Lease'),
  grouped('admissionregistration.k8s.io', 'mutatingwebhookconfigurations', 'MutatingWebhookConfiguration', false),
];

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    generateName?: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    creationTimestamp: string;
    deletionTimestamp?: string;
    deletionGracePeriodSeconds?: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [key: string]: unknown;
  };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  [key: string]: unknown;
}

export const apiVersionOf = (type: ResourceType): string =>
  type.group === '' ? type.version : `${type.group}/${type.version}`;
