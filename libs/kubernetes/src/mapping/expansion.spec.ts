import { describe, expect, it } from 'vitest';
import { expand } from './expansion.ts';

describe('expansion of $(VAR)', () => {
  const values: Record<string, string> = { A: 'a', B: '$(A)', EMPTY: '' };

  // Expected values are those of Kubernetes' own expansion (its documentation and tests).
  it.each([
    ['$(A)', 'a'],
    ['x$(A)y$(A)', 'xaya'],
    ['$(B)', '$(A)'],
    ['$(EMPTY)', ''],
    ['$(MISSING)', '$(MISSING)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$a'],
    ['$$$$(A)', '$$(A)'],
    ['$A', '$A'],
    ['$(A', '$(A'],
    ['$', '$'],
    ['a$', 'a$'],
    ['$$', '$'],
    ['$()', '$()'],
    ['$($(A)', '$($(A)'],
    ['f00-$(A))', 'f00-a)'],
    ['', ''],
  ])('%j becomes %j', (input, expected) => {
    expect(expand(input, (name) => values[name])).toBe(expected);
  });
});
