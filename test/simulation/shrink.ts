import { run, type Outcome, type Plan } from './history.ts';

/** Runs that a shrinking may take. */
const MOST_RUNS = 120;

/**
 * The smallest plan that still breaks the same promise: first without faults, then without pods, by halves and then one by one. A fault has its own
 * randomness, so that one that stays does what it did; the order of steps may differ all the same, and what does not fail any more is kept.
 */
export async function shrink(outcome: Outcome, log: (line: string) => void): Promise<Outcome> {
  const oracle = nameOf(outcome);
  let best = outcome;
  let runs = 0;
  const attempt = async (plan: Plan): Promise<boolean> => {
    if (runs++ >= MOST_RUNS) return false;
    const tried = await run(plan);
    if (!tried.failure || nameOf(tried) !== oracle) return false;
    best = tried;
    return true;
  };
  await reduce(
    () => best.plan.faults,
    (faults) => attempt({ ...best.plan, faults }),
  );
  await reduce(
    () => best.plan.pods,
    (pods) => attempt({ ...best.plan, pods }),
  );
  log(`shrunk to ${best.plan.faults.length} faults and ${best.plan.pods.length} pods in ${runs} runs`);
  return run(best.plan, { keepTrace: true });
}

/** Leaves out ever smaller parts of a list for as long as `works` says that the rest will do. */
async function reduce<T>(list: () => readonly T[], works: (rest: readonly T[]) => Promise<boolean>): Promise<void> {
  for (let size = Math.ceil(list().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < list().length;) {
      const rest = list().filter((_, index) => index < start || index >= start + size);
      if (!(await works(rest))) start += size;
    }
  }
}

const nameOf = ({ failure }: Outcome): string => failure?.message.split(':')[0] ?? '';
