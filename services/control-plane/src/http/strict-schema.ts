/** Looks into zod schemas: whether they refuse what they do not know, and what they do know. */

interface Definition {
  readonly type?: string;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly catchall?: unknown;
}

const definitionOf = (schema: unknown): Definition | undefined =>
  (schema as { readonly def?: Definition } | undefined)?.def;

/** Where an object of the schema takes members that it does not declare, as paths; none = all of it is strict. */
export function openPlaces(schema: unknown): readonly string[] {
  return objectsIn(schema).flatMap(({ path, definition }) =>
    definitionOf(definition.catchall)?.type === 'never' ? [] : [path || '/'],
  );
}

/** Names of all members that it declares, of objects within it too. */
export const memberNames = (schema: unknown): readonly string[] =>
  objectsIn(schema).flatMap(({ definition }) => Object.keys(definition.shape ?? {}));

function objectsIn(schema: unknown): readonly { readonly path: string; readonly definition: Definition }[] {
  const found: { path: string; definition: Definition }[] = [];
  const seen = new Set<unknown>();
  const visit = (at: unknown, path: string): void => {
    const definition = definitionOf(at);
    if (!definition || seen.has(at)) return;
    seen.add(at);
    if (definition.type === 'object') {
      found.push({ path, definition });
      for (const [name, member] of Object.entries(definition.shape ?? {})) visit(member, `${path}/${name}`);
      return;
    }
    // Optional, array, union, pipe and the like: whatever schema they wrap.
    for (const part of Object.values(definition))
      for (const inner of Array.isArray(part) ? part : [part]) visit(inner, path);
  };
  visit(schema, '');
  return found;
}

/** The known name that was most likely meant. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, distance: distanceOf(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return best?.candidate;
}

/** Edits from one to the other: a letter more, less or other, or two swapped. */
function distanceOf(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3) return Infinity;
  let [before, last]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
