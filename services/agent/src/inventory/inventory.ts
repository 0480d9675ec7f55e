import { MAX_LEFTOVERS, podUid, type Inventory } from '#libs/contracts';
import type { PodObject, Stored } from '#libs/kubernetes';

/** Pods of one chunk at most; 2,000 are about 400 KB, unless many of them wait for something and say for what. */
export const CHUNK = 2_000;
const CHUNK_BYTES = 600 * 1024;

export interface InventoryView {
  readonly revision: (uid: string) => number | undefined;
  readonly waitingFor: (pod: Stored<PodObject>) => string | undefined;
  /** Every pod of which the cluster's topic holds a status. */
  readonly onTopic: () => Iterable<string>;
  /** Told of a pod of which only that it is there can be said. */
  readonly onFailed?: (uid: string, error: unknown) => void;
}

/** Every pod of the node as it is now, in as few messages as fit. An empty cluster is one empty chunk: silence would say nothing. */
export function inventoryOf(inventoryId: string, pods: Iterable<Stored<PodObject>>, view: InventoryView): Inventory[] {
  let chunk: Inventory['pods'] = [];
  let bytes = 0;
  const chunks = [chunk];
  const here = new Set<string>();
  for (const pod of pods) {
    const { uid, resourceVersion, deletionTimestamp } = pod.metadata;
    here.add(uid);
    const entry = {
      uid,
      resourceVersion,
      phase: pod.status?.phase ?? 'Pending',
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...whatIsKnown(pod, view),
    };
    const size = Buffer.byteLength(JSON.stringify(entry));
    if (chunk.length === CHUNK || bytes + size > CHUNK_BYTES) {
      chunk = [];
      bytes = 0;
      chunks.push(chunk);
    }
    chunk.push(entry);
    bytes += size;
  }
  const leftovers: string[] = [];
  for (const uid of view.onTopic()) {
    if (leftovers.length === MAX_LEFTOVERS) break;
    if (!here.has(uid) && podUid.safeParse(uid).success) leftovers.push(uid);
  }
  return chunks.map((pods, index) => ({
    kind: 'Inventory',
    inventoryId,
    chunk: index,
    chunks: chunks.length,
    pods,
    ...(index === 0 && leftovers.length > 0 && { leftovers }),
  }));
}

/** A pod that something is wrong with is listed all the same: one that were left out would be taken for missing. */
function whatIsKnown(
  pod: Stored<PodObject>,
  { revision: revisionOf, waitingFor: reasonOf, onFailed }: InventoryView,
): Pick<Inventory['pods'][number], 'revision' | 'waitingFor'> {
  try {
    const revision = revisionOf(pod.metadata.uid);
    const waitingFor = reasonOf(pod);
    return { ...(revision === undefined ? {} : { revision }), ...(waitingFor === undefined ? {} : { waitingFor }) };
  } catch (error) {
    onFailed?.(pod.metadata.uid, error);
    return {};
  }
}
