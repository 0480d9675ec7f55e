/** The downward API: fields of the pod and resources of its containers as texts. */
import type { Container, InitContainer } from './fields/container-fields.ts';
import { MIB, milliCores, parseQuantity } from './quantity.ts';
import { own, refuse } from './refusal.ts';
import type { PodMetadata } from './source.ts';

export interface DownwardSource {
  readonly metadata: PodMetadata;
  readonly serviceAccountName: string;
  readonly nodeName: string;
  readonly containers: readonly (Container | InitContainer)[];
}

/** As Go prints a quoted text (`%q`), which is what the kubelet writes into files: JSON, but for rare control characters. */
const quote = (value: string): string =>
  JSON.stringify(value).replace(/\\(?:u00([01][0-9a-f])|.)/g, (escape: string, hex: string | undefined) => {
    if (hex === undefined) return escape;
    return hex === '07' ? '\\a' : hex === '0b' ? '\\v' : `\\x${hex}`;
  });

const lines = (map: Readonly<Record<string, string>>): string =>
  Object.keys(map)
    .sort()
    .map((key) => `${key}=${quote(map[key]!)}`)
    .join('\n');

/** Value of a field of the pod that is known before the group exists. */
export function fieldValue(source: DownwardSource, fieldPath: string, at: string): string {
  const { metadata } = source;
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath);
  if (subscript) return own(subscript[1] === 'labels' ? metadata.labels : metadata.annotations, subscript[2]!) ?? '';
  switch (fieldPath) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace;
    case 'metadata.uid':
      return metadata.uid;
    case 'metadata.labels':
      return lines(metadata.labels);
    case 'metadata.annotations':
      return lines(metadata.annotations);
    case 'spec.nodeName':
      return source.nodeName;
    case 'spec.serviceAccountName':
      return source.serviceAccountName;
    default:
      return refuse(
        `${at}.fieldPath`,
        'is not known before the pod runs; on ECI only metadata.*, spec.nodeName, spec.serviceAccountName and (in env) status.podIP can be given',
      );
  }
}

interface ResourceRef {
  readonly containerName?: string;
  readonly resource: string;
  readonly divisor?: string | number;
}

/**
 * A container's limit or request as a whole number of divisors, rounded up. A request that is not stated is the limit, else 0; a limit that is
 * not stated is refused, because the size of the group is not fixed before it lands.
 */
export function resourceValue(
  source: DownwardSource,
  ref: ResourceRef,
  ownName: string | undefined,
  at: string,
): string {
  const name = ref.containerName ?? ownName;
  const container = source.containers.find((candidate) => candidate.name === name);
  if (!container) return refuse(`${at}.containerName`, 'names no container of the pod');
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage)$/.exec(ref.resource);
  if (!match) return refuse(`${at}.resource`, 'must be limits or requests of cpu, memory or ephemeral-storage');
  const resource = match[2]!;
  const limit = own(container.resources?.limits ?? {}, resource);
  const request = own(container.resources?.requests ?? {}, resource) ?? limit ?? 0;
  const stated = match[1] === 'limits' ? limit : request;
  if (stated === undefined) {
    return refuse(`${at}.resource`, `the container states no limit of ${resource}; state one`);
  }
  const value = parseQuantity(stated)!;
  const divisor = parseQuantity(ref.divisor ?? 0)! || 1;
  if (resource === 'cpu') return String(Math.ceil(milliCores(value) / Math.max(1, Math.round(divisor * 1000))));
  return String(Math.ceil(value / divisor));
}

export const toMiB = (bytes: number): number => Math.ceil(bytes / MIB);
