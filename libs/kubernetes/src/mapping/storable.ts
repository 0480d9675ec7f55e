import { cleanText, isStorable, unstorablePlace } from '#libs/contracts';
import type { MapPodInput } from './map-pod.ts';
import { refuse } from './refusal.ts';

const REASON =
  'holds U+0000 or half of a surrogate pair, which neither a process nor a record can take: write it without, or give it as a file';

/**
 * Refuses text that neither ECI nor a record can take, wherever the pod says it. Contents of ConfigMaps and Secrets are bytes: as files they may hold
 * anything, and as variables they are checked where they are used ({@link plainText}).
 */
export function refuseUnstorable({ pod, resolved, sealed }: MapPodInput): void {
  const { metadata, spec, ...rest } = pod;
  for (const [root, value] of [
    ['metadata', metadata],
    ['spec', spec],
    ['', rest],
    ['', resolved],
  ] as const) {
    const place = unstorablePlace(value);
    if (place) refuse(pathOf(root, place), REASON);
  }
  for (const [key, value] of Object.entries(sealed.annotations))
    if (!isStorable(key) || !isStorable(value)) refuse(pathOf('metadata', ['annotations', cleanText(key)]), REASON);
  for (const [key, value] of Object.entries(sealed.env)) if (!isStorable(value)) refuse(variableAt(spec, key), REASON);
}

/** A value on its way into a variable. */
export const plainText = (value: string, at: string): string => (isStorable(value) ? value : refuse(at, REASON));

/** `spec.containers[0].args[1]`, `metadata.labels['a/b']`. */
function pathOf(root: string, place: readonly (string | number)[]): string {
  return place.reduce<string>((path, part) => {
    if (typeof part === 'number') return `${path}[${part}]`;
    if (!/^[A-Za-z][A-Za-z0-9]*$/.test(part)) return `${path}['${part}']`;
    return path === '' ? part : `${path}.${part}`;
  }, root);
}

/** `<containers|initContainers>/<name>/<index>` as the path of that variable. */
function variableAt(spec: Readonly<Record<string, unknown>>, key: string): string {
  const [list = '', name, index] = key.split('/');
  const containers: unknown = spec[list];
  const at = Array.isArray(containers)
    ? containers.findIndex((each: unknown) => (each as { name?: unknown } | null)?.name === name)
    : -1;
  return at < 0 ? pathOf('spec', [cleanText(list)]) : `spec.${list}[${at}].env[${Number(index)}].value`;
}
