import { describe, expect, it } from 'vitest';
import type { PodPlan } from './parts/workload.ts';
import { World } from './world.ts';

const MINUTE = 60_000;
const GOES = 'uid-goes';
const STAYS = ['uid-stays-1', 'uid-stays-2'];

const plan = (uid: string, createAtMs: number, over: Partial<PodPlan> = {}): PodPlan => ({
  clusterId: 'k1',
  uid,
  name: uid,
  kind: 'service',
  createAtMs,
  graceSeconds: 1,
  force: false,
  ...over,
});

/**
 * Ten minutes in which the cloud answers every read with an empty list. One pod is deleted right after it was made, before the cloud knows its group,
 * so that the delete is one of an unknown id and the group runs on; `blindAfterMs` from then on nothing is to be seen.
 */
function worldWithout(blindAfterMs: number, others: readonly string[]): World {
  const world = new World({
    seed: 2,
    clusters: ['k1'],
    replicas: 2,
    pods: [...others.map((uid) => plan(uid, 0)), plan(GOES, 40_000, { deleteAtMs: 41_000 })],
    quota: { rate: 20, burst: 100 },
    inventorySeconds: 60,
    orphans: 0,
    keepTrace: false,
    deleteOfGone: 'ok',
  });
  const { cloud, scheduler } = world;
  cloud.core.change({
    latencies: { schedulingMs: [100, 200], pullingMs: [500, 1_000], pullingCachedMs: [500, 1_000] },
  });
  world.start();
  scheduler.after(39_000, () =>
    cloud.core.change({ deleteOfUnseen: 'unknown', latencies: { visibilityMs: [15_000, 15_000] } }),
  );
  scheduler.after(40_000 + blindAfterMs, () => cloud.core.change({ account: { permission: 'empty-lists' } }));
  scheduler.after(40_000 + blindAfterMs + 10 * MINUTE, () => cloud.core.change({ account: { permission: 'ok' } }));
  return world;
}

async function run(world: World, untilMs: number): Promise<void> {
  const { scheduler } = world;
  await scheduler.run(scheduler.startedAt + untilMs, () => {
    world.readEvents();
    return world.broken !== undefined;
  });
  if (world.broken) throw world.broken;
}

const phases = (world: World): Readonly<Record<string, unknown>> =>
  Object.fromEntries([...world.apis[0]!.values()].map(({ metadata, status }) => [metadata.uid, status?.phase]));

describe('a fleet that may see nothing for ten minutes', { timeout: 120_000 }, () => {
  // Before its group is shown at all, between its first sight and the next one, and long after.
  it.each([0, 5_000, 14_000, 16_000, 18_000, 20_000, 25_000, 30_000])(
    'takes no group for gone that runs, and lets a pod go once it may see again (blind %i ms after its create)',
    async (blindAfterMs) => {
      const world = worldWithout(blindAfterMs, STAYS);

      await run(world, 40_000 + blindAfterMs + 9 * MINUTE);
      expect(phases(world)).toMatchObject(Object.fromEntries(STAYS.map((uid) => [uid, 'Running'])));

      await run(world, 40_000 + blindAfterMs + 12 * MINUTE);
      expect(Object.keys(phases(world)).toSorted()).toEqual(STAYS);
      expect(new Set(Object.values(phases(world)))).toEqual(new Set(['Running']));
    },
  );

  it.each([0, 5_000, 16_000, 25_000])(
    'has no group left of a pod that is gone, though there is no other (blind %i ms after its create)',
    async (blindAfterMs) => {
      const world = worldWithout(blindAfterMs, []);

      await run(world, 15 * MINUTE);

      expect(phases(world)).toEqual({});
      expect([...world.cloud.groups()].map(({ status }) => status)).toEqual(['Gone']);
    },
  );
});
