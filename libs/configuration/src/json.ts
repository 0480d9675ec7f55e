import { z } from 'zod';

/** Of a text that is JSON; undefined: it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** JSON of a shape; faults say where they are, as `$.0.id`. */
export function json<T extends z.ZodType>(shape: T) {
  return z.string().transform((text, context): z.output<T> => {
    const parsed = shape.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues.flatMap(deepest))
      context.addIssue({ code: 'custom', message: `${['$', ...path].join('.')}: ${message}` });
    return z.NEVER;
  });
}

/** Of a value that may be one of several things: what is wrong with the one that it resembles most. */
function deepest(issue: z.core.$ZodIssue): readonly { path: readonly PropertyKey[]; message: string }[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const nested = issue.errors
    .map((some) => some.flatMap((each) => deepest({ ...each, path: [...issue.path, ...each.path] })))
    .sort((a, b) => Math.max(...b.map(({ path }) => path.length)) - Math.max(...a.map(({ path }) => path.length)));
  return nested[0] ?? [issue];
}
