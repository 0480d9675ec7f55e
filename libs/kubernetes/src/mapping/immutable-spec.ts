import { hash } from 'node:crypto';
import type { RunPod } from '#libs/contracts';
import { canonical, type PodFacts } from '#libs/domain';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objects = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.map((item: unknown) => (isObject(item) ? item : {})) : [];

const sha256 = (value: unknown): string => hash('sha256', canonical(value), 'hex');

/** What a pod may never change once it was accepted: SHA-256 (hex) of each image and resources, by field path. Total for any JSON. */
export function immutableSpecOf(pod: RunPod['pod']): Record<string, string> {
  const result: Record<string, string> = {};
  for (const list of ['initContainers', 'containers'] as const) {
    objects(pod.spec[list]).forEach((container, index) => {
      result[`spec.${list}[${index}].image`] = sha256(container['image']);
      result[`spec.${list}[${index}].resources`] = sha256(container['resources'] ?? {});
    });
  }
  if (pod.spec['resources'] != null) result['spec.resources'] = sha256(pod.spec['resources']);
  return result;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The facts of a pod that its events carry. Total for any JSON. */
export function podFactsOf(pod: RunPod['pod']): PodFacts {
  const containers = (list: 'containers' | 'initContainers') =>
    objects(pod.spec[list]).map((container) => ({ name: text(container['name']), image: text(container['image']) }));
  const restartPolicy = pod.spec['restartPolicy'];
  const createdAt = text(pod.metadata['creationTimestamp']);
  const activeDeadlineSeconds = pod.spec['activeDeadlineSeconds'];
  return {
    uid: pod.uid,
    namespace: pod.namespace,
    name: pod.name,
    resourceVersion: pod.resourceVersion,
    restartPolicy: restartPolicy === 'Never' || restartPolicy === 'OnFailure' ? restartPolicy : 'Always',
    containers: containers('containers'),
    initContainers: containers('initContainers'),
    ...(createdAt && { createdAt }),
    ...(typeof activeDeadlineSeconds === 'number' && { activeDeadlineSeconds }),
  };
}
