/** A pod in which every field that Kubernetes knows holds a text of its own, so that whatever is found somewhere says where it came from. */
import { READABLE_POD, type Readable } from '#libs/contracts';

/** As far as the API server's OpenAPI document is read. */
export interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
}

/** Field names from the pod down; `*` is the item of a list or the value of a map, `%` the key of a map. */
type LeafPath = readonly string[];

export interface CanaryPod {
  readonly pod: { readonly metadata: Json; readonly spec: Json };
  readonly leaves: readonly { readonly path: LeafPath; readonly canary: string }[];
  /** The same pod with nothing but this leaf. */
  only(path: LeafPath): { readonly metadata?: Json; readonly spec?: Json };
}

export type Json = Record<string, unknown>;

/** Booleans say nothing that could be looked for. */
export function canaryPod(schemas: Readonly<Record<string, Schema>>): CanaryPod {
  const leaves: { path: LeafPath; canary: string }[] = [];
  const resolve = (schema: Schema): Schema => {
    const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
    return ref === undefined ? schema : resolve(schemas[ref.split('/').at(-1)!]!);
  };
  const leaf = (path: LeafPath): string => {
    const canary = `canary-${String(leaves.length).padStart(4, '0')}-x`;
    leaves.push({ path, canary });
    return canary;
  };
  const make = (given: Schema, path: LeafPath): unknown => {
    const schema = resolve(given);
    if (schema.items) return [make(schema.items, [...path, '*'])];
    if (schema.properties)
      return Object.fromEntries(
        Object.entries(schema.properties).map(([name, of]) => [name, make(of, [...path, name])]),
      );
    if (typeof schema.additionalProperties === 'object')
      return { [leaf([...path, '%'])]: make(schema.additionalProperties, [...path, '*']) };
    if (schema.type === 'boolean') return true;
    if (schema.type === 'integer' || schema.type === 'number') {
      const number = 77_000_000 + leaves.length;
      leaves.push({ path, canary: String(number) });
      return number;
    }
    return leaf(path);
  };
  const top = resolve(schemas['io.k8s.api.core.v1.Pod']!).properties!;
  const pod = {
    metadata: make(top['metadata']!, ['metadata']),
    spec: make(top['spec']!, ['spec']),
  } as CanaryPod['pod'];
  return { pod, leaves, only: (path) => pruned(pod, path) as Partial<CanaryPod['pod']> };
}

function pruned(value: unknown, [first, ...rest]: LeafPath): unknown {
  if (first === undefined) return value;
  if (Array.isArray(value)) return value.map((item) => pruned(item, rest));
  const entries = Object.entries(value as object);
  const kept = first === '*' || first === '%' ? entries : entries.filter(([name]) => name === first);
  return Object.fromEntries(kept.map(([name, inside]) => [name, pruned(inside, rest)]));
}

/** Whether the list of what stays readable names the place. */
export function isWrittenDown(path: LeafPath, shape: Readable = READABLE_POD): boolean {
  const [first, ...rest] = path;
  if (shape === 'all' || first === undefined) return shape === 'all' || shape === 'scalar';
  if (shape === 'map') return rest.length === 0;
  if (shape === 'scalar') return false;
  if (Array.isArray(shape)) return first === '*' && isWrittenDown(rest, (shape as readonly [Readable])[0]);
  const fields = shape as Readonly<Record<string, Readable>>;
  return Object.hasOwn(fields, first) && isWrittenDown(rest, fields[first]!);
}
