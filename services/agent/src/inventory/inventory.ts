import type { Inventory } from '#libs/contracts';
import type { PodObject, Stored } from '#libs/kubernetes';

/** Pods of one chunk; a chunk of 2,000 is about 400 KB. */
export const CHUNK = 2_000;

export interface InventoryView {
  readonly revision: (uid: string) => number | undefined;
  readonly waitingFor: (pod: Stored<PodObject>) => string | undefined;
}

/** Every pod of the node as it is now, in as few messages as fit. An empty cluster is one empty chunk: silence would say nothing. */
export function inventoryOf(inventoryId: string, pods: Iterable<Stored<PodObject>>, view: InventoryView): Inventory[] {
  const all: Inventory['pods'] = [];
  for (const pod of pods) {
    const { uid, resourceVersion, deletionTimestamp } = pod.metadata;
    const revision = view.revision(uid);
    const waitingFor = view.waitingFor(pod);
    all.push({
      uid,
      resourceVersion,
      phase: pod.status?.phase ?? 'Pending',
      ...(revision === undefined ? {} : { revision }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(waitingFor === undefined ? {} : { waitingFor }),
    });
  }
  const chunks = Math.max(1, Math.ceil(all.length / CHUNK));
  return Array.from({ length: chunks }, (_, chunk) => ({
    kind: 'Inventory',
    inventoryId,
    chunk,
    chunks,
    pods: all.slice(chunk * CHUNK, (chunk + 1) * CHUNK),
  }));
}
