import { describe, expect, it } from 'vitest';
import { DEFAULT_PRICES, hourlyCost, sumOfCosts } from './hourly-cost.ts';

describe('what a container group costs in an hour', () => {
  it('is its size times the list price of its region', () => {
    expect(hourlyCost({ spec: '2-4Gi', cpu: 2, memoryGiB: 4 }, 'cn-hangzhou')).toMatchObject({
      kind: 'estimated',
      perHour: 0.4411,
      currency: 'CNY',
    });
    expect(hourlyCost({ cpu: 2, memoryGiB: 4 }, 'eu-central-1')).toMatchObject({ perHour: 0.0693, currency: 'USD' });
    expect(hourlyCost({ cpu: 1, memoryGiB: 1 }, 'cn-hongkong')).toMatchObject({ currency: 'USD' });
  });

  it('follows the prices that are set, the first that fits', () => {
    const prices = [{ regions: 'cn-beijing', currency: 'EUR', vCpuHour: 1, gibHour: 0.5 }, ...DEFAULT_PRICES];
    expect(hourlyCost({ cpu: 2, memoryGiB: 4 }, 'cn-beijing', prices)).toMatchObject({ perHour: 4, currency: 'EUR' });
    expect(hourlyCost({ cpu: 2, memoryGiB: 4 }, 'cn-beijing-2', prices)).toMatchObject({ currency: 'CNY' });
  });

  it('is unknown, and says why, rather than guessed', () => {
    expect(hourlyCost({}, 'cn-hangzhou')).toEqual({ kind: 'unknown', why: 'the cloud did not say its size' });
    expect(hourlyCost({ spec: 'ecs.gn6i-c4g1.xlarge', cpu: 4, memoryGiB: 15 }, 'cn-hangzhou').kind).toBe('unknown');
    expect(hourlyCost({ cpu: 1, memoryGiB: 1 }, 'mars-1', []).kind).toBe('unknown');
  });

  it('adds up by currency and leaves the unknown out, counted', () => {
    const sum = sumOfCosts([
      hourlyCost({ cpu: 2, memoryGiB: 4 }, 'cn-hangzhou'),
      hourlyCost({ cpu: 2, memoryGiB: 4 }, 'cn-beijing'),
      hourlyCost({ cpu: 1, memoryGiB: 1 }, 'us-west-1'),
      hourlyCost({}, 'us-west-1'),
    ]);
    expect(sum).toEqual({ perHour: { CNY: 0.8822, USD: 0.0312 }, unknown: 1 });
  });
});
