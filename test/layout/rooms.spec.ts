import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
/** Houses whose rooms still lead into each other; who puts one in order strikes it out here. */
const IN_DISORDER = ['services/control-plane/src'];
const IMPORT = /\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g;

type Arrows = ReadonlyMap<string, ReadonlyMap<string, string>>;

const houses = (): readonly string[] => globSync(['services/*/src', 'libs/*/src'], { cwd: ROOT });

/**
 * Room → rooms it imports from, and one file that does. A room is a folder of a house with all below it; files beside the rooms put them together,
 * or serve all, and are none. Types count: whoever reads one room has to know the other.
 */
function arrowsOf(house: string): Arrows {
  const arrows = new Map<string, Map<string, string>>();
  const roomOf = (file: string): string | undefined => /^([^/]+)\//.exec(file)?.[1];
  for (const file of globSync('**/*.ts', { cwd: join(ROOT, house) })) {
    const from = roomOf(file);
    if (from === undefined || file.endsWith('.spec.ts')) continue;
    for (const [, path] of readFileSync(join(ROOT, house, file), 'utf8').matchAll(IMPORT)) {
      const target = normalize(join(dirname(file), path as string));
      const to = target.startsWith('..') ? undefined : roomOf(target);
      if (to === undefined || to === from) continue;
      const leaving = arrows.get(from) ?? new Map<string, string>();
      arrows.set(from, leaving.set(to, file));
    }
  }
  return arrows;
}

/** A way from some room back to it: `room (file) → room (file) → room`. */
function wayBack(arrows: Arrows): string | undefined {
  const done = new Set<string>();
  const follow = (room: string, way: readonly string[]): readonly string[] | undefined => {
    const seen = way.indexOf(room);
    if (seen >= 0) return [...way.slice(seen), room];
    if (done.has(room)) return undefined;
    for (const next of arrows.get(room)?.keys() ?? []) {
      const found = follow(next, [...way, room]);
      if (found) return found;
    }
    done.add(room);
    return undefined;
  };
  for (const room of arrows.keys()) {
    const found = follow(room, []);
    if (!found) continue;
    const steps = found.map((each, index) => {
      const by = arrows.get(each)?.get(found[index + 1] ?? '');
      return by === undefined ? each : `${each} (${by})`;
    });
    return steps.join(' → ');
  }
  return undefined;
}

describe('the rooms of a house', () => {
  it.each(houses().filter((house) => !IN_DISORDER.includes(house)))(
    'lead into each other one way only: %s',
    (house) => {
      expect(wayBack(arrowsOf(house))).toBeUndefined();
    },
  );

  it('are looked at: where they are in disorder, that is found', () => {
    for (const house of IN_DISORDER)
      expect(wayBack(arrowsOf(house)), `${house} is in order: strike it out`).toBeDefined();
  });

  it('are found in a knot of three', () => {
    const knot = new Map([
      ['a', new Map([['b', 'a/1.ts']])],
      ['b', new Map([['c', 'b/2.ts']])],
      ['c', new Map([['b', 'c/3.ts']])],
    ]);
    expect(wayBack(knot)).toBe('b (b/2.ts) → c (c/3.ts) → b');
  });
});
