/**
 * An answer without what the two stores may do differently: the numbers inside cursors, the class that holds bytes, and the order of rows where no
 * order is promised.
 */
export function comparable(answer: unknown): unknown {
  if (answer instanceof Uint8Array) return [...answer];
  if (answer instanceof Map) return [...(answer as Map<string, unknown>)].map(comparable).sort(byText);
  if (answer instanceof Set) return [...(answer as Set<unknown>)].map(comparable).sort(byText);
  if (Array.isArray(answer)) return answer.map(comparable);
  if (typeof answer !== 'object' || answer === null) return answer;
  return Object.fromEntries(
    Object.entries(answer)
      .filter(([key, value]) => key !== 'cursor' && key !== 'next' && value !== undefined)
      .map(([key, value]) => [key, comparable(value)]),
  );
}

/** For rows that are answered in no promised order. */
export function inAnyOrder(rows: readonly unknown[]): readonly unknown[] {
  return [...rows].sort(byText);
}

function byText(a: unknown, b: unknown): number {
  const [left, right] = [JSON.stringify(comparable(a)), JSON.stringify(comparable(b))];
  return left < right ? -1 : left > right ? 1 : 0;
}
