import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isShallow, isStorable, isStorableJson } from './storable.ts';

const depthOf = (value: unknown): number =>
  typeof value !== 'object' || value === null
    ? 0
    : 1 + Math.max(0, ...Object.values(value as object).map((inside) => depthOf(inside)));

/** Every text and key. */
const textsOf = (value: unknown): string[] =>
  typeof value === 'string'
    ? [value]
    : typeof value !== 'object' || value === null
      ? []
      : Object.entries(value).flatMap(([key, inside]) => [...(Array.isArray(value) ? [] : [key]), ...textsOf(inside)]);

const odd = fc.constantFrom('\0', '\ud800', '\udfff', '\\u0000', '\\\\ud800', '\\', '𝄞', '{[', '"]');
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', maxDepth: 8 },
    fc.oneof(odd, fc.string({ unit: 'binary' }), fc.integer()),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(odd, fc.string()), tie('value'), { maxKeys: 3 }),
  ),
})).value;

describe('JSON that can be stored', () => {
  it('holds only texts that can be', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(isStorableJson(JSON.stringify(value))).toBe(textsOf(value).every(isStorable));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is as deep as it is, whatever its texts look like', () => {
    fc.assert(
      fc.property(json, (value) => {
        const depth = depthOf(value);
        expect(isShallow(JSON.stringify(value), depth)).toBe(true);
        if (depth > 0) expect(isShallow(JSON.stringify(value), depth - 1)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});
