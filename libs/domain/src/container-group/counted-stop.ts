import type { StopReason } from './events.ts';

/**
 * Conditions `DisruptionTarget` of pods that nobody deleted on purpose: eviction by taint after a node was not ready, and pod garbage collection
 * after a node was gone (Kubernetes docs, pod disruption conditions). Preemption, the eviction API and the kubelet's own reasons are not meant.
 */
const NOBODYS_WISH: ReadonlySet<string> = new Set(['DeletionByTaintManager', 'DeletionByPodGC']);

/**
 * Stops that the mass-delete guard counts: nobody was seen deleting the pod. A delete that was seen live on the watch, without such a
 * disruption, is somebody's wish and never held, however many there are.
 */
export function isCounted(stop: { readonly reason: StopReason; readonly disruption?: string | undefined }): boolean {
  return stop.reason === 'Absent' || (stop.disruption !== undefined && NOBODYS_WISH.has(stop.disruption));
}
