import { describe, expect, it } from 'vitest';
import { laneBucketOf } from './account-settings.ts';

describe('bucket of a lane', () => {
  it('saves up less than the cloud does, by what calls differ in their time on the way', () => {
    expect(laneBucketOf({ rate: 20, burst: 100 })).toEqual({ rate: 20, burst: 90 });
  });

  it('never less than half of it, and one call', () => {
    expect(laneBucketOf({ rate: 100, burst: 10 })).toEqual({ rate: 100, burst: 5 });
    expect(laneBucketOf({ rate: 1, burst: 1 })).toEqual({ rate: 1, burst: 1 });
  });
});
