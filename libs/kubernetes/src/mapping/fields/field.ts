/**
 * A table of fields: the shape of a JSON document together with what becomes of each field. Reading a document by its table finds every field
 * that the table does not know, so a field that Kubernetes adds tomorrow refuses the pod instead of being dropped.
 */
import { cutText } from '#libs/contracts';
import { type Ignored, refuse } from '../refusal.ts';
import { parseQuantity } from '../quantity.ts';

export type FieldUse = 'mapped' | 'ignored' | 'refused';
type Kind = 'string' | 'integer' | 'boolean' | 'quantity' | 'port' | 'object' | 'list' | 'map' | 'any';

export interface Field<T = unknown> {
  readonly kind: Kind;
  readonly use: FieldUse;
  /** For people: how it is mapped, why it is ignored, or what to do instead. */
  readonly note: string;
  readonly required?: true;
  readonly fields?: Readonly<Record<string, Field>>;
  readonly item?: Field;
  /** Values that ask for nothing; they are as good as absent. */
  readonly harmless?: (value: unknown) => boolean;
  /** Ignored without a word for each pod, because the API server fills it in or the scheduler has acted on it. */
  readonly quiet?: boolean;
  /** Only a type: what reading gives. */
  readonly carries?: T;
}

export type ValueOf<F> = F extends Field<infer T> ? T : never;
type Dropped<T> = [T] extends [never] ? true : false;
type ShapeOf<F> = {
  readonly [
    K in keyof F as Dropped<ValueOf<F[K]>> extends true ? never : F[K] extends { readonly required: true } ? K : never
  ]: ValueOf<F[K]>;
} & {
  readonly [
    K in keyof F as Dropped<ValueOf<F[K]>> extends true ? never : F[K] extends { readonly required: true } ? never : K
  ]?: ValueOf<F[K]>;
};

const leaf =
  <T>(kind: Kind) =>
  (note = ''): Field<T> => ({ kind, use: 'mapped', note });

export const text = leaf<string>('string');
export const integer = leaf<number>('integer');
export const flag = leaf<boolean>('boolean');
/** A Kubernetes quantity, checked for its form; numbers are taken too, as the API server does. */
export const quantity = leaf<string | number>('quantity');
/** A port number or the name of one. */
export const port = leaf<number | string>('port');
export const object = <F extends Readonly<Record<string, Field>>>(fields: F, note = ''): Field<ShapeOf<F>> => ({
  kind: 'object',
  use: 'mapped',
  note,
  fields,
});
export const list = <T>(item: Field<T>, note = ''): Field<readonly T[]> => ({
  kind: 'list',
  use: 'mapped',
  note,
  item,
});
export const mapOf = <T>(item: Field<T>, note = ''): Field<Readonly<Record<string, T>>> => ({
  kind: 'map',
  use: 'mapped',
  note,
  item,
});
export const required = <T>(field: Field<T>): Field<T> & { readonly required: true } => ({ ...field, required: true });

/** Has no effect on ECI on purpose; said in the mapping's result. */
export const ignored = (note: string, harmless?: (value: unknown) => boolean): Field<never> => ({
  kind: 'any',
  use: 'ignored',
  note,
  ...(harmless && { harmless }),
});
/** Has no effect on ECI on purpose, and is no news for anybody. */
export const settled = (note: string): Field<never> => ({ kind: 'any', use: 'ignored', note, quiet: true });
/** Would change what runs and cannot be given: the pod is refused, unless the value asks for nothing. */
export const refused = (note: string, harmless?: (value: unknown) => boolean): Field<never> => ({
  kind: 'any',
  use: 'refused',
  note,
  ...(harmless && { harmless }),
});

const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === '' ||
  value === false ||
  value === 0 ||
  (typeof value === 'object' && Object.keys(value).length === 0);

const words: Record<Kind, string> = {
  string: 'must be a text',
  integer: 'must be a whole number',
  boolean: 'must be true or false',
  quantity: 'must be a quantity such as 500m or 1Gi',
  port: 'must be a port number or the name of one',
  object: 'must be an object',
  list: 'must be a list',
  map: 'must be an object',
  any: 'must be valid',
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `.name`, or `['odd name']`; long keys are cut, since they go into messages. */
export const child = (path: string, key: string): string => {
  const short = cutText(key, 121);
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(short)) return `${path}['${short}']`;
  return path === '' ? short : `${path}.${short}`;
};

/**
 * Reads a value by its field and gives only what is mapped, its types checked and its nulls gone. Refuses (throws a Refusal) at the first unknown,
 * refused or ill-typed field; adds to `seen` what is ignored on purpose.
 */
export function read<T>(field: Field<T>, value: unknown, path: string, seen: Ignored[]): T {
  return readAny(field, value, path, seen) as T;
}

function readAny(field: Field, value: unknown, path: string, seen: Ignored[]): unknown {
  switch (field.kind) {
    case 'string':
      return typeof value === 'string' ? value : refuse(path, words.string);
    case 'integer':
      return Number.isSafeInteger(value) ? value : refuse(path, words.integer);
    case 'boolean':
      return typeof value === 'boolean' ? value : refuse(path, words.boolean);
    case 'quantity':
      return (typeof value === 'string' || typeof value === 'number') && parseQuantity(value) !== undefined
        ? value
        : refuse(path, words.quantity);
    case 'port':
      return typeof value === 'string' || Number.isSafeInteger(value) ? value : refuse(path, words.port);
    case 'list':
      if (!Array.isArray(value)) return refuse(path, words.list);
      return value.map((item, index) => readAny(field.item!, item, `${path}[${index}]`, seen));
    case 'map':
      if (!isObject(value)) return refuse(path, words.map);
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, readAny(field.item!, item, child(path, key), seen)]),
      );
    case 'object':
      return readObject(field.fields!, value, path, seen);
    case 'any':
      return undefined;
  }
}

function readObject(
  fields: Readonly<Record<string, Field>>,
  value: unknown,
  path: string,
  seen: Ignored[],
): Record<string, unknown> {
  if (!isObject(value)) return refuse(path, words.object);
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (item === null || item === undefined) continue;
    const field = Object.hasOwn(fields, key) ? fields[key]! : undefined;
    const at = field ? knownChild(path, key) : child(path, key);
    if (!field)
      return refuse(at, 'is not known to this version of ECI Fleet; remove it, or run the pod on a real node');
    if (field.use === 'mapped') {
      result[key] = readAny(field, item, at, seen);
      continue;
    }
    if (isEmpty(item) || (field.harmless?.(item) ?? false)) continue;
    if (field.use === 'refused') refuse(at, field.note);
    else if (!field.quiet) seen.push({ field: at, reason: field.note });
  }
  for (const key of requiredOf(fields)) {
    if (!Object.hasOwn(result, key)) refuse(child(path, key), 'is missing');
  }
  return result;
}

/** Every pod is read by the same few tables: what is asked of them again and again is remembered. */
const requiredKeys = new WeakMap<object, readonly string[]>();
const plainKeys = new Map<string, boolean>();

function requiredOf(fields: Readonly<Record<string, Field>>): readonly string[] {
  let keys = requiredKeys.get(fields);
  if (!keys) {
    keys = Object.keys(fields).filter((key) => fields[key]!.required);
    requiredKeys.set(fields, keys);
  }
  return keys;
}

/** {@link child} for a key of a table. */
function knownChild(path: string, key: string): string {
  let plain = plainKeys.get(key);
  if (plain === undefined) {
    plain = child('', key) === key;
    plainKeys.set(key, plain);
  }
  if (!plain) return child(path, key);
  return path === '' ? key : `${path}.${key}`;
}
