import type { Random } from '#libs/runtime';
import type { World } from '../world.ts';

/** One fault of a run, as it was drawn. Its own seed makes it the same whichever other faults are left out. */
export interface PlannedFault {
  /** Name of its kind. */
  readonly kind: string;
  /** When it begins, milliseconds from the beginning. */
  readonly atMs: number;
  /** How long it lasts, where it lasts. */
  readonly forMs: number;
  readonly seed: number;
}

export interface FaultKind {
  readonly name: string;
  /** How long it lasts, milliseconds; default up to a bit over a minute. */
  readonly lasts?: (random: Random) => number;
  /** Not drawn with the others: in this share of the runs it comes once, after all of them have ended. */
  readonly apart?: number;
  /** Begins it; whatever it switches on must be off again after `fault.forMs`. Tells `world.hit(name)` each time that it did something. */
  readonly inject: (world: World, fault: PlannedFault, random: Random) => void;
}

export const between = (random: Random, from: number, to: number): number =>
  Math.floor(from + random.next() * (to - from));

export const oneOf = <T>(random: Random, items: readonly T[]): T =>
  items[Math.floor(random.next() * items.length)] as T;
