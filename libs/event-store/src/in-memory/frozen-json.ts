import type { JsonObject } from '../event-store.ts';
import { DEEPEST, isStorable } from '../storable.ts';

/** Objects that this module made: frozen to the bottom, so they need no second copy. */
const ours = new WeakSet<object>();

/**
 * A copy as a database would give it back: what JSON cannot hold is left out, minus zero is zero, nothing is shared with the caller, nothing can
 * be changed. `strict`: NaN and infinities are refused, as in events; else they become null, as in rows beside them.
 *
 * @throws Error saying what cannot be stored.
 */
export function frozenJson(value: JsonObject, strict: boolean): JsonObject {
  const copy = copyOf(value, strict, 0);
  if (copy === undefined) throw new Error('a value that JSON cannot hold');
  return copy as JsonObject;
}

function copyOf(given: unknown, strict: boolean, depth: number): unknown {
  switch (typeof given) {
    case 'string':
      return storable(given);
    case 'number':
      if (Number.isFinite(given)) return given === 0 ? 0 : given;
      if (strict) throw new Error(`${Number.isNaN(given) ? 'NaN' : 'Infinity'} is not allowed`);
      return null;
    case 'boolean':
      return given;
    case 'bigint':
      throw new Error('a bigint is not JSON');
    case 'object':
      break;
    default:
      return undefined;
  }
  if (given === null) return null;
  if (ours.has(given)) return given;
  // A circle, too, is deeper than anything.
  if (depth >= DEEPEST) throw new Error('is nested too deep to be stored');
  const value = 'toJSON' in given && typeof given.toJSON === 'function' ? (given.toJSON() as unknown) : given;
  if (value !== given) return copyOf(value, strict, depth + 1);
  const copy = Array.isArray(given)
    ? given.map((item) => copyOf(item, strict, depth + 1) ?? null)
    : objectCopy(given, strict, depth);
  Object.freeze(copy);
  ours.add(copy);
  return copy;
}

function objectCopy(given: object, strict: boolean, depth: number): object {
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(given)) {
    const value = copyOf((given as Record<string, unknown>)[key], strict, depth + 1);
    if (value !== undefined) copy[storable(key)] = value;
  }
  return copy;
}

function storable(text: string): string {
  if (!isStorable(text)) throw new Error('holds U+0000 or half of a surrogate pair, which cannot be stored');
  return text;
}
