/**
 * The API server of a cluster.
 *
 * Hides: @kubernetes/client-node (kubeconfig, credentials, watches) and the connections. Guarantees: typed errors that hold no secret, one
 * rate limit with priorities, a cache that calls nothing deleted without proof. Does not: know pods from nodes, or decide anything.
 */
export { Connection, type ConnectionOptions } from './connection.ts';
export { writeEvent, eventName, type EventAbout, type EventText } from './event-writer.ts';
export {
  KubernetesApi,
  type CallOptions,
  type KubernetesApiOptions,
  type ListOptions,
  type Page,
  type PatchKind,
  type WatchEvent,
  type WatchOptions,
} from './kubernetes-api.ts';
export { KubernetesError, isConflict, isExpired, isNotFound } from './kubernetes-error.ts';
export type * from './objects.ts';
export { RateLimiter, type Priority } from './rate-limiter.ts';
export { Reflector, type Change, type ReflectorOptions } from './reflector.ts';
export { pathOf, resources, type Place, type Resource } from './resources.ts';
export { apiServerLink } from './server-link.ts';
export { EXTENDED_TOKEN_SECONDS, requestPodToken, type PodToken, type TokenAsk } from './token-request.ts';
