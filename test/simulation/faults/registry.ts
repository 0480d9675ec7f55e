import { SeededRandom, type Random } from '#libs/runtime';
import { cloudFaults } from './cloud.ts';
import type { FaultKind, PlannedFault } from './fault.ts';
import { forgerFaults } from './forger.ts';
import { messageFaults } from './messages.ts';
import { noiseFaults } from './noise.ts';
import { processFaults } from './processes.ts';
import { storeFaults } from './store.ts';
import { userFaults } from './users.ts';

/** Every kind of fault there is. A new one is added to its list, and is drawn from then on. */
export const FAULTS: ReadonlyMap<string, FaultKind> = new Map(
  [
    ...processFaults,
    ...storeFaults,
    ...messageFaults,
    ...cloudFaults,
    ...userFaults,
    ...noiseFaults,
    ...forgerFaults,
  ].map((kind) => [kind.name, kind]),
);

/**
 * Swarm: each run arms only some kinds, and those more than once, so that a kind is not always met in the company of all the others. At least
 * five faults. `only`: draw from these names.
 */
export function drawFaults(random: Random, spanMs: number, only?: readonly string[]): PlannedFault[] {
  const names = only ?? [...FAULTS.values()].filter(({ apart }) => apart === undefined).map(({ name }) => name);
  const armed = new Set<string>();
  const kinds = Math.min(names.length, 4 + Math.floor(random.next() * 7));
  while (armed.size < kinds) armed.add(names[Math.floor(random.next() * names.length)] as string);
  const faults: PlannedFault[] = [];
  const add = (kind: string): void => {
    const atMs = Math.floor(random.next() * spanMs * 0.85);
    const ordinaryMs = Math.floor(3_000 + random.next() * 70_000);
    const forMs = FAULTS.get(kind)?.lasts?.(random) ?? ordinaryMs;
    faults.push({ kind, atMs, forMs, seed: Math.floor(random.next() * 2 ** 32) });
  };
  for (const kind of armed) add(kind);
  const all = [...armed];
  const extra = Math.max(5 - faults.length, Math.floor(random.next() * 8));
  for (let i = 0; i < extra; i++) add(all[Math.floor(random.next() * all.length)] as string);
  return faults.sort((a, b) => a.atMs - b.atMs);
}

/** After the others have ended, so much time passes until what they left behind has gone as well, mostly. */
const APART_MS = 60_000;

/** Those of their own kind, which are met in no company. Drawn by themselves, so that they change nothing of what is drawn otherwise. */
export function drawApart(random: Random, afterMs: number): PlannedFault[] {
  const faults: PlannedFault[] = [];
  for (const { name: kind, apart = 0, lasts } of FAULTS.values()) {
    if (random.next() >= apart) continue;
    const forMs = lasts?.(random) ?? 10_000;
    faults.push({ kind, atMs: afterMs + APART_MS, forMs, seed: Math.floor(random.next() * 2 ** 32) });
  }
  return faults;
}

export const randomOf = (fault: PlannedFault): Random => new SeededRandom(fault.seed);
