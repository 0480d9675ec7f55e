import { randomBytes } from 'node:crypto';
import type { SealedRunPod } from '#libs/contracts';
import { mapPod } from '#libs/kubernetes';
import { openEnvelope } from '#libs/messaging';
import { describe, expect, it } from 'vitest';
import { atLeast, atMost, milliseconds, percentile, rate, table } from './figures.ts';
import { WrongUsage } from '#libs/runtime';
import { BENCHES, readOptions } from './options.ts';
import { sealedIntent } from './sealed-intents.ts';

describe('options of the bench', () => {
  it('runs everything by default', () => {
    expect(readOptions({})).toEqual({ only: [...BENCHES], pods: undefined, profile: undefined });
  });

  it('takes benches in their own order and a number of pods', () => {
    expect(readOptions({ only: 'running,intents', pods: '50' })).toMatchObject({
      only: ['intents', 'running'],
      pods: 50,
    });
  });

  it.each([
    [{ only: 'speed' }, /--only knows .*intents, noisy, wire.*, not speed/],
    [{ pods: '0' }, /--pods must be a number/],
  ])('says what is wrong with %j', (given, message) => {
    expect(() => readOptions(given)).toThrow(WrongUsage);
    expect(() => readOptions(given)).toThrow(message);
  });
});

describe('the intent that benches send', () => {
  it('is of a pod that runs: one that is refused would be measured on a shorter way', async () => {
    const key = { kid: 'day', key: randomBytes(32) };
    const { key: messageKey, value } = await sealedIntent({ clusterId: 'k1', epoch: 1, key }, 1);

    const opened = await openEnvelope(value, messageKey, () => key.key);

    if (!opened.ok || opened.clear.body.kind !== 'RunPod') throw new Error('it is no RunPod');
    const { pod, resolved } = opened.clear.body;
    const sealed = opened.sealed as SealedRunPod;
    expect(mapPod({ accountId: 'a', pod, resolved, sealed })).toMatchObject({ ok: true });
  });
});

describe('figures', () => {
  it('takes percentiles by nearest rank', () => {
    const samples = Array.from({ length: 200 }, (_, index) => 200 - index);

    expect(percentile(samples, 0.5)).toBe(100);
    expect(percentile(samples, 0.99)).toBe(198);
    expect(percentile([7], 0.99)).toBe(7);
  });

  it('says beside a figure whether its aim was met', () => {
    const text = table('title', [
      { what: 'p50', value: milliseconds(61), aim: atMost(60, 61, milliseconds) },
      { what: 'pods', value: rate(81.2, 'pods'), aim: atLeast(50, 81.2, (v) => rate(v, 'pods')) },
    ]);

    expect(text).toBe('title\n  p50   61 ms   aim ≤ 60 ms: MISSED\n  pods  81.2 pods/s   aim ≥ 50.0 pods/s: met\n');
  });
});
