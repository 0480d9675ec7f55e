import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Absences, provesVanished } from './absences.ts';

const T0 = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const list = (beganAt: number, ...ids: string[]) => ({ beganAt, seen: new Set(ids) });
const known = (...ids: string[]) => new Map(ids.map((id) => [id, false]));

describe('which groups are gone', () => {
  it('suspects a group that two complete lists a minute apart do not hold', () => {
    const absences = new Absences();
    expect(absences.compare(list(T0, 'a'), known('a', 'b'), T0)).toEqual([]);
    expect(absences.waiting).toBe(true);
    expect(absences.compare(list(T0 + MINUTE, 'a'), known('a', 'b'), T0 + MINUTE)).toEqual(['b']);
  });

  it('suspects nothing when the lists are too close together', () => {
    const absences = new Absences();
    absences.compare(list(T0), known('b'), T0);
    expect(absences.compare(list(T0 + MINUTE - 1), known('b'), T0 + MINUTE)).toEqual([]);
  });

  it('begins anew when a list shows the group once more', () => {
    const absences = new Absences();
    absences.compare(list(T0), known('b'), T0);
    absences.compare(list(T0 + MINUTE, 'b'), known('b'), T0 + MINUTE);
    expect(absences.compare(list(T0 + 2 * MINUTE), known('b'), T0 + 2 * MINUTE)).toEqual([]);
    expect(absences.compare(list(T0 + 3 * MINUTE), known('b'), T0 + 3 * MINUTE)).toEqual(['b']);
  });

  it('waits for a group to become visible that was made while the first list was taken', () => {
    const absences = new Absences();
    const tookMs = 50_000;
    absences.compare(list(T0), known('b'), T0 + tookMs);
    expect(absences.compare(list(T0 + tookMs + MINUTE - 1), known('b'), T0 + tookMs + MINUTE)).toEqual([]);
    expect(absences.compare(list(T0 + tookMs + MINUTE), known('b'), T0 + tookMs + MINUTE)).toEqual(['b']);
  });

  it('does not count a list that lacks a group that seems young, nor hurries for it: one later list that deceives must not be enough', () => {
    const absences = new Absences();
    const young = new Map([['b', true]]);
    absences.compare(list(T0), young, T0);
    expect(absences.waiting).toBe(false);
    expect(absences.compare(list(T0 + MINUTE), known('b'), T0 + MINUTE)).toEqual([]);
    expect(absences.waiting).toBe(true);
    expect(absences.compare(list(T0 + 2 * MINUTE), known('b'), T0 + 2 * MINUTE)).toEqual(['b']);
  });

  it('believes for a minute only that a group is young: clocks may be wrong about it for hours', () => {
    const absences = new Absences();
    const young = new Map([['b', true]]);
    const at = (ms: number) => absences.compare(list(T0 + ms), young, T0 + ms);
    expect([at(0), at(MINUTE - 1), at(MINUTE), at(2 * MINUTE - 1)]).toEqual([[], [], [], []]);
    expect(at(2 * MINUTE)).toEqual(['b']);
  });

  it('never suspects a group that one of the last two lists holds', () => {
    const ids = ['a', 'b', 'c'];
    fc.assert(
      fc.property(fc.array(fc.subarray(ids), { minLength: 1, maxLength: 12 }), (lists) => {
        const absences = new Absences();
        lists.forEach((seen, i) => {
          const suspects = absences.compare(list(T0 + i * MINUTE, ...seen), known(...ids), T0 + i * MINUTE);
          for (const id of suspects) {
            expect(seen).not.toContain(id);
            expect(lists[i - 1]).not.toContain(id);
          }
        });
      }),
    );
  });
});

describe('a group that reads by id do not return', () => {
  it('has vanished once two reads a minute apart lack it, and others vouch for them', () => {
    expect(provesVanished({ vouched: 'witness', waitedMs: 60_000 })).toBe(true);
    expect(provesVanished({ vouched: 'witness', waitedMs: 59_999 })).toBe(false);
    expect(provesVanished({ vouched: 'nobody', waitedMs: 86_400_000 })).toBe(false);
    expect(provesVanished({ vouched: 'nothing to see', waitedMs: 86_400_000 })).toBe(false);
  });
});
