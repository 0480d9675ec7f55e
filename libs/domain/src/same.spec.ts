import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical, same } from './same.ts';

describe('canonical text', () => {
  it('does not depend on the order of keys, and reads back as the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const turned = JSON.parse(canonical(value), (_, inside: unknown) =>
          inside !== null && typeof inside === 'object' && !Array.isArray(inside)
            ? Object.fromEntries(Object.entries(inside).reverse())
            : inside,
        ) as unknown;
        expect(canonical(turned)).toBe(canonical(value));
        // JSON has no minus zero.
        expect(JSON.parse(canonical(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('is what digests were made of', () => {
    const value = { b: [1, undefined, { d: 'ä', c: null }], a: undefined, Z: '"', 10: true, 9: [] };

    expect(canonical(value)).toBe('{"10":true,"9":[],"Z":"\\"","b":[1,null,{"c":null,"d":"ä"}]}');
    expect(canonical(undefined)).toBe('null');
    expect(same({ a: 1, b: undefined }, { a: 1 })).toBe(true);
  });
});
