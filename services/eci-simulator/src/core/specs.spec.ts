import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSpotSize, parseSpec, roundUp, specOf } from './specs.ts';

describe('sizes', () => {
  it.each([
    [0, 0, true, '0.25-0.5Gi'],
    [0.1, 0.1, true, '0.25-0.5Gi'],
    [1, 1, true, '1-2Gi'],
    [3, 5, true, '4-6Gi'],
    [7, 13, true, '8-14Gi'],
    [7, 13, false, '8-16Gi'],
    [5, 5, true, '6-6Gi'],
    [5, 5, false, '8-8Gi'],
    [33, 1, true, '52-96Gi'],
    [1, 9, true, '2-10Gi'],
    [1, 9, false, '2-16Gi'],
  ])('rounds %s vCPU and %s GiB up', (cpu, memory, extra, expected) => {
    expect(specOf(roundUp(cpu, memory, extra))).toBe(expected);
  });

  it('never gives less than was asked for, and rounding again changes nothing', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 64, noNaN: true }),
        fc.double({ min: 0, max: 256, noNaN: true }),
        fc.boolean(),
        (cpu, memory, extra) => {
          const size = roundUp(cpu, memory, extra);
          expect(size.cpu).toBeGreaterThanOrEqual(cpu - 1e-9);
          expect(size.memory).toBeGreaterThanOrEqual(memory - 1e-9);
          expect(roundUp(size.cpu, size.memory, extra)).toEqual(size);
        },
      ),
    );
  });

  it('refuses what no size can hold', () => {
    expect(() => roundUp(65, 1, true)).toThrow(/No size/);
    expect(() => roundUp(1, 513, true)).toThrow(/No size/);
  });

  it('reads specs and ECS types, and knows which can be spot', () => {
    expect(parseSpec('2-4Gi', true)).toEqual({ cpu: 2, memory: 4 });
    expect(parseSpec('ecs.c6.large', true)).toEqual({ cpu: 2, memory: 4, instanceType: 'ecs.c6.large' });
    expect(parseSpec('ecs.r7.2xlarge', true)).toEqual({ cpu: 8, memory: 64, instanceType: 'ecs.r7.2xlarge' });
    expect(() => parseSpec('m5.large', true)).toThrow(/not sold/);
    expect(isSpotSize({ cpu: 2, memory: 4 })).toBe(true);
    expect(isSpotSize({ cpu: 2, memory: 6 })).toBe(false);
    expect(isSpotSize({ cpu: 1, memory: 2 })).toBe(false);
  });
});
