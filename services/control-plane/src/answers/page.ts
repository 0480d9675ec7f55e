import { z } from 'zod';
import { identifier } from '#libs/contracts';
import { invalid } from './refusal.ts';

type Position = readonly (string | number)[];

/**
 * The cursors of one list. They are opaque: what they hold may change, and one of another list or of another shape is refused rather than
 * misread. That they are ours is seen at the rim, where they are signed; `position` lets nothing through that the database cannot read all the same.
 */
export class PageCursor<P extends Position> {
  private readonly list: string;
  private readonly position: z.ZodType<P>;

  constructor(list: string, position: z.ZodType<P>) {
    this.list = list;
    this.position = position;
  }

  encode(position: P): string {
    return Buffer.from(JSON.stringify([this.list, ...position]), 'utf8').toString('base64url');
  }

  /** Refuses everything that {@link encode} did not make. */
  decode(cursor: string): P {
    const { data } = this.position.safeParse(this.parts(cursor));
    if (data !== undefined && this.encode(data) === cursor) return data;
    throw invalid([
      { parameter: 'cursor', detail: 'is not a cursor of this list; leave it out to begin at the first page' },
    ]);
  }

  private parts(cursor: string): unknown {
    try {
      const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
      return Array.isArray(parsed) && parsed[0] === this.list ? parsed.slice(1) : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Names and ids in cursors: whatever PostgreSQL may be asked for. */
export const idPosition = identifier(400);

/** A bigint of PostgreSQL above 0, as text. */
export const bigintPosition = z
  .string()
  // One check: the second half cannot read what the first refuses.
  .refine((digits) => /^[1-9]\d{0,18}$/.test(digits) && BigInt(digits) < 2n ** 63n);

/** 9999-12-31T23:59:59.999Z: years that every reader of ISO 8601 understands. */
const LAST_MS = 253_402_300_799_999;

/** Epoch milliseconds. */
export const timePosition = z.int().min(0).max(LAST_MS);

/** The same as ISO 8601 UTC, with milliseconds. */
export const isoPosition = z.string().refine((text) => {
  const at = Date.parse(text);
  return at >= 0 && at <= LAST_MS && new Date(at).toISOString() === text;
});

const MAX_PAGE = 200;

export const PageQuery = z.strictObject({
  /** Largest number of items, 1–200. */
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
  /** `nextCursor` of the page before. */
  cursor: z.string().max(2000).optional(),
});

interface Page<T> {
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
