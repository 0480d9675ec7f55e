/** How large a group a pod needs. Rule of ECI docs: limit else request, summed; our own addition: at least the largest init container. */
import { cutText } from '#libs/contracts';
import type { Resources } from './fields/container-fields.ts';
import type { PodSpec } from './fields/pod-fields.ts';
import { LIMITS } from './limits.ts';
import { GIB, milliCores, parseQuantity } from './quantity.ts';
import { own, refuse } from './refusal.ts';
import { formatSize, LARGEST, type Size, sizesFor } from './sizes.ts';

const KNOWN: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage', 'nvidia.com/gpu']);
/** Set to TRUE in a container's env it leaves that container out of the calculation (ECI docs, pod annotations page). */
const RESOURCE_IGNORE = '__ECI_RESOURCE_IGNORE__';

/** What a container states: cores and GiB; undefined = not stated. */
export interface Stated {
  readonly cpu?: number;
  readonly memoryGiB?: number;
  readonly gpu?: number;
  readonly storageGiB?: number;
}

export function statedResources(resources: Resources | undefined, at: string): Stated {
  for (const group of ['limits', 'requests'] as const) {
    for (const [key, value] of Object.entries(resources?.[group] ?? {})) {
      if (KNOWN.has(key) || parseQuantity(value) === 0) continue;
      refuse(
        `${at}.${group}['${cutText(key, 120)}']`,
        'is no resource of ECI; cpu, memory, ephemeral-storage and nvidia.com/gpu are',
      );
    }
  }
  const value = (key: string): number | undefined => {
    const limit = own(resources?.limits ?? {}, key);
    const stated = limit ?? own(resources?.requests ?? {}, key);
    const amount = stated === undefined ? 0 : parseQuantity(stated)!;
    return amount > 0 ? amount : undefined;
  };
  const cpu = value('cpu');
  const memory = value('memory');
  const gpu = value('nvidia.com/gpu');
  const storage = value('ephemeral-storage');
  return {
    ...(cpu !== undefined && { cpu: milliCores(cpu) / 1000 }),
    ...(memory !== undefined && { memoryGiB: memory / GIB }),
    ...(gpu !== undefined && { gpu }),
    ...(storage !== undefined && { storageGiB: storage / GIB }),
  };
}

interface GroupSize {
  /** Most preferred first; those of `eci-use-specs` when it is given. */
  readonly specs: readonly string[];
  /** Beyond what every group has. */
  readonly extraStorageGiB?: number;
}

interface Member {
  readonly stated: Stated;
  readonly outOfCalculation: boolean;
}

const sum = (members: readonly Member[], key: keyof Stated): number =>
  members.reduce((total, { stated, outOfCalculation }) => total + (outOfCalculation ? 0 : (stated[key] ?? 0)), 0);
const most = (members: readonly Member[], key: keyof Stated): number =>
  Math.max(0, ...members.map(({ stated, outOfCalculation }) => (outOfCalculation ? 0 : (stated[key] ?? 0))));

export function groupSize(input: {
  readonly spec: PodSpec;
  readonly containers: readonly Member[];
  readonly initContainers: readonly Member[];
  /** Of the annotation `eci-use-specs`: replaces the calculation. */
  readonly useSpecs: readonly string[] | undefined;
  readonly extraStorageGiB: number | undefined;
  readonly region: string;
  readonly spot: boolean;
}): GroupSize {
  const { spec, containers, initContainers, useSpecs, region, spot } = input;
  const whole = statedResources(spec.resources, 'spec.resources');
  const total = (key: 'cpu' | 'memoryGiB'): number =>
    Math.max(whole[key] ?? sum(containers, key), most(initContainers, key));
  const need: Size = { cpu: total('cpu'), memoryGiB: total('memoryGiB') };

  const storage = Math.max(whole.storageGiB ?? sum(containers, 'storageGiB'), most(initContainers, 'storageGiB'));
  const beyond = Math.ceil(storage - LIMITS.includedStorageGiB - 1e-9);
  const extraStorageGiB = input.extraStorageGiB ?? (beyond > 0 ? beyond : undefined);
  if (extraStorageGiB !== undefined && extraStorageGiB > LIMITS.ephemeralStorageGiB) {
    refuse(
      'spec.containers',
      `ask for more than the ${LIMITS.ephemeralStorageGiB} GiB of extra ephemeral storage that ECI gives`,
    );
  }
  const storageFact = extraStorageGiB === undefined ? {} : { extraStorageGiB };

  if (useSpecs) return { specs: useSpecs, ...storageFact };
  if (sum(containers, 'gpu') > 0 || most(initContainers, 'gpu') > 0 || whole.gpu !== undefined) {
    refuse(
      'spec.containers',
      'ask for a GPU, which ECI gives by instance type; name types in the annotation k8s.aliyun.com/eci-use-specs',
    );
  }
  const specs = sizesFor(need, region, spot);
  if (specs.length === 0) {
    refuse(
      'spec.containers',
      `ask for ${formatSize(need)} in sum; the largest group of ECI is ${formatSize(LARGEST)}. Lower the limits, or name an instance type in the annotation k8s.aliyun.com/eci-use-specs`,
    );
  }
  return { specs, ...storageFact };
}

export const isOutOfCalculation = (env: readonly { readonly name: string; readonly value?: string }[]): boolean =>
  env.some(({ name, value }) => name === RESOURCE_IGNORE && value?.toUpperCase() === 'TRUE');
