import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClusterBudgets, DEFAULT_CLUSTER_BUDGET, type Cost } from './cluster-budgets.ts';

const RATE = 10;
const SAVED = 60 * RATE;
const HOUR_MS = 3_600_000;
const budgets = (): ClusterBudgets => new ClusterBudgets({ messagesPerSecond: RATE, bytesPerSecond: 1_000_000 });

const pod = (bytes: number, sentAt = 1e12): Cost => ({ bytes, isInventory: false, sentAt });
const part = (bytes: number, sentAt = 1e12): Cost => ({ bytes, isInventory: true, sentAt });

/** Sends messages of 100 bytes in one batch; returns how many were admitted. */
function batch(of: ClusterBudgets, now: number, sentAt: readonly number[], clusterId = 'k1'): number {
  const allowance = of.begin(now);
  return sentAt.filter((at) => allowance.admit(clusterId, pod(100, at))).length;
}

describe('what a cluster may send', () => {
  it('is never more than was saved up and time has brought, however the messages come and whatever time they claim', () => {
    const step = fc.record({
      passesMs: fc.integer({ min: 0, max: 20_000 }),
      claims: fc.array(fc.integer({ min: -HOUR_MS * 30, max: HOUR_MS * 30 }), { maxLength: 400 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const of = budgets();
        let now = 1e12;
        let admitted = 0;
        for (const { passesMs, claims } of steps) {
          now += passesMs;
          admitted += batch(
            of,
            now,
            claims.map((offset) => now + offset),
          );
        }
        const seconds = (now - 1e12 + HOUR_MS) / 1_000;
        expect(admitted).toBeLessThanOrEqual(SAVED + RATE * seconds);
      }),
    );
  });

  it('is all that is honest: an hour that nobody read, within the budget, is admitted at once', () => {
    const of = budgets();
    const now = 1e12;
    const sent = Array.from({ length: 3_600 * RATE }, (_, n) => now - HOUR_MS + (n * 1_000) / RATE);
    let admitted = 0;
    for (let from = 0; from < sent.length; from += 500) admitted += batch(of, now, sent.slice(from, from + 500));
    expect(admitted).toBe(sent.length);
  });

  it('does not shrink by what others send, nor by batches that fail and come again, nor grow by batches at the same time', () => {
    const of = budgets();
    batch(of, 1e12, Array<number>(5_000).fill(1e12), 'noisy');
    for (let i = 0; i < 100; i++) {
      const failing = of.begin(1e12);
      for (let n = 0; n < 100; n++) failing.admit('k1', pod(100));
      failing.giveBack();
    }
    expect(of.room('k1', 1e12)).toBe(SAVED);
    const [one, other] = [of.begin(1e12), of.begin(1e12)];
    const both = Array.from({ length: SAVED }, () => [one, other].filter((each) => each.admit('k1', pod(100))).length);
    expect(both.reduce((sum, each) => sum + each, 0)).toBe(SAVED);
    expect(of.room('noisy', 1e12)).toBe(0);
    expect(of.room('noisy', 1e12 + 1_000)).toBe(RATE);
  });

  it.each([
    ['messages', 1],
    ['bytes', 10_000_000],
  ])('ends by its %s, and one message may be larger than all that is saved up', (_, bytes) => {
    const of = new ClusterBudgets({ messagesPerSecond: 1, bytesPerSecond: 100_000 });
    const allowance = of.begin(1e12);
    expect(allowance.admit('k1', pod(bytes))).toBe(true);
    for (let n = 0; n < 60; n++) allowance.admit('k1', pod(bytes));
    expect(allowance.admit('k1', pod(bytes))).toBe(false);
    expect(of.room('k1', 1e12)).toBe(0);
  });

  it('is small for inventories, and leaves all the rest to pods', () => {
    const of = new ClusterBudgets(DEFAULT_CLUSTER_BUDGET);
    const allowance = of.begin(1e12);
    const admitted = (sent: Cost): number => {
      let times = 0;
      while (times < 10_000 && allowance.admit('k1', sent)) times += 1;
      return times;
    };
    // as many pods at once as a cluster can have
    expect(admitted(part(900_000))).toBe(18);
    expect(allowance.admit('k1', part(100))).toBe(false);
    expect(admitted(pod(5_000))).toBe(10_000);
    // the next one in five minutes
    const later = of.begin(1e12 + 300_000);
    for (let n = 0; n < 17; n++) expect(later.admit('k1', part(900_000, 1e12 + 300_000))).toBe(true);
    // and who sends large ones without end is read once in ten seconds, for each of them keeps everybody waiting
    let read = 0;
    for (let at = 1e12 + 301_000; at < 1e12 + 400_000; at += 100)
      if (of.begin(at).admit('k1', part(900_000, at))) read += 1;
    expect(read).toBeGreaterThan(8);
    expect(read).toBeLessThan(12);
  });

  it('counts a small part of an inventory for what its statements cost', () => {
    const allowance = new ClusterBudgets(DEFAULT_CLUSTER_BUDGET).begin(1e12);
    let times = 0;
    while (times < 10_000 && allowance.admit('k1', part(300))) times += 1;
    expect(times).toBeLessThan(1_000);
  });

  it('gives back what inventories of a failed batch took', () => {
    const of = new ClusterBudgets(DEFAULT_CLUSTER_BUDGET);
    for (let i = 0; i < 100; i++) {
      const failing = of.begin(1e12);
      expect(failing.admit('k1', part(900_000))).toBe(true);
      failing.giveBack();
    }
  });
});
