import type {
  ConfigMapObject,
  KubernetesObject,
  LeaseObject,
  NodeObject,
  PodObject,
  SecretObject,
  ServiceObject,
} from './objects.ts';

/** A kind of object and where it lives. The type parameter is only for the compiler. */
export interface Resource<T extends KubernetesObject = KubernetesObject> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly __object?: T;
}

function resource<T extends KubernetesObject>(
  group: string,
  version: string,
  plural: string,
  kind: string,
  namespaced: boolean,
): Resource<T> {
  return { group, version, plural, kind, namespaced };
}

/** The kinds this system touches. */
export const resources = {
  pods: resource<PodObject>('', 'v1', 'pods', 'Pod', true),
  nodes: resource<NodeObject>('', 'v1', 'nodes', 'Node', false),
  namespaces: resource('', 'v1', 'namespaces', 'Namespace', false),
  configMaps: resource<ConfigMapObject>('', 'v1', 'configmaps', 'ConfigMap', true),
  secrets: resource<SecretObject>('', 'v1', 'secrets', 'Secret', true),
  services: resource<ServiceObject>('', 'v1', 'services', 'Service', true),
  serviceAccounts: resource('', 'v1', 'serviceaccounts', 'ServiceAccount', true),
  events: resource('', 'v1', 'events', 'Event', true),
  leases: resource<LeaseObject>('coordination.k8s.io', 'v1', 'leases', 'Lease', true),
  mutatingWebhooks: resource(
    'admissionregistration.k8s.io',
    'v1',
    'mutatingwebhookconfigurations',
    'MutatingWebhookConfiguration',
    false,
  ),
} as const;

export interface Place {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** Path of a collection, an object or a subresource; every part is escaped. */
export function pathOf(resource: Resource, { namespace, name, subresource }: Place = {}): string {
  const parts = resource.group === '' ? ['api', resource.version] : ['apis', resource.group, resource.version];
  if (resource.namespaced && namespace !== undefined) parts.push('namespaces', namespace);
  parts.push(resource.plural);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join('/')}`;
}
