import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cleanJson,
  cleanText,
  cutText,
  identifier,
  isStorable,
  podUid,
  REPLACEMENT,
  text,
  unstorablePlace,
} from './text.ts';

const anyText = fc.string({ unit: 'binary' });
const oddText = fc.oneof(
  anyText,
  fc.constantFrom('\0', 'a\0b', '\ud800', '\udc00x', '\udc00\ud800', '😀', '\\u0000', ''),
);
/** As it came over a wire: JSON has no minus zero. */
const anyJson = fc.jsonValue({ stringUnit: 'binary' }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

/** What cleaning makes of a part whose own parts are cleaned. */
const cleanedPart = (part: unknown): unknown =>
  typeof part === 'string'
    ? cleanText(part)
    : typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).map(([key, value]) => [cleanText(key), value]))
      : part;

describe('text from outside', () => {
  it('is storable exactly when it survives as UTF-8 without U+0000', () => {
    fc.assert(
      fc.property(oddText, (given) => {
        const survives = Buffer.from(given, 'utf8').toString('utf8') === given && !given.includes('\0');
        expect(isStorable(given)).toBe(survives);
        expect(text(1_000_000).safeParse(given).success).toBe(survives);
      }),
    );
  });

  it('is cleaned into something storable, marked, and left alone when nothing is wrong', () => {
    fc.assert(
      fc.property(oddText, (given) => {
        const result = cleanText(given);
        expect(isStorable(result)).toBe(true);
        expect(result).toHaveLength(given.length);
        if (isStorable(given)) expect(result).toBe(given);
        else expect(result).toContain(REPLACEMENT);
      }),
    );
  });

  it('is cut without making halves of pairs, and says that it was', () => {
    fc.assert(
      fc.property(oddText.map(cleanText), fc.nat(20), (given, max) => {
        const result = cutText(given, max + 1);
        expect(isStorable(result)).toBe(true);
        expect(result.length).toBeLessThanOrEqual(max + 1);
        if (given.length <= max + 1) expect(result).toBe(given);
        else expect(result.endsWith('…')).toBe(true);
      }),
    );
    expect(cutText('a😀b', 3)).toBe('a…');
    expect(cutText('😀😀', 2, '')).toBe('😀');
  });

  it('is cleaned anywhere in any JSON', () => {
    fc.assert(
      fc.property(anyJson, (given) => {
        const result = cleanJson(given);
        expect(unstorablePlace(result)).toBeUndefined();
        if (unstorablePlace(given) === undefined) expect(result).toBe(given);
      }),
    );
  });

  it('names the place of what cannot be kept', () => {
    expect(unstorablePlace({ spec: { containers: [{ args: ['fine', 'a\0b'] }] } })).toEqual([
      'spec',
      'containers',
      0,
      'args',
      1,
    ]);
    expect(unstorablePlace({ fine: 1, 'a\0b': 'x' })).toEqual([`a${REPLACEMENT}b`]);
    expect(unstorablePlace({ fine: ['x', null, true, 2] })).toBeUndefined();
  });

  it('names it however deep it lies, without paying for the way down to each place', () => {
    const deep = 200_000;
    const nested = (inner: string): unknown => JSON.parse(`${'['.repeat(deep)}${inner}${']'.repeat(deep)}`);
    expect(unstorablePlace(nested('"\\u0000"'))).toHaveLength(deep);
    expect(unstorablePlace(nested('1'))).toBeUndefined();
  });

  it('is cleaned however deep it lies', () => {
    const deep = 20_000;
    const nested = (inner: string): unknown =>
      JSON.parse(`${'[{"a":'.repeat(deep)}${inner}${'}]'.repeat(deep)}`) as unknown;
    const text = (value: unknown): string => {
      let at = value;
      while (typeof at === 'object') at = Array.isArray(at) ? at[0] : (at as { a: unknown }).a;
      return at as string;
    };
    expect(text(cleanJson(nested('"x\\u0000"')))).toBe(`x${REPLACEMENT}`);
    const fine = nested('"x"');
    expect(cleanJson(fine)).toBe(fine);
  });

  it('keeps its shape and all that was fine when something beside it is cleaned', () => {
    fc.assert(
      fc.property(anyJson, (given) => {
        const [odd, kept] = cleanJson(['\0', given] as const);
        expect(odd).toBe(REPLACEMENT);
        expect(kept).toEqual(JSON.parse(JSON.stringify(given), (_, part: unknown) => cleanedPart(part)));
      }),
    );
    const proto = JSON.parse('{"__proto__":{"a":"\\u0000"},"b":[]}') as object;
    expect(JSON.stringify(cleanJson(proto))).toBe(`{"__proto__":{"a":"${REPLACEMENT}"},"b":[]}`);
  });

  it('cannot be a UID or an identifier when it holds what a line, a header or a key cannot', () => {
    for (const bad of ['', 'a\0', 'a\nb', 'a b', '../x', 'ü', 'x'.repeat(65)])
      expect(podUid.safeParse(bad).success).toBe(false);
    expect(podUid.safeParse('7f6b0d3e-0d3e-4a4e-8f5e-000000000000').success).toBe(true);
    for (const bad of ['', 'a\0', 'a\nb', 'a\u0085b', '\ud800', 'x'.repeat(11)])
      expect(identifier(10).safeParse(bad).success).toBe(false);
    expect(identifier(10).safeParse('prod-ü 1').success).toBe(true);
  });
});
