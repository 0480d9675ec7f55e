import type { Parts } from './parts.ts';
import type { RunningRole } from './running-role.ts';
import { SetAside } from './streams/set-aside.ts';
import { SupervisedLoop } from './supervised-loop.ts';

const HOUR_MS = 3_600_000;

interface Chore {
  readonly name: string;
  /** Returns how many things it dealt with. */
  readonly run: () => Promise<number>;
}

/** What should be done once an hour by whoever is there; any number of processes may do it. A chore that fails keeps the others from nothing. */
export function startHousekeeping(
  parts: Pick<Parts, 'clock' | 'random' | 'logger' | 'metrics'>,
  chores: readonly Chore[],
): RunningRole {
  const { clock, random, logger, metrics } = parts;
  const name = 'housekeeping';
  const aside = new SetAside<Chore>({ loop: name, clock, random, logger, metrics });
  let nextAt = clock.now();
  const loop = new SupervisedLoop({
    name,
    clock,
    random,
    logger,
    metrics,
    idleMs: HOUR_MS,
    step: async (stopping) => {
      const isTime = clock.now() >= nextAt;
      for (const chore of isTime ? chores : aside.due()) {
        if (stopping.aborted) break;
        await aside.each([chore], nameOf, async ({ name, run }) => {
          const count = await run();
          if (count > 0) logger.info('housekeeping done', { chore: name, count });
        });
      }
      if (isTime) nextAt = clock.now() + HOUR_MS;
      return Math.max(0, Math.min(aside.dueInMs() ?? HOUR_MS, nextAt - clock.now()));
    },
  });
  loop.start();
  return { stop: () => loop.stop(), trouble: () => loop.trouble(), setAside: () => aside.list() };
}

const nameOf = ({ name }: Chore): string => name;
