import canonicalize from 'canonicalize';

/**
 * RFC 8785 text of a JSON value. Same answers and errors as the package `canonicalize`, which is asked whenever something is unusual; for plain
 * objects, whose keys are put in order and then left to `JSON.stringify`, several times as fast.
 *
 * @throws Error for what JSON cannot hold: lone surrogates, NaN, infinities, circles, nothing at all.
 */
export function canonicalJson(value: unknown): string {
  const sorted = inOrder(value, 0);
  if (sorted !== UNUSUAL) {
    const text = JSON.stringify(sorted);
    // A lone surrogate comes out escaped, and RFC 8785 has no word for it; so does a text that talks of one, which is asked of the package too.
    if (text !== undefined && !text.includes('\\ud')) return text;
  }
  const text = canonicalize(value);
  if (text === undefined) throw new Error('a value that JSON cannot hold');
  return text;
}

const UNUSUAL = Symbol('unusual');
/** Deeper than any event, and far from the end of the stack; circles end here as well. */
const DEEPEST = 100;

/** The value with the keys of its objects in order of UTF-16 units; itself where they are already. */
function inOrder(value: unknown, depth: number): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null || value === undefined) return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : UNUSUAL;
  if (typeof value !== 'object' || depth > DEEPEST) return UNUSUAL;
  if (Array.isArray(value)) return itemsInOrder(value as unknown[], depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return UNUSUAL;
  return keysInOrder(value as Record<string, unknown>, depth);
}

function itemsInOrder(items: unknown[], depth: number): unknown {
  let copy: unknown[] | undefined;
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    const ordered = inOrder(item, depth + 1);
    if (ordered === UNUSUAL) return UNUSUAL;
    if (ordered !== item) (copy ??= items.slice())[index] = ordered;
  }
  return copy ?? items;
}

function keysInOrder(object: Record<string, unknown>, depth: number): unknown {
  const keys = Object.keys(object);
  let sorted = true;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index]!;
    // Objects put keys that are numbers first, whatever one does; `toJSON` and `__proto__` mean something else.
    const first = key.charCodeAt(0);
    if ((first >= 48 && first <= 57) || key === 'toJSON' || key === '__proto__') return UNUSUAL;
    if (index > 0 && keys[index - 1]! > key) sorted = false;
  }
  let copy: Record<string, unknown> | undefined;
  if (!sorted) {
    putInOrder(keys);
    copy = {};
  }
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index]!;
    const value = object[key];
    const inside = inOrder(value, depth + 1);
    if (inside === UNUSUAL) return UNUSUAL;
    if (copy === undefined && inside !== value) {
      copy = {};
      for (const before of keys.slice(0, index)) copy[before] = object[before];
    }
    if (copy !== undefined) copy[key] = inside;
  }
  return copy ?? object;
}

/** By UTF-16 units, as RFC 8785 has it. Objects have few keys: put in place one by one they cost no memory, which a sort takes as much of as all else here. */
function putInOrder(keys: string[]): void {
  if (keys.length > 32) {
    keys.sort();
    return;
  }
  for (let index = 1; index < keys.length; index++) {
    const key = keys[index]!;
    let place = index;
    for (; place > 0 && keys[place - 1]! > key; place--) keys[place] = keys[place - 1]!;
    keys[place] = key;
  }
}
