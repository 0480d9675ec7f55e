import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BEGINNING, compareCursors, decodeCursor, encodeCursor, InvalidCursor } from './cursor.ts';

describe('cursors as text', () => {
  it('come back as they were', () => {
    const cursor = fc.record({
      generation: fc.integer({ min: 0, max: 1_000_000 }),
      transactionId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
      position: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
    });
    fc.assert(fc.property(cursor, (c) => void expect(decodeCursor(encodeCursor(c))).toEqual(c)));
    expect(decodeCursor(encodeCursor(BEGINNING))).toEqual(BEGINNING);
  });

  it.each([
    '',
    'x',
    'MS4y',
    '%%%',
    encodeCursor(BEGINNING) + 'A',
    Buffer.from('1.02.3').toString('base64url'),
    Buffer.from('1.2.99999999999999999999').toString('base64url'),
    'A'.repeat(500),
  ])('are refused when they are not ours: %j', (text) => {
    expect(() => decodeCursor(text)).toThrow(InvalidCursor);
  });

  it('are refused, or are ours, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(encodeCursor(decodeCursor(text))).toBe(text);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidCursor);
        }
      }),
    );
  });

  it('are compared as numbers', () => {
    const at = (transactionId: string, position: string) => ({ generation: 1, transactionId, position });
    expect(compareCursors(at('9', '5'), at('10', '1'))).toBeLessThan(0);
    expect(compareCursors(at('10', '11'), at('10', '9'))).toBeGreaterThan(0);
    expect(compareCursors(at('10', '9'), at('10', '9'))).toBe(0);
  });
});
