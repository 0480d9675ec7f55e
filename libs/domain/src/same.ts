/** Equal as JSON: key order does not matter, an absent key equals an undefined one. */
export function same(a: unknown, b: unknown): boolean {
  return a === b || canonical(a) === canonical(b);
}

/** Equal values, equal text: keys in order, undefined left out. For comparing and digesting, not for RFC 8785. */
export function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  let text = '';
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) text += text === '' ? canonical(item) : `,${canonical(item)}`;
    return `[${text}]`;
  }
  const object = value as Record<string, unknown>;
  const keys = Object.keys(object);
  // Mostly they are in order, and a sort makes as much garbage as all the rest.
  if (keys.some((key, index) => index > 0 && keys[index - 1]! > key)) keys.sort();
  for (const key of keys) {
    const item = object[key];
    if (item === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonical(item)}`;
  }
  return `{${text}}`;
}
