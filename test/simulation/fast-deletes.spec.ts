import { SeededRandom } from '#libs/runtime';
import { describe, expect, it } from 'vitest';
import type { PodPlan } from './parts/workload.ts';
import { World } from './world.ts';

const PODS = 60;
/** Of the real clock, for a machine that has much else to do. */
const PATIENCE_MS = 120_000;

/** Pods that are deleted within three seconds of their creation, as people and tests do. */
function pods(seed: number): PodPlan[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: PODS }, (_, index) => {
    const createAtMs = 5_000 + index * 500;
    const serial = `${index}`.padStart(3, '0');
    return {
      clusterId: 'k1',
      uid: `uid-${serial}`,
      name: `pod-${serial}`,
      kind: 'service',
      createAtMs,
      deleteAtMs: Math.floor(createAtMs + random.next() * 3_000),
      graceSeconds: 1,
      force: false,
    };
  });
}

/** Seconds from each pod's delete to its object's end, on the virtual clock. */
async function secondsToGo(
  seed: number,
  {
    visibilityMs,
    terminatingMs = 500,
    deleteOfGone,
    deleteOfUnseen = 'known',
    others,
    clocksMs = [],
  }: {
    visibilityMs: number;
    terminatingMs?: number;
    deleteOfGone: 'ok' | 'not-found';
    deleteOfUnseen?: 'known' | 'unknown';
    others: boolean;
    clocksMs?: readonly number[];
  },
): Promise<number[]> {
  const plans = pods(seed);
  const other: PodPlan = {
    clusterId: 'k1',
    uid: 'uid-999',
    name: 'other',
    kind: 'service',
    createAtMs: 0,
    graceSeconds: 1,
    force: false,
  };
  const world = new World({
    seed,
    clusters: ['k1'],
    replicas: 2,
    pods: others ? [...plans, other] : plans,
    quota: { rate: 20, burst: 100 },
    inventorySeconds: 60,
    orphans: 0,
    keepTrace: false,
    deleteOfGone,
  });
  world.cloud.core.change({
    deleteOfUnseen,
    latencies: {
      visibilityMs: [visibilityMs, visibilityMs],
      schedulingMs: [100, 200],
      pullingMs: [500, 1_000],
      pullingCachedMs: [500, 1_000],
      terminatingMs: [terminatingMs, terminatingMs],
    },
  });
  const goneAt = new Map<string, number>();
  const { scheduler } = world;
  world.start();
  clocksMs.forEach((offset, index) => (world.replica(index).process.clockOffsetMs = offset));
  world.apis[0]?.subscribe(
    ({ kind, object }) => kind === 'deleted' && goneAt.set(object.metadata.uid, scheduler.elapsed),
    () => undefined,
  );
  await scheduler.run(scheduler.startedAt + 300_000, () => {
    world.readEvents();
    return world.broken !== undefined || goneAt.size === PODS;
  });
  if (world.broken) throw world.broken;
  return plans.map(({ uid, deleteAtMs = 0 }) => ((goneAt.get(uid) ?? Infinity) - deleteAtMs) / 1000);
}

describe('pods that are deleted right after they were made', { timeout: PATIENCE_MS }, () => {
  const answers = ['ok', 'not-found'] as const;
  const cases = answers.flatMap((deleteOfGone) => [true, false].map((others) => ({ deleteOfGone, others })));

  it.each(cases)(
    'go within seconds when reads do not lag (a delete of what is gone: $deleteOfGone, other groups: $others)',
    async (world) => {
      const seconds = await secondsToGo(1, { ...world, visibilityMs: 0 });

      expect(Math.max(...seconds)).toBeLessThan(15);
    },
  );

  it.each(cases.filter(({ others }) => others))(
    'go within seconds when reads lag a little (a delete of what is gone: $deleteOfGone, other groups: $others)',
    async (world) => {
      const seconds = await secondsToGo(2, { ...world, visibilityMs: 3_000 });

      expect(Math.max(...seconds)).toBeLessThan(25);
    },
  );

  it.each(cases.filter(({ others, deleteOfGone }) => others === (deleteOfGone === 'ok')))(
    'go when it is proven, and not before, when reads lag by far (a delete of what is gone: $deleteOfGone, other groups: $others)',
    async (world) => {
      // Groups end slowly, out of sight. That no object goes before its group is what the world watches at every removal.
      const seconds = await secondsToGo(3, { ...world, visibilityMs: 45_000, terminatingMs: 20_000 });

      expect(Math.max(...seconds)).toBeLessThan(90);
    },
  );

  it.each([{ clocksMs: [0, 0] }, { clocksMs: [300_000, -300_000] }, { clocksMs: [-3_600_000, 3_600_000] }])(
    'go when it is proven when deletes lag as well, whatever clocks say ($clocksMs)',
    async ({ clocksMs }) => {
      const lag = { visibilityMs: 45_000, terminatingMs: 20_000, deleteOfUnseen: 'unknown' } as const;
      const seconds = await secondsToGo(4, { ...lag, deleteOfGone: 'not-found', others: true, clocksMs });

      expect(Math.max(...seconds)).toBeLessThan(150);
    },
  );
});
