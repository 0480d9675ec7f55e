import { describe, expect, it } from 'vitest';
import { isEvidence, vouchedBy } from './vouched.ts';

describe('who vouches for a read that lacks a group', () => {
  const empty = { shown: 0, isComplete: true, shouldShowSome: false };

  it.each([
    ['another that it returned', 1, undefined, 'witness'],
    ['nobody, when it is empty and the fleet was not listed', 0, undefined, 'nobody'],
    ['nobody, when the list shows what the read does not', 0, { ...empty, shown: 1 }, 'nobody'],
    ['nobody, when the list goes on', 0, { ...empty, isComplete: false }, 'nobody'],
    ['nobody, when others should be there', 0, { ...empty, shouldShowSome: true }, 'nobody'],
    ['that there is nothing to see', 0, empty, 'nothing to see'],
  ] as const)('%s', (_, shown, list, vouched) => {
    expect(vouchedBy(shown, list)).toBe(vouched);
  });
});

it('an empty list is evidence only where no group should be in it', () => {
  expect([isEvidence(0, 0), isEvidence(0, 1), isEvidence(1, 5)]).toEqual([true, false, true]);
});
