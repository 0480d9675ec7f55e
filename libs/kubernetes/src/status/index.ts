/** What a stream says back to Kubernetes: the pod's status, annotations and events. Pure. */
export { podEventsOf, type PodEvent } from './pod-events.ts';
export { NOT_LOCATED } from './ending.ts';
export { podAnnotationsOf, podPhaseOf, podStatusOf } from './pod-status.ts';
