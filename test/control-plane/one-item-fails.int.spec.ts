import { setTimeout } from 'node:timers/promises';
import { topics } from '#libs/contracts';
import type { AsideItem } from '#libs/observability';
import { eventually } from '#libs/testing';
import { describe, expect, it, type TestContext } from 'vitest';
import { PostgresDeferrals } from '../../services/control-plane/src/intake/postgres-deferrals.ts';
import { CLUSTER, FLEET } from './names.ts';
import { CLOUD } from './one-item-fails/cloud.ts';
import { EFFECTS } from './one-item-fails/effects.ts';
import { KEPT } from './one-item-fails/kept.ts';
import { loopsOfTheProduct } from './one-item-fails/loops-of-the-product.ts';
import type { Row, Watched } from './one-item-fails/scene.ts';
import { BAD, GOOD, OTHER, Stage, wasAsked } from './one-item-fails/stage.ts';
import { TOLD } from './one-item-fails/told.ts';
import { WAITING } from './one-item-fails/waiting.ts';
import { POISONED } from './poison.ts';

const ROWS: readonly Row[] = [...EFFECTS, ...WAITING, ...CLOUD, ...TOLD, ...KEPT];

/** Loops that work on no items of which one could be passed over, and why. */
const WITHOUT_ITEMS: Readonly<Record<string, string>> = {
  observe: 'it only begins a loop for each place',
  'audit-seal': 'seals chain all events in their order: one that is passed over would be a hole in the chain',
  'audit-publish': 'seals are told in their order',
  'audit-archive': 'seals are kept in their order',
  readiness: 'it asks its own process',
};

type Ending = Pick<TestContext, 'onTestFinished'>;

async function openStage({ onTestFinished }: Ending): Promise<Stage> {
  const stage = await Stage.open();
  onTestFinished(() => stage.close());
  return stage;
}

/** One row, about to begin. */
async function setUp({ loop, poisons = loop.split(' ')[0]!, scene, stepMs = 2_000 }: Row, ending: Ending) {
  const stage = await openStage(ending);
  const { items = { bad: BAD, good: GOOD }, mentions = [items.bad], begin, isDone, again } = await scene(stage);
  const { rig, poison, watched } = stage;
  return {
    poison,
    watched,
    bad: items.bad,
    poisoned: { loop: poisons, mentions },
    begin: async () => void (await begin?.()),
    again: async () => void (await again?.()),
    goodIsDone: () => isDone(items.good),
    badIsDone: () => isDone(items.bad),
    setAside: () => watched.setAside().filter((each) => each.loop === loop),
    until: <T>(condition: () => T | Promise<T>, what: string) => rig.hurryUntil(condition, what, stepMs),
  };
}

async function metricOf({ metrics }: Watched, metric: string, loop: string): Promise<number> {
  const line = (await metrics.text()).split('\n').find((each) => each.startsWith(`${metric}{loop="${loop}"}`));
  return Number(line?.split(' ').at(-1));
}

// Side by side: each has a database, a cloud and a time of its own, and mostly waits.
describe.concurrent('one item that fails', () => {
  describe.each(ROWS)('$loop: $item', (row) => {
    const { loop, seldom = false, together = false } = row;

    it('once: it is done a little later', { timeout: 120_000 }, async (context) => {
      const { watched, poison, poisoned, begin, goodIsDone, badIsDone, until } = await setUp(row, context);
      // given an item that fails for the first time
      poison.on({ ...poisoned, times: 1 });
      await begin();
      // then all are done
      await until(goodIsDone, 'the other is done');
      await until(async () => poison.hits > 0 && (await badIsDone()), 'it is done as well');
      expect(watched.trouble()).toBeUndefined();
    });

    it(
      'always: it is set aside, the others are done, and it is done once it can be',
      { timeout: 120_000 },
      async (context) => {
        const { watched, poison, poisoned, bad, begin, again, goodIsDone, badIsDone, setAside, until } = await setUp(
          row,
          context,
        );
        const isSeen = ({ failures }: AsideItem): boolean => failures >= 2 || (seldom && poison.hits >= 2);
        // given an item that fails whatever is tried
        poison.on(poisoned);
        await begin();

        // then the others are done
        await until(goodIsDone, 'the other is done');
        // and it is seen, with its reason
        const [seen] = await until(async () => {
          await again();
          return setAside().some(isSeen) ? setAside() : undefined;
        }, 'it is set aside');
        expect(seen).toMatchObject({ loop, reason: POISONED });
        expect(await metricOf(watched, 'eci_fleet_aside', loop)).toBeGreaterThan(0);
        // and it alone is, and was
        if (together)
          await eventually(
            async () => {
              const all = setAside();
              const failures = all.reduce((sum, each) => sum + each.failures, 0);
              const counted = await metricOf(watched, 'eci_fleet_set_aside_total', loop);
              return all.every(({ item }) => item.includes(bad)) && failures === counted;
            },
            { what: 'no other failed' },
          );
        // and the process is ready
        expect(watched.trouble()).toBeUndefined();
        // and it is not tried again and again without a pause: no event says that nothing happens
        const before = poison.hits;
        await setTimeout(500);
        expect(poison.hits - before).toBeLessThanOrEqual(10);

        // when it can be done
        poison.off();
        // then it is done, and set aside no more
        await until(async () => {
          await again();
          return badIsDone();
        }, 'it is done');
        await until(async () => {
          await again();
          return setAside().length === 0;
        }, 'nothing is set aside');
        expect(await metricOf(watched, 'eci_fleet_aside', loop)).toBe(0);
      },
    );
  });

  it.for(['Recheck', 'Refresh'] as const)(
    'keeps nobody waiting who is to be asked meanwhile (%s)',
    { timeout: 60_000 },
    async (name, context) => {
      const stage = await openStage(context);
      const { rig } = stage;
      await rig.addCluster(OTHER);
      // given a cluster whose topic is not there, for which a broker is asked for half a minute
      const topic = { name: topics(FLEET).cluster(CLUSTER), partitions: 1, compacted: true };
      await rig.messaging.deleteTopic(topic.name);
      const asked = await stage.askedOf([OTHER], name);
      stage.startLoops();
      // when it and another are to be asked
      const both = [[CLUSTER, BAD] as const, [OTHER, GOOD] as const];
      if (name === 'Refresh') await stage.runWithOldTokens(...both);
      else for (const [cluster, uid] of both) await new PostgresDeferrals(stage.base).defer(cluster, [uid]);
      // then the other is asked at once
      await rig.hurryUntil(() => asked.has(GOOD), 'the other is asked', 10_000, 20_000);
      // and it is, too, when its topic is there
      await rig.messaging.ensureTopics([topic]);
      await rig.hurryUntil(() => wasAsked(stage, name, BAD), 'it is asked', 2_000);
    },
  );

  it('has been tried for every loop of the control plane', async () => {
    const { loops, setAside } = await loopsOfTheProduct();
    const tried = new Set(ROWS.flatMap(({ loop }) => [loop, loop.split(' ')[0]!]));
    expect([...loops].filter((name) => !tried.has(name) && !(name in WITHOUT_ITEMS))).toEqual([]);
    expect(loops.size).toBeGreaterThan(10);
    // and for all that they set aside
    const aside = new Set(ROWS.map(({ loop }) => loop.replace(/ \S*\/.*$/, '')));
    expect([...setAside].filter((name) => !aside.has(name) && !(name in WITHOUT_ITEMS))).toEqual([]);
    expect(setAside.size).toBeGreaterThan(10);
  });
});
