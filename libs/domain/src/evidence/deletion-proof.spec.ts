import { describe, expect, it } from 'vitest';
import {
  deletedOnceMore,
  evidenceOf,
  isUnvouchedForLong,
  lookForItAfterMs,
  missedOf,
  provesGone,
  whilePresent,
  wantsAnotherDelete,
  type Missed,
} from './deletion-proof.ts';

describe('a read that does not return a deleted group', () => {
  it.each([
    { shown: true, waitedMs: 0, proves: true },
    { shown: false, waitedMs: 59_999, proves: false },
    { shown: false, waitedMs: 60_000, proves: true },
  ])('beside another group, shown $shown, after $waitedMs ms: $proves', ({ proves, ...missed }) => {
    expect(provesGone({ ...missed, vouched: 'witness' })).toBe(proves);
  });

  it.each([
    { shown: true, waitedMs: 3_600_000, proves: false },
    { shown: true, deletedAgainMs: 0, waitedMs: 9_999, proves: false },
    { shown: true, deletedAgainMs: 0, waitedMs: 10_000, proves: true },
    { shown: true, deletedAgainMs: 5_000, waitedMs: 10_000, proves: false },
    { shown: false, deletedAgainMs: 0, waitedMs: 59_999, proves: false },
    { shown: false, deletedAgainMs: 60_000, waitedMs: 69_999, proves: false },
    { shown: false, deletedAgainMs: 60_000, waitedMs: 70_000, proves: true },
  ])(
    'where nothing else is to be seen, shown $shown, deleted again at $deletedAgainMs ms, after $waitedMs ms: $proves',
    ({ proves, ...missed }) => {
      expect(provesGone({ ...missed, vouched: 'nothing to see' })).toBe(proves);
    },
  );

  it.each([true, false])(
    'proves nothing, however long, where others should be seen and none is (shown %s)',
    (shown) => {
      expect(provesGone({ shown, vouched: 'nobody', deletedAgainMs: 0, waitedMs: 86_400_000 })).toBe(false);
    },
  );

  it('says in words what it rests on', () => {
    expect(evidenceOf({ shown: true, vouched: 'witness', waitedMs: 0 })).toContain('returned another group');
    expect(evidenceOf({ shown: true, vouched: 'nothing to see', waitedMs: 14_600 })).toContain('for 15 s');
  });
});

describe('a deleted group that is missing and not proven gone', () => {
  const read = { shown: true, vouched: 'nothing to see' } as const;
  const missed = (over: Partial<Missed> = {}): Missed => ({ ...read, waitedMs: 0, ...over });

  it('is deleted once more, again every ten seconds, and no more once the cloud accepted that', () => {
    expect(wantsAnotherDelete(missed())).toBe(true);
    expect(wantsAnotherDelete(missed({ deleteTriedMs: 0, waitedMs: 9_999 }))).toBe(false);
    expect(wantsAnotherDelete(missed({ deleteTriedMs: 0, waitedMs: 10_000 }))).toBe(true);
    expect(wantsAnotherDelete(missed({ deletedAgainMs: 0, deleteTriedMs: 0, waitedMs: 3_600_000 }))).toBe(false);
  });

  it('counts a delete as accepted only once the cloud must know the group', () => {
    expect(deletedOnceMore(missed({ waitedMs: 5 }), true)).toEqual({ deleteTriedMs: 5, deletedAgainMs: 5 });
    expect(deletedOnceMore(missed({ waitedMs: 5 }), false)).toEqual({ deleteTriedMs: 5 });
    expect(deletedOnceMore(missed({ waitedMs: 5, shown: false }), true)).toEqual({ deleteTriedMs: 5 });
  });

  it('is remembered by its row', () => {
    const row = { data: { missedMs: 20, deleteTriedMs: 10, deletedAgainMs: 10, presentMs: 7, other: 'x' } };
    expect(missedOf(row, read)).toEqual({ ...read, waitedMs: 20, deleteTriedMs: 10, deletedAgainMs: 10 });
    expect(missedOf({ data: {} }, read)).toEqual(missed());
  });

  it.each([
    ['soon', { shown: false }, 2_000],
    ['twice between two reads that count, when it was shown', {}, 5_000],
    ['seldom, when nobody vouched for long', { vouched: 'nobody', waitedMs: 60_000 }, 30_000],
    ['as before, when nobody vouched for less than that', { vouched: 'nobody', waitedMs: 59_999 }, 5_000],
  ] as const)('is looked for again %s', (_, over, afterMs) => {
    expect(lookForItAfterMs(missed(over))).toBe(afterMs);
    expect(isUnvouchedForLong(missed(over))).toBe(afterMs === 30_000);
  });
});

describe('a deleted group that is still there', () => {
  it.each([
    [0, false, 1_000],
    [15_000, false, 3_000],
    [120_000, false, 30_000],
    [120_001, true, 30_000],
  ])('after %i ms: deleted again %s, looked at again after %i ms', (presentMs, deleteAgain, lookAgainMs) => {
    expect(whilePresent(presentMs, false)).toEqual({ deleteAgain, lookAgainMs });
    expect(whilePresent(presentMs, true)).toEqual({ deleteAgain: false, lookAgainMs });
  });
});
