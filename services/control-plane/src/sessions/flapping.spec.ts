import { describe, expect, it } from 'vitest';
import { isFlapping } from './flapping.ts';

describe('flapping', () => {
  it.each([
    [[], false],
    [['b'], false],
    // A rolling update, and one more.
    [['b', 'c'], false],
    // a had it, b took it, a took it back: one of them may just have been late.
    [['b', 'a'], false],
    // And b once more: neither gives way.
    [['b', 'a', 'b'], true],
    // Two agents with a new id at each restart.
    [['b1', 'a2', 'b2', 'a3'], true],
  ])('%j: %s', (takers, flapping) => {
    expect(isFlapping(takers)).toBe(flapping);
  });
});
