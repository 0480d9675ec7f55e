/**
 * The pod's quality-of-service class as the API server derives it. It is fixed from the pod's creation, and a status that says otherwise is
 * refused, so an unclear spec gives undefined.
 */
import type { Json } from '#libs/domain';
import { parseQuantity } from '../mapping/quantity.ts';

type Qos = 'Guaranteed' | 'Burstable' | 'BestEffort';
const COUNTED = ['cpu', 'memory'] as const;

const get = (value: Json | undefined, key: string): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, key)
    ? (value as { readonly [key: string]: Json })[key]
    : undefined;

function amount(resources: Json | undefined, group: 'limits' | 'requests', key: string): number {
  const value = get(get(resources, group), key);
  const parsed = typeof value === 'string' || typeof value === 'number' ? parseQuantity(value) : undefined;
  return parsed ?? 0;
}

export function qosClassOf(spec: Json | undefined): Qos | undefined {
  const containers = get(spec, 'containers');
  const initContainers = get(spec, 'initContainers') ?? [];
  if (!Array.isArray(containers) || containers.length === 0 || !Array.isArray(initContainers)) return undefined;
  const whole = get(spec, 'resources');
  const parts: (Json | undefined)[] = whole
    ? [whole]
    : [...containers, ...initContainers].map((part: Json) => get(part, 'resources'));
  const states = (group: 'limits' | 'requests'): boolean =>
    parts.some((part) => COUNTED.some((key) => amount(part, group, key) > 0));
  if (!states('limits') && !states('requests')) return 'BestEffort';
  const isGuaranteed =
    parts.every((part) => COUNTED.every((key) => amount(part, 'limits', key) > 0)) &&
    COUNTED.every((key) => {
      const total = (group: 'limits' | 'requests'): number =>
        parts.reduce<number>((sum, part) => sum + amount(part, group, key), 0);
      return Math.abs(total('limits') - total('requests')) < 1e-9 * Math.max(1, total('limits'));
    });
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
}
