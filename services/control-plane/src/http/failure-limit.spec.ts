import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#libs/runtime';
import { countedAddress } from './caller-address.ts';
import { FailureLimit } from './failure-limit.ts';

describe('failures of a name', () => {
  it('are as many as a minute allows at once, and then as time forgives them', async () => {
    const clock = new VirtualClock();
    const limit = new FailureLimit({ perMinute: 6, clock });
    for (let i = 0; i < 6; i++) {
      expect(limit.mustWait('a')).toBeUndefined();
      limit.failed('a');
    }
    expect(limit.mustWait('a')).toBe(10);
    expect(limit.mustWait('b')).toBeUndefined();
    await clock.advance(10_000);
    expect(limit.mustWait('a')).toBeUndefined();
    limit.failed('a');
    expect(limit.mustWait('a')).toBe(10);
  });

  it('are never more than allowed in any minute after the first, and who waits as told may go on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 200 }), async (gaps) => {
        const clock = new VirtualClock();
        const start = clock.now();
        const limit = new FailureLimit({ perMinute: 10, clock });
        let failed = 0;
        for (const gap of gaps) {
          await clock.advance(gap);
          const wait = limit.mustWait('a');
          if (wait !== undefined) {
            await clock.advance(wait * 1_000);
            expect(limit.mustWait('a')).toBeUndefined();
          }
          limit.failed('a');
          failed += 1;
        }
        expect(failed).toBeLessThanOrEqual(10 + ((clock.now() - start) / 60_000) * 10 + 1e-6);
      }),
      { numRuns: 50 },
    );
  });

  it('count all when many are let in at the same moment, so that they are no more on the average', async () => {
    const clock = new VirtualClock();
    const start = clock.now();
    const limit = new FailureLimit({ perMinute: 10, clock });
    let failed = 0;
    // given fifteen callers who all ask before the first of them is refused, whenever one may
    while (clock.now() - start < 3_600_000) {
      const admitted = Array.from({ length: 15 }, () => limit.mustWait('a')).filter(
        (wait) => wait === undefined,
      ).length;
      for (let i = 0; i < admitted; i++) limit.failed('a');
      failed += admitted;
      await clock.advance(1_000);
      expect(limit.mustWait('a') ?? 0).toBeLessThanOrEqual(120);
    }
    expect(failed).toBeLessThanOrEqual(10 * 60 + 10 + 15);
  });

  it('are forgotten of those that failed longest ago when there are too many names', () => {
    const limit = new FailureLimit({ perMinute: 1, clock: new VirtualClock() });
    for (let i = 0; i < 10_001; i++) limit.failed(`n${i}`);
    expect(limit.mustWait('n0')).toBeUndefined();
    expect(limit.mustWait('n1')).toBe(60);
    expect(limit.mustWait('n10000')).toBe(60);
  });
});

describe('the address that is counted', () => {
  it.each([
    ['10.0.0.7', '10.0.0.7'],
    ['::ffff:10.0.0.7', '10.0.0.7'],
    ['::1', '0:0:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8::9', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['unknown', 'unknown'],
  ])('of %s is %s', (address, counted) => {
    expect(countedAddress(address)).toBe(counted);
  });
});
