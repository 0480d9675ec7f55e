import type { Cursor } from './event-store.ts';

/** Before the first event of whatever log the store holds. */
export const BEGINNING: Cursor = { generation: 0, transactionId: '0', position: '0' };

/** The text is not a cursor of ours. */
export class InvalidCursor extends Error {
  override readonly name = 'InvalidCursor';

  constructor() {
    super('not a cursor: pass back exactly the text that an earlier page gave, or none to begin at the start');
  }
}

/** The cursor belongs to a log that was replaced by a restore; its reader must begin anew. */
export class CursorOfAnotherLog extends Error {
  override readonly name = 'CursorOfAnotherLog';
  readonly cursor: Cursor;

  constructor(cursor: Cursor, generation: number) {
    super(
      `the cursor belongs to log generation ${cursor.generation}, the log is now generation ${generation}: begin at the start`,
    );
    this.cursor = cursor;
  }
}

/** The cursor as opaque text for pages, event streams and feeds. */
export function encodeCursor({ generation, transactionId, position }: Cursor): string {
  return Buffer.from(`${generation}.${transactionId}.${position}`).toString('base64url');
}

/** @throws InvalidCursor for anything that `encodeCursor` did not make. */
export function decodeCursor(text: string): Cursor {
  const match = /^[A-Za-z0-9_-]{1,100}$/.test(text)
    ? /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,19})\.(0|[1-9]\d{0,18})$/.exec(Buffer.from(text, 'base64url').toString('latin1'))
    : null;
  if (!match) throw new InvalidCursor();
  const cursor = { generation: Number(match[1]), transactionId: match[2]!, position: match[3]! };
  // Stray bits would make two texts for one place; numbers that PostgreSQL cannot hold would fail later and unclearly.
  if (
    encodeCursor(cursor) !== text ||
    BigInt(cursor.transactionId) >= 2n ** 64n ||
    BigInt(cursor.position) >= 2n ** 63n
  ) {
    throw new InvalidCursor();
  }
  return cursor;
}

/** Negative when `a` comes before `b`, 0 when they are the same place. Only for cursors of one generation. */
export function compareCursors(a: Cursor, b: Cursor): number {
  return compare(BigInt(a.transactionId), BigInt(b.transactionId)) || compare(BigInt(a.position), BigInt(b.position));
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
