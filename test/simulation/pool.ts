import { Worker } from 'node:worker_threads';

/** What one seed came to. */
export interface SeedResult {
  readonly seed: number;
  readonly hash: string;
  /** Names of what was met: faults, events, refusals, answers, calls. */
  readonly met: readonly string[];
  readonly steps: number;
  readonly virtualSeconds: number;
  readonly failure?: string;
  /** The promise that was broken, `O1` to `O13`, or `crash`. */
  readonly oracle?: string;
}

interface PoolOptions {
  readonly seeds: Iterable<number>;
  readonly workers?: number;
  /** Draw faults of these kinds only. */
  readonly only?: readonly string[];
  /** Told of each result; false = enough. */
  readonly onResult: (result: SeedResult) => boolean;
  /** Module of the worker; default the one beside this. A mutation brings its own copy. */
  readonly module?: URL;
}

/** Runs seeds on a few threads; each seed is one thread's alone, so the result of one does not depend on the others. */
export async function runSeeds(options: PoolOptions): Promise<void> {
  const { workers = 2, only, onResult, module = new URL('./worker.ts', import.meta.url) } = options;
  const seeds = options.seeds[Symbol.iterator]();
  let enough = false;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      const worker = new Worker(module, { execArgv: ['--conditions=source', '--no-warnings'] });
      try {
        for (let next = seeds.next(); !enough && !next.done; next = seeds.next()) {
          const seed = next.value;
          const result = await new Promise<SeedResult>((resolve, reject) => {
            worker.once('error', reject);
            worker.once('message', (message: SeedResult) => {
              worker.removeListener('error', reject);
              resolve(message);
            });
            worker.postMessage({ seed, ...(only && { only }) });
          });
          if (!onResult(result)) enough = true;
        }
      } finally {
        await worker.terminate();
      }
    }),
  );
}

export function* range(from: number, count: number): Generator<number> {
  for (let seed = from; seed < from + count; seed++) yield seed;
}
