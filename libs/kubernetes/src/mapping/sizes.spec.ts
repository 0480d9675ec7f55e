import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuantity } from './quantity.ts';
import { sizesFor } from './sizes.ts';

describe('sizes', () => {
  it.each([
    { need: '0/0', region: 'cn-hangzhou', spot: false, sizes: ['2-4Gi'] },
    { need: '0.1/0', region: 'cn-hangzhou', spot: false, sizes: ['0.25-0.5Gi'] },
    { need: '0/3', region: 'cn-hangzhou', spot: false, sizes: ['1-4Gi'] },
    { need: '2/0', region: 'cn-hangzhou', spot: false, sizes: ['2-1Gi'] },
    { need: '2/4', region: 'cn-hangzhou', spot: false, sizes: ['2-4Gi'] },
    { need: '2/5', region: 'cn-hangzhou', spot: false, sizes: ['2-6Gi', '2-8Gi'] },
    { need: '2/5', region: 'us-west-1', spot: false, sizes: ['2-8Gi'] },
    { need: '7/13', region: 'cn-hangzhou', spot: false, sizes: ['8-14Gi', '8-16Gi'] },
    { need: '7/13', region: 'eu-central-1', spot: false, sizes: ['8-16Gi'] },
    { need: '5/7', region: 'cn-beijing', spot: false, sizes: ['6-8Gi', '8-8Gi'] },
    { need: '9/1', region: 'cn-beijing', spot: false, sizes: ['12-12Gi'] },
    { need: '1/100', region: 'cn-beijing', spot: false, sizes: ['16-128Gi'] },
    { need: '64/512', region: 'cn-beijing', spot: false, sizes: ['64-512Gi'] },
    { need: '64.001/1', region: 'cn-beijing', spot: false, sizes: [] },
    { need: '1/513', region: 'cn-beijing', spot: false, sizes: [] },
    { need: '0.25/0.5', region: 'cn-beijing', spot: true, sizes: ['2-4Gi'] },
    { need: '2/5', region: 'cn-hangzhou', spot: true, sizes: ['2-8Gi'] },
    { need: '52/10', region: 'cn-hangzhou', spot: true, sizes: ['52-96Gi'] },
  ])('$need cores/GiB in $region (spot $spot) fit into $sizes', ({ need, region, spot, sizes }) => {
    const [cpu, memoryGiB] = need.split('/').map(Number) as [number, number];
    expect(sizesFor({ cpu, memoryGiB }, region, spot)).toEqual(sizes);
  });

  it('always hold what is needed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64_000 }),
        fc.integer({ min: 1, max: 512_000 }),
        fc.boolean(),
        (milli, mebi, spot) => {
          const need = { cpu: milli / 1000, memoryGiB: mebi / 1000 };
          for (const size of sizesFor(need, 'cn-hangzhou', spot)) {
            const [, cpu, memory] = /^([\d.]+)-([\d.]+)Gi$/.exec(size) ?? [];
            expect(Number(cpu)).toBeGreaterThanOrEqual(need.cpu);
            expect(Number(memory)).toBeGreaterThanOrEqual(need.memoryGiB);
          }
        },
      ),
    );
  });
});

describe('quantities', () => {
  it.each([
    ['100m', 0.1],
    ['1.5', 1.5],
    [2, 2],
    ['.5', 0.5],
    ['1Gi', 2 ** 30],
    ['512Mi', 2 ** 29],
    ['1e3', 1000],
    ['1E', 1e18],
    ['1E2', 100],
    ['500k', 500_000],
    ['0', 0],
    ['1e999', undefined],
    ['-1', undefined],
    ['1 Gi', undefined],
    ['1gi', undefined],
    ['', undefined],
    ['Gi', undefined],
  ])('%j is %j', (text, value) => {
    const parsed = parseQuantity(text);
    if (value === undefined) expect(parsed).toBeUndefined();
    else expect(parsed).toBeCloseTo(value);
  });
});
