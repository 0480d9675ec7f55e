/**
 * Everything that knows Kubernetes: pods as container groups (pure), statuses and events of pods (pure), and the API server's client.
 *
 * Hides: the fields of a pod, their rules and limits, and @kubernetes/client-node. Guarantees: mapping and status are total functions of their
 * input; every field of a pod is mapped, ignored on purpose or refused with its path. Does not: decide where or whether a pod runs, or call ECI.
 */
export * from './api/index.ts';
export * from './mapping/index.ts';
export * from './status/index.ts';
