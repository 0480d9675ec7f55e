import { parentPort } from 'node:worker_threads';
import { planOf, run } from './history.ts';
import type { SeedResult } from './pool.ts';
import { Violation } from './oracles/violation.ts';

/** Runs the seeds that it is given, one after another. */
parentPort?.on('message', ({ seed, only }: { seed: number; only?: readonly string[] }) => {
  void run(planOf(seed, only)).then(({ failure, hash, coverage, steps, virtualSeconds }) => {
    const result: SeedResult = {
      seed,
      hash,
      met: [...coverage.keys()],
      steps,
      virtualSeconds,
      ...(failure && {
        failure: failure instanceof Violation ? failure.message : (failure.stack ?? failure.message),
        oracle: failure instanceof Violation ? failure.oracle : 'crash',
      }),
    };
    parentPort?.postMessage(result);
  });
});
