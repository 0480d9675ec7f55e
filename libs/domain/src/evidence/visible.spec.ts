import { describe, expect, it } from 'vitest';
import { isWorthWaitingFor, isYoung, mustKnow, notFoundProvesGone, VISIBLE_AFTER_MS } from './visible.ts';

describe('a group that exists', () => {
  it('must be known to the cloud once it was shown, or after a minute', () => {
    expect(mustKnow({ shown: true, waitedMs: 0 })).toBe(true);
    expect(mustKnow({ shown: false, waitedMs: VISIBLE_AFTER_MS - 1 })).toBe(false);
    expect(mustKnow({ shown: false, waitedMs: VISIBLE_AFTER_MS })).toBe(true);
  });

  it('may be missing from a list for a minute', () => {
    expect([isYoung(-3_600_000), isYoung(59_999), isYoung(60_000)]).toEqual([true, true, false]);
  });

  it('is waited for some seconds before its delete, unless it was shown', () => {
    expect(isWorthWaitingFor({ shown: false, waitedMs: 4_999 })).toBe(true);
    expect(isWorthWaitingFor({ shown: false, waitedMs: 5_000 })).toBe(false);
    expect(isWorthWaitingFor({ shown: true, waitedMs: 0 })).toBe(false);
  });
});

describe('NotFound to a delete', () => {
  it('proves that a group is gone that the cloud knew, and of another only that it is not known yet', () => {
    expect(notFoundProvesGone(true, 0)).toBe(true);
    expect(notFoundProvesGone(false, 59_999)).toBe(false);
    expect(notFoundProvesGone(false, 60_000)).toBe(true);
  });
});
