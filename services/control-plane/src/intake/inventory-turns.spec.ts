import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InventoryTurns } from './inventory-turns.ts';

describe('turns of inventories', () => {
  it('begin for whoever has not been answered yet', () => {
    const turns = new InventoryTurns();
    turns.ended('k1', { began: 0, now: 1_000 });

    expect(turns.mayBegin('k1', 1_000)).toBe(false);
    expect(turns.mayBegin('k2', 1_000)).toBe(true);
  });

  it.each([
    { tookMs: 0, restMs: 0 },
    { tookMs: 100, restMs: 900 },
    { tookMs: 3_600_000, restMs: 60_000 },
  ])('rest $restMs ms after an answer of $tookMs ms', ({ tookMs, restMs }) => {
    const turns = new InventoryTurns();
    turns.ended('k1', { began: 0, now: tookMs });

    if (restMs > 0) expect(turns.mayBegin('k1', tookMs + restMs - 1)).toBe(false);
    expect(turns.mayBegin('k1', tookMs + restMs)).toBe(true);
  });

  it('leave nine tenths of the time to others, however often a cluster sends, unless one answer takes very long', () => {
    const moments = fc.array(fc.record({ later: fc.nat(2_000), tookMs: fc.nat(6_000) }), { minLength: 1 });
    fc.assert(
      fc.property(moments, (all) => {
        const turns = new InventoryTurns();
        let now = 0;
        let busy = 0;
        let last = 0;
        for (const { later, tookMs } of all) {
          now += later;
          if (!turns.mayBegin('k1', now)) continue;
          // Before this one begins, the former ones have had their rest.
          expect(busy * 10).toBeLessThanOrEqual(now);
          const began = now;
          now += tookMs;
          busy += tookMs;
          last = tookMs;
          turns.ended('k1', { began, now });
        }
        expect((busy - last) * 10).toBeLessThanOrEqual(now);
      }),
    );
  });

  it('do not wait for a time that a clock set back has put far away', () => {
    const turns = new InventoryTurns();
    turns.ended('k1', { began: 7_200_000, now: 7_201_000 });
    expect(turns.mayBegin('k1', 3_600_000)).toBe(true);

    turns.ended('k1', { began: 7_200_000, now: 3_600_000 });
    expect(turns.mayBegin('k1', 3_600_000)).toBe(true);
  });
});
