import type { KubernetesObject } from './resources.ts';

/** `a=b,c!=d,e in (x,y),f,!g` as the API server takes it. */
export function matchesLabels(selector: string | null, labels: Record<string, string> = {}): boolean {
  if (!selector) return true;
  return selector.split(/,(?![^(]*\))/).every((term) => {
    const set = /^\s*(\S+)\s+(in|notin)\s+\(([^)]*)\)\s*$/.exec(term);
    if (set) {
      const [, key = '', operator, list = ''] = set;
      const has = list
        .split(',')
        .map((v) => v.trim())
        .includes(labels[key] ?? '');
      return operator === 'in' ? has : !has;
    }
    const [key = '', value] = term.split(/!=|==|=/).map((part) => part.trim());
    if (value === undefined) return key.startsWith('!') ? !(key.slice(1) in labels) : key in labels;
    return term.includes('!=') ? labels[key] !== value : labels[key] === value;
  });
}

/** `metadata.name=x,spec.nodeName!=y`. */
export function matchesFields(selector: string | null, object: KubernetesObject): boolean {
  if (!selector) return true;
  return selector.split(',').every((term) => {
    const [path = '', value = ''] = term.split(/!=|==|=/).map((part) => part.trim());
    const actual = path
      .split('.')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], object);
    return term.includes('!=') ? String(actual ?? '') !== value : String(actual ?? '') === value;
  });
}

interface LabelSelector {
  readonly matchLabels?: Record<string, string>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** A label selector as objects carry it (webhooks, profiles). */
export function matchesLabelSelector(
  selector: LabelSelector | undefined,
  labels: Record<string, string> = {},
): boolean {
  const equal = Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    equal &&
    (selector?.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      if (operator === 'Exists') return key in labels;
      if (operator === 'DoesNotExist') return !(key in labels);
      const has = key in labels && values.includes(labels[key] as string);
      return operator === 'In' ? has : !has;
    })
  );
}
