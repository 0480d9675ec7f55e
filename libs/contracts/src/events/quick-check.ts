import type { z } from 'zod';

/** Whether a value is what a schema says. */
export type Check = (value: unknown) => boolean;

/**
 * A schema as functions that make nothing: every event is checked each time its stream is read, and a parse, which copies what it finds, costs two
 * to three times as much. Knows the kinds of schema that stored events are made of, and throws for any other.
 */
export function checkOf(schema: z.ZodType): Check {
  const { def } = schema as unknown as { readonly def: Def };
  switch (def.type) {
    case 'string':
      return isString;
    case 'boolean':
      return isBoolean;
    case 'number':
      return Number.isFinite;
    case 'literal':
      return oneOf(def.values);
    case 'enum':
      return oneOf(Object.values(def.entries));
    case 'optional': {
      const inner = checkOf(def.innerType);
      return (value) => value === undefined || inner(value);
    }
    case 'nullable': {
      const inner = checkOf(def.innerType);
      return (value) => value === null || inner(value);
    }
    case 'union': {
      const options = def.options.map(checkOf);
      return (value) => options.some((option) => option(value));
    }
    case 'array': {
      const item = checkOf(def.element);
      return (value) => Array.isArray(value) && value.every(item);
    }
    case 'object':
      return objectOf(Object.entries(def.shape).map(([name, inner]) => ({ name, check: checkOf(inner) })));
    case 'custom':
      return def.fn;
    default:
      throw new TypeError(`a stored event cannot be checked by a schema of type ${(def as { type: string }).type}`);
  }
}

const isString: Check = (value) => typeof value === 'string';
const isBoolean: Check = (value) => typeof value === 'boolean';

function oneOf(values: readonly unknown[]): Check {
  const allowed = new Set(values);
  return (value) => allowed.has(value);
}

function objectOf(fields: readonly { readonly name: string; readonly check: Check }[]): Check {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    for (const { name, check } of fields) if (!check((value as Record<string, unknown>)[name])) return false;
    return true;
  };
}

type Def =
  | { readonly type: 'string' | 'boolean' | 'number' }
  | { readonly type: 'literal'; readonly values: readonly unknown[] }
  | { readonly type: 'enum'; readonly entries: Readonly<Record<string, unknown>> }
  | { readonly type: 'optional' | 'nullable'; readonly innerType: z.ZodType }
  | { readonly type: 'union'; readonly options: readonly z.ZodType[] }
  | { readonly type: 'array'; readonly element: z.ZodType }
  | { readonly type: 'object'; readonly shape: Readonly<Record<string, z.ZodType>> }
  | { readonly type: 'custom'; readonly fn: Check };
