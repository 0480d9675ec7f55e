/** `npm run simulate:faults`: many runs of the fleet on a virtual clock, each with faults drawn by its seed. docs/developers/simulation.md. */
import { runProgram, wholeNumber, WrongUsage } from '#libs/runtime';
import { FAULTS } from './faults/registry.ts';
import { Reached } from './goals.ts';
import { planOf, run, type Outcome } from './history.ts';
import { range, runSeeds, type SeedResult } from './pool.ts';
import { shrink } from './shrink.ts';

const say = (line = ''): void => void process.stdout.write(`${line}\n`);

const HELP = `Many runs of the fleet on a virtual clock, each with faults drawn by its seed, until one breaks a promise.

  npm run simulate:faults                            10,000 seeds, a table of what was met, histories a second
  npm run simulate:faults -- --seed 4711             one run; when it fails, shrunk to the smallest that still does

  --seeds N       how many (10,000)
  --from N        the first of them (1)
  --seed N        only this one
  --faults NAMES  faults of these kinds only, separated by commas
  --workers N     threads (2)
  --whole         with --seed: the whole run, not shrunk
  --trace         with --seed: print its trace
  --help          this text

Exit code 1: a promise was broken, or a fault was met in less than 1 % of 300 runs or more.
docs/developers/simulation.md says what runs and which promises are kept.
`;

let only: readonly string[] | undefined;

process.exit(
  await runProgram(
    {
      name: 'simulate:faults',
      help: () => `${HELP}\nFaults: ${[...FAULTS.keys()].join(', ')}\n`,
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        from: { type: 'string' },
        faults: { type: 'string' },
        workers: { type: 'string' },
        trace: { type: 'boolean' },
        whole: { type: 'boolean' },
      },
      run: ({ seeds, seed, from, faults, workers, trace, whole }) => {
        only = faults?.split(',').map((name) => name.trim());
        const unknown = only?.filter((name) => !FAULTS.has(name)) ?? [];
        if (unknown.length > 0) throw new WrongUsage(`--faults knows no ${unknown.join(', ')}`);
        if (seed !== undefined) return one(wholeNumber('--seed', seed, 1), { trace, whole });
        return many({
          from: wholeNumber('--from', from, 1),
          count: wholeNumber('--seeds', seeds, 10_000, 1),
          workers: wholeNumber('--workers', workers, 2, 1),
        });
      },
    },
    process.argv.slice(2),
  ),
);

async function one(
  seed: number,
  { trace, whole }: { trace: boolean | undefined; whole: boolean | undefined },
): Promise<number> {
  const outcome = await run(planOf(seed, only), { keepTrace: true });
  if (outcome.failure && !whole) return explain(outcome);
  if (trace || outcome.failure) for (const line of outcome.trace) say(line);
  report(outcome);
  return outcome.failure ? 1 : 0;
}

async function many({ from, count, workers }: Record<'from' | 'count' | 'workers', number>): Promise<number> {
  const reached = new Reached();
  const failures: SeedResult[] = [];
  const began = performance.now();
  say(`seeds ${from} to ${from + count - 1}, ${FAULTS.size} kinds of fault`);
  await runSeeds({
    seeds: range(from, count),
    workers,
    ...(only && { only }),
    onResult: (result) => {
      reached.add(result.met);
      if (result.failure !== undefined) {
        failures.push(result);
        say(`seed ${result.seed} failed: ${result.failure}`);
      }
      if (reached.runs % 500 === 0) say(`${reached.runs} runs, ${rate(began, reached.runs)}`);
      return failures.length < 5;
    },
  });
  table(reached);
  say(`${reached.runs} histories, ${rate(began, reached.runs)}, ${failures.length} failed`);
  const [first] = failures;
  if (first) return explain(await run(planOf(first.seed, only)));
  const missed = only ? [] : reached.missed();
  if (missed.length > 0) say(`reached in less than 1 % of the runs: ${missed.join(', ')}`);
  return missed.length > 0 && reached.runs >= 300 ? 1 : 0;
}

/** The smallest run that fails, so that somebody can read it. */
async function explain(outcome: Outcome): Promise<number> {
  say(`\nshrinking seed ${outcome.plan.seed} …`);
  const smallest = await shrink(outcome, say);
  say();
  for (const line of smallest.trace) say(line);
  report(smallest);
  return 1;
}

function report({ plan, failure, hash, steps, virtualSeconds }: Outcome): void {
  say(`\nseed ${plan.seed}: ${plan.clusters.length} clusters, ${plan.replicas} replicas, ${plan.pods.length} pods`);
  for (const { kind, atMs, forMs } of plan.faults) say(`  ${(atMs / 1000).toFixed(1)} s, for ${forMs} ms: ${kind}`);
  say(`${steps} steps, ${Math.round(virtualSeconds)} virtual seconds, trace ${hash}`);
  say(failure ? `BROKEN ${failure.message}` : 'all promises kept');
  const names = only ? ` --faults '${only.join(',')}'` : '';
  say(`replay: npm run simulate:faults -- --seed ${plan.seed}${names} --whole --trace`);
}

function table(reached: Reached): void {
  say(`\n${'met in'.padStart(8)}  what`);
  for (const [name, count] of [...reached.counts].sort(([a], [b]) => (a < b ? -1 : 1)))
    say(`${((100 * count) / reached.runs).toFixed(1).padStart(6)} %  ${name}`);
}

function rate(began: number, runs: number): string {
  return `${(runs / ((performance.now() - began) / 1000)).toFixed(1)} a second`;
}
