import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Addresses } from './addresses.ts';
import { Buckets } from './buckets.ts';
import { DueQueue } from './due-queue.ts';
import { Parameters } from './parameters.ts';
import { SequenceIndex } from './sequence-index.ts';

describe('DueQueue', () => {
  it('gives items by time, and of one time in the order they came', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), (times) => {
        const queue = new DueQueue<number>();
        times.forEach((at, index) => queue.push(at, index));
        const left: [number, number][] = [];
        for (let next = queue.pop(10); next; next = queue.pop(10)) left.push([next.at, next.item]);
        const expected = times
          .map((at, index): [number, number] => [at, index])
          .filter(([at]) => at <= 10)
          .sort(([a, i], [b, j]) => a - b || i - j);
        expect(left).toEqual(expected);
        expect(queue.nextAt ?? 11).toBeGreaterThan(10);
      }),
    );
  });
});

describe('SequenceIndex', () => {
  it('reads like a list from which moved and deleted members are taken', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(40)), { maxLength: 400 }), fc.nat(400), (steps, after) => {
        const index = new SequenceIndex<number>();
        const model = new Map<number, number>();
        steps.forEach(([add, member], number) => {
          model.delete(member);
          if (add) model.set(member, number);
          if (add) index.add(number, member);
          else index.delete(member);
        });
        const expected = [...model].map(([member, key]) => [key, member]);
        expect([...index.after(-Infinity)]).toEqual(expected);
        expect([...index.after(after)]).toEqual(expected.filter(([key]) => key! > after));
        expect([...index.newest()].reverse()).toEqual(expected);
        expect(index.size).toBe(model.size);
      }),
    );
  });
});

describe('Addresses', () => {
  it('gives each address once, as many as the block holds, and takes them back', () => {
    const addresses = new Addresses('10.1.2.0/28');
    const taken = Array.from({ length: 12 }, () => addresses.take()!);
    expect(new Set(taken).size).toBe(12);
    expect([taken[0], taken.at(-1)]).toEqual(['10.1.2.1', '10.1.2.12']);
    expect(addresses.take()).toBeUndefined();
    addresses.release('10.1.2.5');
    addresses.release('10.1.2.5');
    expect([addresses.free, addresses.take(), addresses.free]).toEqual([1, '10.1.2.5', 0]);
  });

  it('does not give what was claimed, or more than the limit', () => {
    const addresses = new Addresses('10.1.2.0/28');
    addresses.claim('10.1.2.1');
    addresses.setLimit(2);
    expect([addresses.take(), addresses.take(), addresses.free]).toEqual(['10.1.2.2', undefined, 0]);
    addresses.setLimit(1);
    expect(addresses.free).toBe(0);
  });
});

describe('Buckets', () => {
  it('never grant more than burst + rate × time', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3_000), { minLength: 1 }), (pauses) => {
        const buckets = new Buckets();
        let now = 0;
        let granted = 0;
        for (const pause of pauses) {
          now += pause;
          if (buckets.take('b', { ratePerSecond: 2, burst: 3 }, now)) granted += 1;
        }
        expect(granted).toBeLessThanOrEqual(3 + (2 * now) / 1_000);
      }),
    );
  });
});

describe('Parameters', () => {
  const of = (flat: Record<string, string>): Parameters => Parameters.from(Object.entries(flat));

  it('reads lists in the order of their numbers', () => {
    const flat = Object.fromEntries(
      Array.from({ length: 12 }, (_, index) => [`Arg.${12 - index}`, String(12 - index)]),
    );
    expect(of(flat).texts('Arg')).toEqual(Array.from({ length: 12 }, (_, index) => String(index + 1)));
  });

  it.each([
    [{ 'Arg.1': 'a', 'Arg.3': 'b' }],
    [{ 'Arg.0': 'a', 'Arg.1': 'b' }],
    [{ 'Arg.01': 'a' }],
    [{ 'Arg.first': 'a' }],
    [{ Arg: 'a' }],
  ])('refuses %j as a list', (flat) => {
    expect(() => of(flat as Record<string, string>).texts('Arg')).toThrow(/numbered from 1|is a list/);
  });

  it('reads numbers strictly', () => {
    expect(of({ Cpu: '0.25' }).number('Cpu')).toBe(0.25);
    expect(() => of({ Cpu: '2 cores' }).number('Cpu')).toThrow('Cpu must be a number');
    expect(() => of({ Cpu: '1.5' }).integer('Cpu')).toThrow('Cpu must be an integer');
    expect(() => of({ Cpu: 'Infinity' }).number('Cpu')).toThrow('Cpu must be a number');
    expect(() => of({ Flag: 'yes' }).flag('Flag')).toThrow('Flag must be one of');
  });

  it('is not fooled by names of the language', () => {
    expect(of({ '__proto__.polluted': 'yes', 'constructor.1': 'x' }).has('toString')).toBe(false);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
