import { describe, expect, it } from 'vitest';
import { drawRandomBytes } from './random-bytes.ts';

describe('random bytes from a pool', () => {
  it('are as many as were asked for, and never the same twice, over many refills', () => {
    // when
    const drawn = Array.from({ length: 5_000 }, (_, index) => drawRandomBytes(12 + (index % 21)));

    // then
    expect(drawn.map(({ length }) => length)).toEqual(drawn.map((_, index) => 12 + (index % 21)));
    expect(new Set(drawn.map((bytes) => bytes.toString('hex'))).size).toBe(drawn.length);
  });

  it('stay what they were when more are drawn: nobody else holds their memory', () => {
    // given
    const first = drawRandomBytes(32);
    const before = first.toString('hex');

    // when
    for (let i = 0; i < 1_000; i++) drawRandomBytes(32).fill(0);

    // then
    expect(first.toString('hex')).toBe(before);
    expect(first.some((byte) => byte !== 0)).toBe(true);
  });

  it('every bit is as often set as not', () => {
    // given
    const bytes = Buffer.concat(Array.from({ length: 2_000 }, () => drawRandomBytes(64)));

    // when
    const set = Array.from({ length: 8 }, (_, bit) => bytes.filter((byte) => byte & (1 << bit)).length / bytes.length);

    // then: 128,000 draws; six standard deviations are 0.0084
    for (const share of set) expect(Math.abs(share - 0.5)).toBeLessThan(0.0084);
  });

  it('more than the pool holds is refused', () => {
    expect(() => drawRandomBytes(8_193)).toThrow(RangeError);
  });
});
