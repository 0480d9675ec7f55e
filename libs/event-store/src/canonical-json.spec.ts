import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.ts';

/** What either says: the text, or that there is none. */
function said(by: (value: unknown) => string | undefined, value: unknown): string {
  try {
    return by(value) ?? 'refused';
  } catch {
    return 'refused';
  }
}

describe('canonical JSON', () => {
  it('says what the package says, of anything', () => {
    const key = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme', maxLength: 3 }),
      fc.constantFrom('10', '9', '0', '-1', '\\ud800', 'toJSON', '__proto__', 'ö', 'z', '\ufb33'),
    );
    const value = fc.anything({
      key,
      withDate: true,
      withNullPrototype: true,
      withBoxedValues: true,
      withSparseArray: true,
      values: [
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.double(),
          fc.boolean(),
          fc.constantFrom(null, undefined, '\ud83d', '\udead', -0, 1e21, 1e-7, NaN, Infinity),
        ),
      ],
    });
    fc.assert(
      fc.property(value, (it) => {
        expect(said(canonicalJson, it)).toBe(said(canonicalize, it));
      }),
      {
        numRuns: 500,
      },
    );
  });

  it('leaves the value as it was', () => {
    const value = { b: [{ d: 1, c: 2 }], a: null };

    expect(canonicalJson(value)).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
    expect(JSON.stringify(value)).toBe('{"b":[{"d":1,"c":2}],"a":null}');
  });

  it('refuses circles', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;

    expect(() => canonicalJson(circle)).toThrow(/circular/i);
  });
});
