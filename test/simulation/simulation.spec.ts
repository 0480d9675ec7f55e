import { describe, expect, it } from 'vitest';
import { Reached } from './goals.ts';
import { range, runSeeds, type SeedResult } from './pool.ts';

const SEEDS = 500;
const NOISY_SEEDS = 20;

async function hashes(seeds: Iterable<number>, workers: number): Promise<ReadonlyMap<number, string>> {
  const found = new Map<number, string>();
  await runSeeds({ seeds, workers, onResult: ({ seed, hash }) => Boolean(found.set(seed, hash)) });
  return found;
}

describe('the fleet on a virtual clock', () => {
  it(
    `keeps its promises under the faults of ${SEEDS} seeds, and meets all that can happen`,
    { timeout: 3_600_000 },
    async () => {
      const reached = new Reached();
      const failures: SeedResult[] = [];
      await runSeeds({
        seeds: range(1, SEEDS),
        onResult: (result) => {
          reached.add(result.met);
          if (result.failure !== undefined) failures.push(result);
          return failures.length < 3;
        },
      });

      const told = failures.map(({ seed, failure }) => `npm run simulate:faults -- --seed ${seed}   ${failure}`);
      expect(told).toEqual([]);
      expect(reached.missed()).toEqual([]);
    },
  );

  it('keeps them in histories of noise alone, which are rare among all others', { timeout: 3_600_000 }, async () => {
    const failures: SeedResult[] = [];
    await runSeeds({
      seeds: range(1, NOISY_SEEDS),
      only: ['noisy cluster'],
      onResult: (result) => {
        if (result.failure !== undefined) failures.push(result);
        return true;
      },
    });

    const told = failures.map(({ seed, failure }) => `--seed ${seed} --faults 'noisy cluster'   ${failure}`);
    expect(told).toEqual([]);
  });

  it('does the same for the same seed, whatever ran before it', { timeout: 600_000 }, async () => {
    const forwards = await hashes([11, 12, 13, 14, 12, 11], 1);
    const backwards = await hashes([14, 13, 12, 11, 13], 2);

    expect([...backwards].sort()).toEqual([...forwards].sort());
  });
});
