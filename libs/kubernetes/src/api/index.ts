/**
 * The API server of a cluster.
 *
 * Hides: @kubernetes/client-node (kubeconfig, credentials, watches) and the connections. Guarantees: typed errors that hold no secret, one
 * rate limit with priorities, a cache that calls nothing deleted without proof. Does not: know pods from nodes, or decide anything.
 */
export { Connection } from './connection.ts';
export { writeEvent, type EventAbout } from './event-writer.ts';
export { KubernetesApi } from './kubernetes-api.ts';
export { KubernetesError, isConflict, isNotFound } from './kubernetes-error.ts';
export type * from './objects.ts';
export { RateLimiter } from './rate-limiter.ts';
export { Reflector, type Change } from './reflector.ts';
export { resources, type Resource } from './resources.ts';
export { apiServerLink } from './server-link.ts';
export { requestPodToken } from './token-request.ts';
