import type { z } from 'zod';

/** Whether a value is what a schema says. */
export type Check = (value: unknown) => boolean;

/**
 * A schema as one function that makes nothing: every event is checked each time its stream is read, and a parse, which copies what it finds,
 * costs two to three times as much. Knows the kinds of schema that stored events are made of, and throws for any other.
 */
export function checkOf(schema: z.ZodType): Check {
  const own: Check[] = [];
  // Made of our own schemas alone.
  const body = `return (value) => ${sourceOf(schema, 'value', own)};`;
  return (new Function('own', body) as (own: readonly Check[]) => Check)(own);
}

/** An expression that is true of what `at` is an expression for. `own`: checks that are functions already. */
function sourceOf(schema: z.ZodType, at: string, own: Check[]): string {
  const { def } = schema as unknown as { readonly def: Def };
  const inside = (inner: z.ZodType): string => sourceOf(inner, at, own);
  switch (def.type) {
    case 'string':
    case 'boolean':
      return `typeof ${at} === '${def.type}'`;
    case 'number':
      return `Number.isFinite(${at})`;
    case 'literal':
      return oneOf(def.values, at);
    case 'enum':
      return oneOf(Object.values(def.entries), at);
    case 'optional':
      return `(${at} === undefined || ${inside(def.innerType)})`;
    case 'nullable':
      return `(${at} === null || ${inside(def.innerType)})`;
    case 'union':
      return `(${def.options.map(inside).join(' || ')})`;
    case 'array':
      return `(Array.isArray(${at}) && ${at}.every((item) => ${sourceOf(def.element, 'item', own)}))`;
    case 'object': {
      const fields = Object.entries(def.shape).map(([name, inner]) =>
        sourceOf(inner, `o[${JSON.stringify(name)}]`, own),
      );
      return `((o) => ${['typeof o === "object"', 'o !== null', '!Array.isArray(o)', ...fields].join(' && ')})(${at})`;
    }
    case 'custom':
      own.push(def.fn);
      return `own[${own.length - 1}](${at})`;
    default:
      throw new TypeError(`a stored event cannot be checked by a schema of type ${(def as { type: string }).type}`);
  }
}

const oneOf = (values: readonly unknown[], at: string): string =>
  `(${values.map((value) => `${at} === ${JSON.stringify(value)}`).join(' || ')})`;

type Def =
  | { readonly type: 'string' | 'boolean' | 'number' }
  | { readonly type: 'literal'; readonly values: readonly unknown[] }
  | { readonly type: 'enum'; readonly entries: Readonly<Record<string, unknown>> }
  | { readonly type: 'optional' | 'nullable'; readonly innerType: z.ZodType }
  | { readonly type: 'union'; readonly options: readonly z.ZodType[] }
  | { readonly type: 'array'; readonly element: z.ZodType }
  | { readonly type: 'object'; readonly shape: Readonly<Record<string, z.ZodType>> }
  | { readonly type: 'custom'; readonly fn: Check };
