import { SeededRandom } from '#libs/runtime';
import { drawApart, drawFaults, FAULTS, randomOf } from './faults/registry.ts';
import { NoRest } from './engine/scheduler.ts';
import type { PlannedFault } from './faults/fault.ts';
import { atTheEnd, unsettled } from './oracles/at-the-end.ts';
import { Violation } from './oracles/violation.ts';
import { drawPods, type PodPlan } from './parts/workload.ts';
import { World } from './world.ts';

/** Everything that makes a run: the same plan, the same run. */
export interface Plan {
  readonly seed: number;
  readonly clusters: readonly string[];
  readonly replicas: number;
  readonly pods: readonly PodPlan[];
  readonly faults: readonly PlannedFault[];
  readonly quota: { readonly rate: number; readonly burst: number };
  readonly inventorySeconds: number;
  readonly orphans: number;
}

export interface Outcome {
  readonly plan: Plan;
  readonly failure: Error | undefined;
  readonly hash: string;
  readonly coverage: ReadonlyMap<string, number>;
  readonly steps: number;
  /** Seconds that passed in the run. */
  readonly virtualSeconds: number;
  readonly trace: readonly string[];
}

/** While pods come and go and faults begin, milliseconds. */
const SPAN_MS = 150_000;
/** After the last fault everything must come to rest within this. */
const REST_WITHIN_MS = 3 * 3_600_000;
const LOOK_EVERY_MS = 5_000;

export function planOf(seed: number, only?: readonly string[]): Plan {
  const random = new SeededRandom(seed * 7919 + 17);
  for (let i = 0; i < 3; i++) random.next();
  const clusters = ['k1', 'k2', 'k3'].slice(0, random.next() < 0.8 ? 2 : 3);
  const replicas = random.next() < 0.8 ? 2 : 3;
  const pods = drawPods(random, clusters, 20 + Math.floor(random.next() * 4), SPAN_MS * 0.8);
  const drawn = drawFaults(random, SPAN_MS, only);
  const alone = new SeededRandom(seed * 6007 + 5);
  for (let i = 0; i < 3; i++) alone.next();
  const faults = only ? drawn : [...drawn, ...drawApart(alone, endOf(drawn))];
  const rate = 1 + Math.floor(random.next() * 5);
  return {
    seed,
    clusters,
    replicas,
    pods,
    faults,
    quota: { rate, burst: rate * (1 + Math.floor(random.next() * 4)) },
    inventorySeconds: 60,
    // Groups with our tag that no stream knows; enough of them that lists have a second page, which faults of lists need.
    orphans: faults.some(({ kind }) => /^(list|page)/.test(kind)) || random.next() < 0.1 ? 18 : 0,
  };
}

const endOf = (faults: readonly PlannedFault[]): number =>
  Math.max(SPAN_MS, ...faults.map(({ atMs, forMs }) => atMs + forMs));

/** Runs a plan to its end, or to the first promise that is broken. */
export async function run(plan: Plan, options: { readonly keepTrace?: boolean } = {}): Promise<Outcome> {
  const world = new World({ ...plan, keepTrace: options.keepTrace ?? false });
  const { scheduler } = world;
  world.start();
  for (const fault of plan.faults) {
    scheduler.at(scheduler.startedAt + fault.atMs, () => {
      world.trace.note('fault', `${fault.kind}, for ${fault.forMs} ms`);
      const kind = FAULTS.get(fault.kind);
      if (kind?.apart === undefined) world.disturbed(fault.forMs);
      kind?.inject(world, fault, randomOf(fault));
    });
  }
  let failure: Error | undefined;
  try {
    await go(world, scheduler.startedAt + endOf(plan.faults));
    world.trace.note('run', 'no more faults');
    world.quiet = true;
    await rest(world, 'with what is left running');
    atTheEnd(world, 'running');
    world.trace.note('run', 'everything is deleted');
    for (const api of world.apis)
      for (const pod of api.values()) world.deletePod(api.clusterId, pod.metadata.uid, 5, false);
    await rest(world, 'with everything deleted');
    atTheEnd(world, 'deleted');
  } catch (error) {
    failure =
      error instanceof NoRest ? new Violation('O1', `does not come to rest: ${error.message}`) : (error as Error);
  } finally {
    scheduler.close();
  }
  return {
    plan,
    failure,
    hash: world.trace.hash,
    coverage: world.coverage.counts,
    steps: scheduler.steps,
    virtualSeconds: scheduler.elapsed / 1000,
    trace: world.trace.lines ?? [],
  };
}

async function go(world: World, until: number): Promise<void> {
  await world.scheduler.run(until, () => {
    world.readEvents();
    return world.broken !== undefined;
  });
  if (world.broken) throw world.broken;
}

/** Waits until nothing is left to do. */
async function rest(world: World, when: string): Promise<void> {
  const deadline = world.scheduler.now + REST_WITHIN_MS;
  for (;;) {
    await go(world, world.scheduler.now + LOOK_EVERY_MS);
    const why = unsettled(world);
    if (why === undefined) return;
    if (world.scheduler.now > deadline) throw new Violation('O1', `not at rest ${when} after 3 h: ${why}`);
  }
}
