import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCounted } from '../container-group/counted-stop.ts';
import { allowanceOf, DEFAULT_MASS_DELETE_LIMITS, guardStops, type MassDeleteLimits } from './mass-delete-guard.ts';

const limits = DEFAULT_MASS_DELETE_LIMITS;

describe('the mass-delete guard', () => {
  it('counts what nobody was seen deleting', () => {
    expect(isCounted({ reason: 'Absent' })).toBe(true);
    expect(isCounted({ reason: 'Deleted', disruption: 'DeletionByTaintManager' })).toBe(true);
    expect(isCounted({ reason: 'ObjectGone', disruption: 'DeletionByPodGC' })).toBe(true);
  });

  it('does not count what somebody wished', () => {
    expect(isCounted({ reason: 'Deleted' })).toBe(false);
    expect(isCounted({ reason: 'ObjectGone' })).toBe(false);
    for (const disruption of ['EvictionByEvictionAPI', 'PreemptionByScheduler', 'TerminationByKubelet'])
      expect(isCounted({ reason: 'Deleted', disruption })).toBe(false);
  });

  it.each([
    // population, passed, asked, verdict
    [40, 0, 40, 'through'],
    [100, 0, 50, 'through'],
    [100, 0, 51, 'hold'],
    [100, 50, 1, 'hold'],
    [1000, 0, 200, 'through'],
    [1000, 0, 201, 'hold'],
    [1000, 199, 1, 'through'],
    [1000, 200, 1, 'hold'],
  ] as const)('of %i groups, with %i stopped and %i more asked for: %s', (population, passed, asked, verdict) => {
    expect(guardStops({ population, passed, asked, holding: false }, limits)).toMatchObject({
      verdict,
      fires: verdict === 'hold',
    });
  });

  it('holds everything counted once it holds', () => {
    const answer = guardStops({ population: 1000, passed: 0, asked: 1, holding: true }, limits);
    expect(answer).toMatchObject({ verdict: 'hold', fires: false });
  });

  it('never lets more through than it allows, nor holds what it allows, in whatever portions they come', () => {
    const anyLimits: fc.Arbitrary<MassDeleteLimits> = fc.record({
      percent: fc.integer({ min: 0, max: 100 }),
      count: fc.integer({ min: 0, max: 80 }),
      windowMs: fc.constant(300_000),
    });
    fc.assert(
      fc.property(
        anyLimits,
        fc.integer({ min: 0, max: 2000 }),
        fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 40 }),
        (given, population, portions) => {
          const allowance = allowanceOf(population, given);
          let passed = 0;
          let holding = false;
          let asked = 0;
          for (const portion of portions) {
            const answer = guardStops({ population, passed, asked: portion, holding }, given);
            asked += portion;
            if (answer.verdict === 'through') passed += portion;
            else holding = true;
            expect(passed).toBeLessThanOrEqual(allowance);
            // It holds only when all that was asked so far exceeds what is allowed.
            if (answer.fires) expect(asked).toBeGreaterThan(allowance);
            if (asked <= allowance) expect(answer.verdict).toBe('through');
            // Nothing counted passes after it fired.
            if (holding) expect(answer.verdict).toBe('hold');
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
