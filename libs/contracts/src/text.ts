/**
 * Text from outside. PostgreSQL's `text` and `jsonb` keep neither U+0000 nor a lone surrogate, and JSON carries both: whatever a user, an agent, a
 * header, a path or the cloud says passes through here before it is kept.
 */
import { z } from 'zod';

/** What stands where a character was that cannot be kept; it marks the text as changed. */
export const REPLACEMENT = '\uFFFD';

/** Whether PostgreSQL's `text` and `jsonb` keep it as it is. */
export const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** What the cloud says is never refused: each character that cannot be kept becomes {@link REPLACEMENT}. */
export const cleanText = (text: string): string =>
  isStorable(text) ? text : text.replaceAll('\0', REPLACEMENT).toWellFormed();

/** The first `max` UTF-16 units, never half of a surrogate pair; what was cut ends with `mark`, which counts. */
export function cutText(text: string, max: number, mark = '…'): string {
  if (text.length <= max) return text;
  const cut = text.slice(0, Math.max(0, max - mark.length));
  return (/[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut) + mark;
}

const NOT_STORABLE = 'holds U+0000 or half of a surrogate pair, which cannot be kept: leave it out';

/** Text of a person or a program: whatever characters can be kept, `max` UTF-16 units at most. */
export const text = (max: number, min = 0) => z.string().min(min).max(max).refine(isStorable, { error: NOT_STORABLE });

/** What somebody says of something, for people: never refused, but cleaned and cut to `max` UTF-16 units. */
export const said = (max: number) => z.string().transform((words) => cutText(cleanText(words), max));

/** Names and ids, which stand in lines, headers and keys: no control character at all. */
export const identifier = (max: number, min = 1) =>
  z
    .string()
    .min(min)
    .max(max)
    .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, { error: 'holds a control character' })
    .refine((value) => value.isWellFormed(), { error: NOT_STORABLE });

/** The UID of a Kubernetes object: letters, digits and dashes. */
export const podUid = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, { error: 'is not a UID: 1 to 64 letters, digits and dashes' });

/**
 * The place of the first text that cannot be kept, a key or a value, in any JSON value; undefined when all of it can.
 * A key that cannot be kept is shown cleaned.
 */
export function unstorablePlace(value: unknown): readonly (string | number)[] | undefined {
  if (isStorableJson(value)) return undefined;
  // Steps point to where they came from: a path for each of them would cost the square of the depth.
  const todo: { readonly value: unknown; readonly step?: Step }[] = [{ value }];
  for (let next = todo.pop(); next; next = todo.pop()) {
    const { value: at, step } = next;
    if (typeof at === 'string' && !isStorable(at)) return pathTo(step);
    if (typeof at !== 'object' || at === null) continue;
    const parts: [string | number, unknown][] = Array.isArray(at) ? [...at.entries()] : Object.entries(at);
    for (const [key, part] of parts.reverse()) {
      if (typeof key === 'string' && !isStorable(key)) return [...pathTo(step), cleanText(key)];
      todo.push({ value: part, step: { key, ...(step && { from: step }) } });
    }
  }
  return undefined;
}

/** Nearly always all of it can be kept: a place costs five times as much to follow. */
function isStorableJson(value: unknown): boolean {
  const todo: unknown[] = [value];
  while (todo.length > 0) {
    const at = todo.pop();
    if (typeof at === 'string') {
      if (!isStorable(at)) return false;
    } else if (Array.isArray(at)) {
      for (const part of at) todo.push(part);
    } else if (typeof at === 'object' && at !== null) {
      for (const key of Object.keys(at)) {
        if (!isStorable(key)) return false;
        todo.push((at as Record<string, unknown>)[key]);
      }
    }
  }
  return true;
}

interface Step {
  readonly key: string | number;
  readonly from?: Step;
}

function pathTo(step: Step | undefined): (string | number)[] {
  const path: (string | number)[] = [];
  for (let at = step; at; at = at.from) path.push(at.key);
  return path.reverse();
}

/** The same JSON value with every text in it cleaned, keys included; the same object when nothing had to change. Of keys that become one the last stays. */
export function cleanJson<T>(value: T): T {
  return unstorablePlace(value) === undefined ? value : (cleaned(value) as T);
}

/** Without recursion, as deep as the value may be: copies are made empty, and filled when their turn comes. */
function cleaned(value: unknown): unknown {
  const todo: { readonly from: object; readonly to: object }[] = [];
  const copyOf = (part: unknown): unknown => {
    if (typeof part === 'string') return cleanText(part);
    if (typeof part !== 'object' || part === null) return part;
    const to = Array.isArray(part) ? [] : {};
    todo.push({ from: part, to });
    return to;
  };
  const result = copyOf(value);
  for (let next = todo.pop(); next; next = todo.pop())
    for (const [key, part] of Object.entries(next.from))
      // Defined and not set: a key may be `__proto__`.
      Object.defineProperty(next.to, cleanText(key), {
        value: copyOf(part),
        enumerable: true,
        writable: true,
        configurable: true,
      });
  return result;
}
