import { z } from 'zod';
import { invalid } from './problem.ts';

/** Cursors are opaque: what they hold may change, and one of another list or filter is refused rather than misread. */
export function encodePageCursor(list: string, position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([list, ...position]), 'utf8').toString('base64url');
}

/** Throws a problem when the cursor is not one of this list. */
export function decodePageCursor(list: string, cursor: string): readonly (string | number)[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(parsed) && parsed[0] === list) return parsed.slice(1) as (string | number)[];
  } catch {
    // Falls through: the same answer for everything that is not ours.
  }
  throw invalid([
    { parameter: 'cursor', detail: 'is not a cursor of this list; leave it out to begin at the first page' },
  ]);
}

export const MAX_PAGE = 200;

export const PageQuery = z.strictObject({
  /** Largest number of items, 1–200. */
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
  /** `nextCursor` of the page before. */
  cursor: z.string().max(2000).optional(),
});

export interface Page<T> {
  readonly items: readonly T[];
  /** Absent on the last page. */
  readonly nextCursor?: string;
}

/** Cuts a list that was read one longer than asked. */
export function pageOf<R, T>(
  rows: readonly R[],
  limit: number,
  item: (row: R) => T,
  cursorOf: (row: R) => string,
): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return {
    items: items.map(item),
    ...(rows.length > limit && last !== undefined ? { nextCursor: cursorOf(last) } : {}),
  };
}
