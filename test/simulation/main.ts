/** `npm run simulate:faults`: many runs of the fleet on a virtual clock, each with faults drawn by its seed. docs/developers/simulation.md. */
import { parseArgs } from 'node:util';
import { FAULTS } from './faults/registry.ts';
import { Reached } from './goals.ts';
import { planOf, run, type Outcome } from './history.ts';
import { range, runSeeds, type SeedResult } from './pool.ts';
import { shrink } from './shrink.ts';

const say = (line = ''): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string' },
    faults: { type: 'string' },
    workers: { type: 'string' },
    trace: { type: 'boolean' },
    whole: { type: 'boolean' },
  },
});
const number = (text: string | undefined, fallback: number): number => {
  const parsed = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(parsed) || parsed < 0) throw new Error(`not a whole number: ${text}`);
  return parsed;
};
const only = values.faults?.split(',').map((name) => name.trim());
const unknown = only?.filter((name) => !FAULTS.has(name)) ?? [];
if (unknown.length > 0) {
  say(`no such fault: ${unknown.join(', ')}. There are: ${[...FAULTS.keys()].join(', ')}`);
  process.exit(2);
}

process.exit(values.seed === undefined ? await many() : await one(number(values.seed, 1)));

async function one(seed: number): Promise<number> {
  const outcome = await run(planOf(seed, only), { keepTrace: true });
  if (outcome.failure && !values.whole) return explain(outcome);
  if (values.trace || outcome.failure) for (const line of outcome.trace) say(line);
  report(outcome);
  return outcome.failure ? 1 : 0;
}

async function many(): Promise<number> {
  const from = number(values.from, 1);
  const count = number(values.seeds, 10_000);
  const reached = new Reached();
  const failures: SeedResult[] = [];
  const began = performance.now();
  say(`seeds ${from} to ${from + count - 1}, ${FAULTS.size} kinds of fault`);
  await runSeeds({
    seeds: range(from, count),
    workers: number(values.workers, 2),
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
