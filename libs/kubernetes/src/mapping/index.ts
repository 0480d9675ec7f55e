/** Pods as container groups: one pure function over a table of every field of a pod. */
export { ANNOTATIONS } from './annotation-table.ts';
export { immutableSpecOf, podFactsOf } from './immutable-spec.ts';
export { mapPod } from './map-pod.ts';
