/** Pods as container groups: one pure function over a table of every field of a pod. */
export { ANNOTATIONS } from './annotation-table.ts';
export { immutableSpecOf, podFactsOf } from './immutable-spec.ts';
export { LIMITS, RESERVED_PORTS } from './limits.ts';
export { mapPod, type MapPodInput, type MapPodResult } from './map-pod.ts';
export type { Ignored } from './refusal.ts';
