import { cutText, type RunPod, type SealedRunPod } from '#libs/contracts';
import { refuse } from './refusal.ts';

/** What of the pod's metadata the mapping reads: labels, annotations with their sealed values, and owners. */
export interface PodMetadata {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const strings = (value: unknown, path: string): Record<string, string> => {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) return refuse(path, 'must be an object');
  const result: Record<string, string> = {};
  for (const [key, item] of Object.entries(value)) {
    // null: the value travels sealed.
    if (item === null) continue;
    if (typeof item !== 'string') return refuse(`${path}['${cutText(key, 120)}']`, 'must be a text');
    result[key] = item;
  }
  return result;
};

export function readMetadata(pod: RunPod['pod'], sealed: SealedRunPod): PodMetadata {
  const owners: unknown = pod.metadata['ownerReferences'];
  if (Array.isArray(owners)) {
    owners.forEach((owner: unknown, index) => {
      if (typeof owner === 'object' && owner !== null && 'kind' in owner && owner.kind === 'DaemonSet') {
        refuse(
          `metadata.ownerReferences[${index}]`,
          'pods of a DaemonSet do not run on ECI; make it a container of the pods that need it',
        );
      }
    });
  }
  return {
    uid: pod.uid,
    namespace: pod.namespace,
    name: pod.name,
    labels: strings(pod.metadata['labels'], 'metadata.labels'),
    annotations: { ...strings(pod.metadata['annotations'], 'metadata.annotations'), ...sealed.annotations },
  };
}
