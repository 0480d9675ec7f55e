import type { Parts, RunningRole } from './parts.ts';
import { SupervisedLoop } from './supervised-loop.ts';

const HOUR_MS = 3_600_000;

export interface Chore {
  readonly name: string;
  /** Returns how many things it dealt with. */
  readonly run: () => Promise<number>;
}

/** What should be done once an hour by whoever is there; any number of processes may do it. */
export function startHousekeeping(
  parts: Pick<Parts, 'clock' | 'random' | 'logger' | 'metrics'>,
  chores: readonly Chore[],
): RunningRole {
  const { clock, random, logger, metrics } = parts;
  const loop = new SupervisedLoop({
    name: 'housekeeping',
    clock,
    random,
    logger,
    metrics,
    idleMs: HOUR_MS,
    step: async (stopping) => {
      for (const { name, run } of chores) {
        if (stopping.aborted) break;
        const count = await run();
        if (count > 0) logger.info('housekeeping done', { chore: name, count });
      }
      return 'idle';
    },
  });
  loop.start();
  return { stop: () => loop.stop(), trouble: () => loop.trouble() };
}
