import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EffectRow } from '../../src/event-store.ts';
import { event, put, type StoreUnderTest } from './under-test.ts';

export function quotaContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a keeper of quotas`, () => {
    let under: StoreUnderTest;
    beforeEach(async () => void (under = await make()));
    afterEach(() => under.close());

    const claim = (claimId: string, more: { max?: number; leaseMs?: number } = {}): Promise<readonly EffectRow[]> =>
      under.effects.claim({ lane: 'lane', kinds: ['Place'], max: 10, leaseMs: 10_000, claimId, ...more });
    const fill = async (count: number): Promise<void> => {
      await under.store.append(
        Array.from({ length: count }, (_, i) => ({
          streamId: `s:${i}`,
          expected: 0,
          events: [event()],
          effects: [put('a', { tenant: `c${i % 3}` })],
        })),
      );
    };

    it('gives at most what is saved up, then 0.98 of the rate', async () => {
      await fill(100);
      await under.effects.configureLane('lane', { rate: 10, burst: 20 });

      const sizes: number[] = [];
      for (let i = 0; i < 3; i++) sizes.push((await claim('w', { max: 100 })).length);
      // A second's worth at a time.
      expect(sizes).toEqual([10, 10, 0]);

      await under.advance(1_000);
      // 9.8 tokens came back.
      expect(await claim('w', { max: 100 })).toHaveLength(9);
      await under.advance(21);
      expect(await claim('w', { max: 100 })).toHaveLength(1);
    });

    it('shares one lane among three workers without losing or adding a token', async () => {
      await fill(100);
      await under.effects.configureLane('lane', { rate: 7, burst: 40 });

      const claimed: string[] = [];
      await Promise.all(
        ['w1', 'w2', 'w3'].map(async (worker) => {
          for (;;) {
            const rows = await claim(worker, { max: 7 });
            if (rows.length === 0) return;
            claimed.push(...rows.map((r) => r.streamId));
          }
        }),
      );

      expect(claimed).toHaveLength(40);
      expect(new Set(claimed).size).toBe(40);
    });

    it('takes no token for what is not there', async () => {
      await fill(3);
      await under.effects.configureLane('lane', { rate: 5, burst: 5 });
      expect(await claim('w', { max: 5 })).toHaveLength(3);
      expect(await claim('w', { max: 5 })).toHaveLength(0);

      await under.store.append([{ streamId: 't:1', expected: 0, events: [event()], effects: [put('a'), put('b')] }]);

      expect(await claim('w', { max: 5 })).toHaveLength(2);
    });

    it('gets a token back for a call that was not made', async () => {
      await fill(3);
      await under.effects.configureLane('lane', { rate: 1, burst: 1 });
      const [row] = await claim('w');
      expect(await claim('w')).toEqual([]);

      await under.effects.release({ ...row!, afterMs: 0, notSent: true, refundToken: true });

      expect(await claim('w')).toHaveLength(1);
    });

    it('gives nothing back for a claim that was lost, and never more than can be saved up', async () => {
      await fill(4);
      await under.effects.configureLane('lane', { rate: 1, burst: 2 });
      const [lost] = await claim('w', { max: 1, leaseMs: 1 });
      await claim('w', { max: 1 });
      expect(
        await under.effects.release({ ...lost!, claimId: 'x', afterMs: 0, notSent: true, refundToken: true }),
      ).toBe(false);
      expect(await claim('w')).toEqual([]);

      await under.advance(60_000);
      await under.effects.release({ ...lost!, afterMs: 0, notSent: true, refundToken: true });
      expect([await claim('w'), await claim('w'), await claim('w')].map((rows) => rows.length)).toEqual([1, 1, 0]);
    });

    it('slows down by 0.85 once a second when throttled, and recovers by 0.03 of the rate a second', async () => {
      await fill(3000);
      await under.effects.configureLane('lane', { rate: 1000, burst: 2000 });
      await claim('w', { max: 1000 });
      for (let i = 0; i < 4; i++) await under.effects.laneThrottled('lane');
      expect(await claim('w', { max: 1 })).toEqual([]);

      await under.advance(1_000);
      const slower = (await claim('w', { max: 1000 })).length;
      for (let i = 0; i < 4; i++) await under.effects.laneAccepted('lane');
      await under.advance(1_000);
      const better = (await claim('w', { max: 1000 })).length;

      // 1000 × 0.98 × 0.85, then × 0.88.
      expect([slower, better]).toEqual([833, 862]);
    });

    it('keeps what is saved up when the lane is configured again', async () => {
      await fill(10);
      await under.effects.configureLane('lane', { rate: 1, burst: 4 });
      for (let i = 0; i < 4; i++) await claim('w', { max: 1 });

      await under.effects.configureLane('lane', { rate: 1, burst: 4 });
      await under.effects.configureLane('lane', { rate: 1, burst: 8 });

      expect(await claim('w')).toEqual([]);
    });
  });
}
