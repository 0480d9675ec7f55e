import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { commandKey, topics } from '#libs/contracts';
import { foldOrphan, lifeOf, orphanStreamId, streamIdOf, type OrphanEvent } from '#libs/domain';
import { PostgresCheckpoints, PostgresTransactions, type EventStore, type RecordedEvent } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { AsideItems, Metrics, silentLogger, type AsideItem } from '#libs/observability';
import { SystemIds, SystemRandom } from '#libs/runtime';
import { eventually } from '#libs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { ClusterDirectory } from '../../services/control-plane/src/clusters/cluster-directory.ts';
import { readModelDataSource } from '../../services/control-plane/src/data-source.ts';
import { HoldDesk } from '../../services/control-plane/src/holds/hold-desk.ts';
import { PostgresDeferrals } from '../../services/control-plane/src/intake/postgres-deferrals.ts';
import { startHousekeeping } from '../../services/control-plane/src/housekeeping.ts';
import { OrphanStreams } from '../../services/control-plane/src/orphans/orphan-streams.ts';
import type { Parts, RunningRole } from '../../services/control-plane/src/parts.ts';
import { startProject } from '../../services/control-plane/src/project/role.ts';
import { ClusterTopics } from '../../services/control-plane/src/publish/cluster-topics.ts';
import { EventPublisher } from '../../services/control-plane/src/publish/event-publisher.ts';
import { PodStatusPublisher } from '../../services/control-plane/src/publish/pod-status.ts';
import { PreparedClusters } from '../../services/control-plane/src/publish/prepared-clusters.ts';
import { startPublisherLoop } from '../../services/control-plane/src/publish/publisher-loop.ts';
import { startTopicKeeper } from '../../services/control-plane/src/publish/topic-keeper.ts';
import { sqlClientOf } from '../../services/control-plane/src/transaction.ts';
import { LoopsRig, runPodBody, sealedHalf, type PodOver } from './loops-rig.ts';
import { ACCOUNT, CLUSTER, FLEET, REGION } from './names.ts';
import { Poison, POISONED, type Poisoned } from './poison.ts';
import { makeStrangersGroup, PLACES } from './stranger.ts';

const ROOT = new URL('../../services/control-plane/src/', import.meta.url).pathname;

/** What runs while an item fails, as far as operators see it. */
interface Watched {
  readonly metrics: Metrics;
  trouble(): string | undefined;
  setAside(): readonly AsideItem[];
}

/** One scene: two items alike, of which one is poisoned. */
interface Scene {
  readonly watched: Watched;
  readonly poison: Poison;
  readonly poisoned: Poisoned;
  /** Lets the loop come to both items. */
  readonly begin: () => Promise<unknown>;
  readonly goodIsDone: () => boolean | Promise<boolean>;
  readonly badIsDone: () => boolean | Promise<boolean>;
  /** Brings the loop to the items once more, where nothing does so by itself. */
  readonly again?: () => Promise<unknown>;
  /** It comes to the item so seldom that it forgets it in between: time flies here. */
  readonly seldom?: boolean;
  /** Both are taken together, and begun once: the pod alone fails, and none did before it. */
  readonly together?: boolean;
  /** Moves time ahead by so much while it waits, milliseconds; default 2,000. */
  readonly stepMs?: number;
}

interface Row {
  /** Loops of the product (names as in metrics) that it is about. */
  readonly loop: string;
  readonly item: string;
  readonly scene: (rig: LoopsRig) => Promise<Scene>;
}

const stop: (() => Promise<void>)[] = [];
let rig: LoopsRig;
afterEach(async () => {
  for (const each of stop.splice(0)) await each();
  await rig.stop();
});

/** A rig in which sleeps pass as fast as time is moved: nobody waits for a round that comes every minute. */
async function startRig(): Promise<void> {
  rig = await LoopsRig.start();
  rig.hurriesSleepers = true;
}

const GOOD = 'good-pod';
const BAD = 'bad-pod';
const pods = [BAD, GOOD];
const life = async (uid: string): Promise<string> => lifeOf(await rig.state(uid));
const is =
  (uid: string, ...wanted: readonly string[]) =>
  async (): Promise<boolean> =>
    wanted.includes(await life(uid));
const has = (uid: string, type: string) => async (): Promise<boolean> => (await rig.history(uid)).includes(type);
const parts = () => ({
  pool: rig.pool,
  clock: rig.clock,
  random: new SystemRandom(),
  ids: new SystemIds(),
  logger: silentLogger,
  metrics: new Metrics(),
});

/** The loops that work on streams, with a poison that is off. */
function loops(): { readonly watched: Watched; readonly poison: Poison } {
  const poison = new Poison();
  const running = rig.start(poison.tap);
  return { watched: running, poison };
}

const run = (each: readonly string[] = pods): Promise<unknown> => Promise.all(each.map((uid) => rig.runPod(uid)));
const stopAll = (): Promise<unknown> => Promise.all(pods.map((uid) => rig.stopPod(uid)));
/** A place that is not where most pods run. */
const FAR = 'cn-beijing';
const far: PodOver = { resolved: { profile: { region: FAR, ...PLACES[FAR]!, enableClusterIp: true } } };
const allAre = async (...wanted: readonly string[]): Promise<void> => {
  for (const uid of pods) await rig.hurryUntil(is(uid, ...wanted), `${uid} is ${wanted.join(' or ')}`, 2_000);
};

/** Creates whose answers are lost. */
const losingAnswers = async (work: () => Promise<unknown>): Promise<void> => {
  await rig.simulator.control('POST', '/faults', { id: 'lost', kind: 'lost-answer', action: 'CreateContainerGroup' });
  await work();
  await rig.simulator.control('DELETE', '/faults/lost');
};
const inDoubt = async (): Promise<void> => {
  for (const uid of pods)
    await eventually(async () => (await rig.state(uid)).attempt?.outcome === 'unknown', {
      what: `the create of ${uid} is in doubt`,
      deadlineMs: 30_000,
    });
};

const regions = new Map<string, string>();
const orphanId = (containerGroupId: string) => ({
  accountId: ACCOUNT,
  region: regions.get(containerGroupId) ?? REGION,
  containerGroupId,
});
const orphanPhase = async (group: string): Promise<string> => {
  const streamId = orphanStreamId(orphanId(group));
  const events = (await rig.store().loadMany([streamId])).get(streamId) ?? [];
  return foldOrphan(
    events.map(({ type, metadata, data }) => ({ type, at: metadata.decidedAt, data }) as unknown as OrphanEvent),
  ).phase;
};
const isOrphan =
  (group: string, ...wanted: readonly string[]) =>
  async (): Promise<boolean> =>
    wanted.includes(await orphanPhase(group));

/** Two groups of nobody, and pods that run so that their places are observed. `badIn`: region of the first. */
async function strangers(badIn = REGION): Promise<{ readonly bad: string; readonly good: string }> {
  await rig.runPod('another');
  if (badIn !== REGION) await rig.runPod('another-far', far);
  for (const uid of badIn === REGION ? ['another'] : ['another', 'another-far'])
    await rig.hurryUntil(is(uid, 'running'), `${uid} runs`, 2_000);
  const bad = await makeStrangersGroup(rig, 'nobody-1', 1, { region: badIn });
  regions.set(bad, badIn);
  return { bad, good: await makeStrangersGroup(rig, 'nobody-2', 1) };
}
/** Says that orphans are to be removed. */
const removeAll = async (...groups: readonly string[]): Promise<void> => {
  const streams = new OrphanStreams({ store: rig.store(), clock: rig.clock, ids: new SystemIds() });
  for (const group of groups)
    await streams.execute(
      orphanId(group),
      { type: 'RequestRemoval', by: 'jo', reason: 'a test' },
      { actor: 'operator:jo' },
    );
};
const inQuarantine = async (...groups: readonly string[]): Promise<void> => {
  for (const group of groups) await rig.hurryUntil(isOrphan(group, 'quarantined'), 'it is in quarantine', 310_000);
};

/** What the log holds for a cluster by now, by key. */
async function toldTo(cluster: string): Promise<ReadonlyMap<string, Record<string, unknown>>> {
  const told = new Map<string, Record<string, unknown>>();
  const consumer = await rig.messaging.consume({
    topics: [topics(FLEET).cluster(cluster)],
    group: `looking-${crypto.randomUUID()}`,
    handle: (batch) => {
      for (const { key, value } of batch.messages)
        if (value) told.set(key, JSON.parse(Buffer.from(value).toString()) as Record<string, unknown>);
      return Promise.resolve();
    },
  });
  await consumer.caughtUp();
  await consumer.stop();
  return told;
}

/** UIDs that a cluster is asked about from now on by commands of a name. */
async function askedOf(cluster: string, name: 'Recheck' | 'Refresh'): Promise<Set<string>> {
  const asked = new Set<string>();
  const consumer = await rig.messaging.consume({
    topics: [topics(FLEET).cluster(cluster)],
    group: `listening-${crypto.randomUUID()}`,
    handle: ({ messages }) => {
      for (const { key, value } of messages)
        if (value && key === commandKey(name))
          for (const uid of (JSON.parse(Buffer.from(value).toString()) as { uids: string[] }).uids) asked.add(uid);
      return Promise.resolve();
    },
  });
  stop.push(() => consumer.stop());
  await consumer.caughtUp();
  return asked;
}

/** Pods whose tokens had expired when their agents sent them: nothing but an answer ends the questions. */
async function withOldTokens(...each: readonly (readonly [cluster: string, uid: string])[]): Promise<void> {
  const at = (minutes: number): string => new Date(rig.clock.now() + minutes * 60_000).toISOString();
  const tokens = [{ path: 'api/token', issuedAt: at(-90), expiresAt: at(-30) }];
  for (const [clusterId, uid] of each)
    await rig.send(runPodBody(uid, { resolved: { tokens } }), sealedHalf({ tokens: { 'api/token': 'old' } }), {
      clusterId,
    });
}

const OTHER = 'k2';
/** A second cluster. */
async function anotherCluster(): Promise<void> {
  await rig.pool.query(
    `insert into fleet.cluster (id, name, account_id, epoch, registered_at, joined_at) values ($1, $1, $2, 1, now(), now())`,
    [OTHER, ACCOUNT],
  );
}

/** Streams as an intake leaves them, without anybody who works on them. */
async function acceptedIn(...streams: readonly (readonly [cluster: string, uid: string])[]): Promise<void> {
  const store = rig.store();
  await store.append(
    streams.map(([cluster, uid]) => ({
      streamId: streamIdOf(cluster, uid),
      expected: 0,
      events: [
        {
          eventId: crypto.randomUUID(),
          type: 'StopRequested',
          schemaVersion: 1,
          data: { reason: 'Deleted', namespace: 'default', name: uid },
          metadata: { actor: 'agent:spec', decidedAt: new Date().toISOString() },
        },
      ],
    })),
  );
}

/** The publisher's loop, with a poison on its store, its topics and its broker. */
async function publisher(): Promise<{
  readonly watched: Watched;
  readonly poison: Poison;
  readonly start: () => void;
}> {
  const poison = new Poison();
  const base = parts();
  const names = topics(FLEET);
  await rig.messaging.ensureTopics([{ name: names.events, partitions: 1 }]);
  const store = poison.tap(rig.store() as EventStore, 'store', 'publish');
  const messaging = poison.tap(rig.messaging as Messaging, 'messaging', 'publish clusters');
  const clusters = new ClusterDirectory(base);
  const statuses = new PodStatusPublisher({
    store,
    messaging,
    directory: clusters,
    fleet: FLEET,
    aside: new AsideItems({ ...base, loop: 'statuses' }),
  });
  const fill = async (id: string): Promise<void> =>
    statuses.publish(pods.map((uid) => streamIdOf(id, uid)).concat(streamIdOf(id, 'u1')));
  const clusterTopics = new ClusterTopics({ messaging, fleet: FLEET, refill: fill });
  const prepared = new PreparedClusters({
    ...base,
    loop: 'publish clusters',
    clusters,
    prepare: (id) => clusterTopics.prepare(id),
    fill: (id) => clusterTopics.fill(id),
  });
  const events = new EventPublisher({
    store,
    messaging,
    statuses,
    reach: prepared,
    fleet: FLEET,
    metrics: base.metrics,
  });
  let role: RunningRole | undefined;
  return {
    poison,
    watched: {
      metrics: base.metrics,
      trouble: () => role?.trouble(),
      setAside: () => role?.setAside() ?? [],
    },
    start: () => {
      role = startPublisherLoop({
        ...base,
        store,
        checkpoints: new PostgresCheckpoints(sqlClientOf(rig.pool), new PostgresTransactions(rig.pool)),
        publish: (all: readonly RecordedEvent[]) => events.publish(all),
        prepareTopics: () => prepared.all(),
        clusters: prepared,
        appended: { on: () => () => undefined },
        owner: crypto.randomUUID(),
      });
      stop.push(() => (role as RunningRole).stop());
    },
  };
}

const metricOf =
  (metric: string) =>
  async ({ metrics }: Watched, loop: string): Promise<number> => {
    const line = (await metrics.text()).split('\n').find((each) => each.startsWith(`${metric}{loop="${loop}"}`));
    return Number(line?.split(' ').at(-1));
  };
/** What the gauge says. */
const asideOf = metricOf('eci_fleet_aside');
/** Failures of all items so far. */
const failuresOf = metricOf('eci_fleet_set_aside_total');

const ROWS: readonly Row[] = [
  {
    loop: 'effects',
    item: 'a pod that is to be placed',
    scene: async () => {
      const { watched, poison } = loops();
      return {
        watched,
        poison,
        poisoned: { loop: 'effects', mentions: [BAD] },
        begin: () => run(),
        goodIsDone: is(GOOD, 'running'),
        badIsDone: is(BAD, 'running'),
      };
    },
  },
  {
    loop: 'effects',
    item: 'a create whose outcome is not known',
    scene: async () => {
      const { watched, poison } = loops();
      await losingAnswers(async () => {
        await run();
        await inDoubt();
      });
      return {
        watched,
        poison,
        poisoned: { loop: 'effects', mentions: [BAD] },
        begin: () => Promise.resolve(),
        goodIsDone: is(GOOD, 'running'),
        badIsDone: is(BAD, 'running'),
      };
    },
  },
  {
    loop: 'effects',
    item: 'an attempt that is looked for',
    scene: async () => {
      const { watched, poison } = loops();
      await losingAnswers(async () => {
        await run();
        await inDoubt();
        await stopAll();
        for (const uid of pods)
          await eventually(async () => (await rig.state(uid)).stop, { what: `the stop of ${uid} is recorded` });
      });
      return {
        watched,
        poison,
        poisoned: { loop: 'effects', mentions: [BAD] },
        begin: () => Promise.resolve(),
        goodIsDone: is(GOOD, 'gone'),
        badIsDone: is(BAD, 'gone'),
        stepMs: 10_000,
      };
    },
  },
  {
    loop: 'effects',
    item: 'a group that is to be deleted',
    scene: async () => {
      const { watched, poison } = loops();
      await run();
      await allAre('running');
      return {
        watched,
        poison,
        poisoned: { loop: 'effects', mentions: [BAD] },
        begin: stopAll,
        goodIsDone: is(GOOD, 'gone'),
        badIsDone: is(BAD, 'gone'),
      };
    },
  },
  {
    loop: 'effects',
    item: 'a deleted group whose end is to be proven',
    scene: async () => {
      const { watched, poison } = loops();
      await run();
      await allAre('running');
      return {
        watched,
        poison,
        poisoned: { loop: 'effects', mentions: [BAD, 'ContainerGroupGone'] },
        begin: stopAll,
        goodIsDone: is(GOOD, 'gone'),
        badIsDone: is(BAD, 'gone'),
      };
    },
  },
  {
    loop: 'effects',
    item: 'a pod whose intent is to be asked for again',
    scene: async () => {
      const { watched, poison } = loops();
      const asked = await askedOf(CLUSTER, 'Refresh');
      await withOldTokens([CLUSTER, BAD], [CLUSTER, GOOD]);
      for (const uid of pods) await eventually(() => asked.has(uid), { what: `the agent is asked for ${uid}` });
      return {
        watched,
        poison,
        poisoned: { loop: 'effects', mentions: [BAD] },
        // Nobody answers: both are asked for again, at the same time.
        begin: () => {
          asked.clear();
          return rig.hurry(61_000);
        },
        goodIsDone: () => asked.has(GOOD),
        badIsDone: () => asked.has(BAD),
        together: true,
      };
    },
  },
  {
    loop: 'effects',
    item: 'a cluster that cannot be asked for an intent',
    scene: async () => {
      const { watched, poison } = loops();
      await rig.addCluster(OTHER);
      const [badAsked, goodAsked] = [await askedOf(CLUSTER, 'Refresh'), await askedOf(OTHER, 'Refresh')];
      await withOldTokens([CLUSTER, BAD], [OTHER, GOOD]);
      for (const [asked, uid] of [[badAsked, BAD] as const, [goodAsked, GOOD] as const])
        await eventually(() => asked.has(uid), { what: `the agent is asked for ${uid}` });
      return {
        watched,
        poison,
        poisoned: { loop: 'effects', mentions: [topics(FLEET).cluster(CLUSTER)] },
        begin: () => {
          badAsked.clear();
          goodAsked.clear();
          return rig.hurry(61_000);
        },
        goodIsDone: () => goodAsked.has(GOOD),
        badIsDone: () => badAsked.has(BAD),
        together: true,
      };
    },
  },
  {
    loop: 'effects lanes',
    item: 'a lane in which nothing can be claimed',
    scene: () => {
      const { watched, poison } = loops();
      return Promise.resolve({
        watched,
        poison,
        poisoned: { loop: 'effects', mentions: [`"lane":"${ACCOUNT}/${FAR}/create"`] },
        begin: () => Promise.all([rig.runPod(BAD, far), rig.runPod(GOOD)]),
        goodIsDone: is(GOOD, 'running'),
        badIsDone: is(BAD, 'running'),
      });
    },
  },
  {
    loop: 'gates',
    item: 'a gate',
    scene: async () => {
      const { watched, poison } = loops();
      const zones = ['cn-hangzhou-h', 'cn-hangzhou-i', 'cn-beijing-f'];
      await rig.simulator.control(
        'PUT',
        '/stock',
        zones.map((zone) => ({ zone, capacity: 0 })),
      );
      await Promise.all([rig.runPod(BAD, far), rig.runPod(GOOD)]);
      await allAre('parked');
      return {
        watched,
        poison,
        poisoned: { loop: 'gates', mentions: [`capacity/${ACCOUNT}/${FAR}/`] },
        begin: () => rig.simulator.control('DELETE', '/stock'),
        goodIsDone: is(GOOD, 'running'),
        badIsDone: is(BAD, 'running'),
        stepMs: 10_000,
      };
    },
  },
  {
    loop: 'gates streams',
    item: 'a parked pod, first of those behind its gate',
    scene: async () => {
      const { watched, poison } = loops();
      rig.credential = () => Promise.resolve({ accessKeyId: 'nobody', accessKeySecret: 'nothing' });
      // The bad one waits longest, so that it is always the first.
      for (const uid of pods) {
        await rig.runPod(uid);
        await rig.hurryUntil(is(uid, 'parked'), `${uid} is parked`, 500);
      }
      return {
        watched,
        poison,
        poisoned: { loop: 'gates', mentions: [BAD] },
        begin: () => Promise.resolve(),
        goodIsDone: has(GOOD, 'Unparked'),
        badIsDone: has(BAD, 'Unparked'),
        stepMs: 5_000,
      };
    },
  },
  {
    loop: 'holds',
    item: 'a decision on a held stop',
    scene: async () => {
      rig.limits = { percent: 0, count: 1, windowMs: 300_000 };
      const { watched, poison } = loops();
      const all = ['more-1', 'more-2', ...pods];
      await run(all);
      for (const uid of all) await rig.hurryUntil(is(uid, 'running'), `${uid} runs`, 2_000);
      for (const uid of all) {
        await rig.stopPod(uid, 'Absent');
        await eventually(async () => (await rig.state(uid)).stop ?? (await rig.state(uid)).held, {
          what: `the stop of ${uid} is decided`,
        });
      }
      const isDone = (uid: string) => async (): Promise<boolean> => (await rig.state(uid)).stop !== undefined;
      expect([await isDone(BAD)(), await isDone(GOOD)()]).toEqual([false, false]);
      return {
        watched,
        poison,
        poisoned: { loop: 'holds', mentions: [BAD] },
        begin: () =>
          new HoldDesk(rig.pool).decide({ clusterId: CLUSTER, verdict: 'release', which: { all: true }, by: 'jo' }),
        goodIsDone: isDone(GOOD),
        badIsDone: isDone(BAD),
      };
    },
  },
  {
    loop: 'timers',
    item: 'a timer that is due',
    scene: async () => {
      const poison = new Poison();
      const woken = new Set<string>();
      rig.timerHandlers = {
        wake: (streamId) => {
          poison.check('timers', streamId);
          woken.add(streamId);
          return Promise.resolve();
        },
      };
      const watched = rig.start();
      await acceptedIn([CLUSTER, BAD], [CLUSTER, GOOD]);
      return {
        watched,
        poison,
        poisoned: { loop: 'timers', mentions: [BAD] },
        begin: () =>
          rig.store().append(
            pods.map((uid) => ({
              streamId: streamIdOf(CLUSTER, uid),
              expected: 1,
              events: [],
              timers: [{ op: 'put', name: 'wake', dueAt: new Date().toISOString(), data: {} } as const],
            })),
          ),
        goodIsDone: () => woken.has(streamIdOf(CLUSTER, GOOD)),
        badIsDone: () => woken.has(streamIdOf(CLUSTER, BAD)),
        stepMs: 10_000,
      };
    },
  },
  {
    loop: `observe ${ACCOUNT}/${REGION}`,
    item: 'a group that ends',
    scene: async () => {
      const { watched, poison } = loops();
      await Promise.all(
        pods.map((uid) => rig.runPod(uid, { container: { command: ['sh', '-c', 'sleep 4; exit 3'] } })),
      );
      await allAre('running', 'failed');
      return {
        watched,
        poison,
        poisoned: { loop: 'observe', mentions: [BAD] },
        begin: () => Promise.resolve(),
        goodIsDone: is(GOOD, 'failed'),
        badIsDone: is(BAD, 'failed'),
      };
    },
  },
  {
    loop: `observe streams ${ACCOUNT}/${REGION}`,
    item: 'a group of nobody',
    scene: async () => {
      const { watched, poison } = loops();
      const { bad, good } = await strangers();
      return {
        watched,
        poison,
        poisoned: { loop: 'observe', mentions: [orphanStreamId(orphanId(bad))] },
        begin: () => Promise.resolve(),
        goodIsDone: isOrphan(good, 'quarantined'),
        badIsDone: isOrphan(bad, 'quarantined'),
        stepMs: 310_000,
        seldom: true,
      };
    },
  },
  {
    loop: `observe streams ${ACCOUNT}/${REGION}`,
    item: 'the stream of a group that a list lacks',
    scene: async () => {
      const { watched, poison } = loops();
      await run();
      await allAre('running');
      return {
        watched,
        poison,
        poisoned: { loop: 'observe', mentions: [BAD] },
        begin: async () => {
          for (const uid of pods) {
            const [group] = await rig.groupsOf(uid);
            await rig.simulator.control('DELETE', `/groups/${group!.containerGroupId}`);
          }
        },
        goodIsDone: has(GOOD, 'ContainerGroupGone'),
        badIsDone: has(BAD, 'ContainerGroupGone'),
        stepMs: 70_000,
      };
    },
  },
  {
    loop: 'orphan-policy',
    item: 'an orphan whose time is over',
    scene: async () => {
      rig.orphanPolicy = { kind: 'remove-after', afterMs: 3_600_000 };
      const { watched, poison } = loops();
      const { bad, good } = await strangers();
      await inQuarantine(bad, good);
      return {
        watched,
        poison,
        poisoned: { loop: 'orphan-policy', mentions: [bad] },
        begin: () => rig.hurry(3_600_000),
        goodIsDone: isOrphan(good, 'removing', 'removed'),
        badIsDone: isOrphan(bad, 'removing', 'removed'),
      };
    },
  },
  {
    loop: 'orphans',
    item: 'an orphan that is to be removed',
    scene: async () => {
      const { watched, poison } = loops();
      const { bad, good } = await strangers();
      await inQuarantine(bad, good);
      return {
        watched,
        poison,
        poisoned: { loop: 'orphans', mentions: [bad] },
        begin: () => removeAll(bad, good),
        goodIsDone: isOrphan(good, 'removed'),
        badIsDone: isOrphan(bad, 'removed'),
        stepMs: 5_000,
      };
    },
  },
  {
    loop: 'orphans places',
    item: 'a place in which no removal can be begun',
    scene: async () => {
      const { watched, poison } = loops();
      const { bad, good } = await strangers(FAR);
      await inQuarantine(bad, good);
      return {
        watched,
        poison,
        poisoned: { loop: 'orphans', mentions: [`"lane":"${ACCOUNT}/${FAR}/delete"`] },
        begin: () => removeAll(bad, good),
        goodIsDone: isOrphan(good, 'removed'),
        badIsDone: isOrphan(bad, 'removed'),
        stepMs: 5_000,
      };
    },
  },
  {
    loop: 'inventories',
    item: 'the stream of a pod that a cluster does not have',
    scene: async () => {
      const { watched, poison } = loops();
      await run();
      await allAre('running');
      const asked = async (uid: string): Promise<boolean> =>
        ((await toldTo(CLUSTER)).get(commandKey('Recheck'))?.['uids'] as string[] | undefined)?.includes(uid) ?? false;
      const inventory = () =>
        rig.send({ kind: 'Inventory', inventoryId: crypto.randomUUID(), chunk: 0, chunks: 1, pods: [] });
      return {
        watched,
        poison,
        poisoned: { loop: 'intake', mentions: [BAD] },
        begin: inventory,
        again: inventory,
        goodIsDone: () => asked(GOOD),
        // The agent is asked about it all the same; it is compared by the next inventory.
        badIsDone: () => asked(BAD),
      };
    },
  },
  {
    loop: 'statuses',
    item: 'a status that a cluster lacks',
    scene: async () => {
      const { watched, poison } = loops();
      await run();
      await allAre('running');
      const inventory = () =>
        rig.send({
          kind: 'Inventory',
          inventoryId: crypto.randomUUID(),
          chunk: 0,
          chunks: 1,
          pods: pods.map((uid) => ({ uid, resourceVersion: '1', phase: 'Running' })),
        });
      return {
        watched,
        poison,
        poisoned: { loop: 'statuses', mentions: [BAD] },
        begin: inventory,
        again: inventory,
        goodIsDone: async () => (await toldTo(CLUSTER)).has(GOOD),
        badIsDone: async () => (await toldTo(CLUSTER)).has(BAD),
      };
    },
  },
  {
    loop: 'ask-again',
    item: 'a cluster that cannot be asked for what was over its budget',
    scene: async () => {
      await rig.addCluster(OTHER);
      const [badAsked, goodAsked] = [await askedOf(CLUSTER, 'Recheck'), await askedOf(OTHER, 'Recheck')];
      const { watched, poison } = loops();
      const deferrals = new PostgresDeferrals({ pool: rig.pool, clock: rig.clock });
      return {
        watched,
        poison,
        poisoned: { loop: 'ask-again', mentions: [topics(FLEET).cluster(CLUSTER)] },
        begin: async () => {
          await deferrals.defer(CLUSTER, [BAD]);
          await deferrals.defer(OTHER, [GOOD]);
        },
        goodIsDone: () => goodAsked.has(GOOD),
        badIsDone: () => badAsked.has(BAD),
        stepMs: 10_000,
      };
    },
  },
  {
    loop: 'publish',
    item: 'a stream whose status cannot be said',
    scene: async () => {
      const { watched, poison, start } = await publisher();
      return {
        watched,
        poison,
        poisoned: { loop: 'publish', mentions: [BAD] },
        begin: async () => {
          await acceptedIn([CLUSTER, BAD], [CLUSTER, GOOD]);
          start();
        },
        goodIsDone: async () => (await toldTo(CLUSTER)).has(GOOD),
        badIsDone: async () => (await toldTo(CLUSTER)).has(BAD),
      };
    },
  },
  {
    loop: 'publish clusters',
    item: 'a cluster whose topic cannot be made',
    scene: async () => {
      const { watched, poison, start } = await publisher();
      await anotherCluster();
      return {
        watched,
        poison,
        poisoned: { loop: 'publish clusters', mentions: [topics(FLEET).cluster(OTHER)] },
        begin: async () => {
          await acceptedIn([OTHER, 'u1'], [CLUSTER, 'u1']);
          start();
        },
        goodIsDone: async () => (await toldTo(CLUSTER)).has('u1'),
        badIsDone: async () => (await toldTo(OTHER)).has('u1'),
      };
    },
  },
  {
    loop: 'topics',
    item: 'a cluster whose topic cannot be made again',
    scene: async () => {
      await anotherCluster();
      const poison = new Poison();
      const base = parts();
      const messaging = poison.tap(rig.messaging as Messaging, 'messaging', 'topics');
      const names = topics(FLEET);
      await rig.messaging.deleteTopic(names.cluster(CLUSTER));
      const filled = new Set<string>();
      const refill = (id: string): Promise<void> => Promise.resolve(void filled.add(id));
      return {
        poison,
        poisoned: { loop: 'topics', mentions: [names.cluster(OTHER)] },
        ...(() => {
          let role: RunningRole | undefined;
          return {
            watched: {
              metrics: base.metrics,
              trouble: () => role?.trouble(),
              setAside: () => role?.setAside() ?? [],
            },
            begin: () => {
              role = startTopicKeeper({
                ...base,
                config: { fleet: FLEET, kafka: { intentPartitions: 4 } },
                messaging,
                clusters: new ClusterDirectory(base),
                topics: new ClusterTopics({ messaging, fleet: FLEET, refill }),
              } as unknown as Parts);
              stop.push(() => (role as RunningRole).stop());
              return Promise.resolve();
            },
          };
        })(),
        goodIsDone: () => filled.has(CLUSTER),
        badIsDone: () => filled.has(OTHER),
      };
    },
  },
  {
    loop: 'project',
    item: 'a stream that has no row',
    scene: async () => {
      const poison = new Poison();
      const base = parts();
      const dataSource = await readModelDataSource(rig.url, 2).initialize();
      stop.push(() => dataSource.destroy());
      const store = poison.tap(rig.store() as EventStore, 'store', 'project');
      let role: RunningRole | undefined;
      const hasRow = (uid: string) => async (): Promise<boolean> =>
        (await rig.pool.query('select 1 from fleet.container_group where stream_id = $1', [streamIdOf(CLUSTER, uid)]))
          .rows.length === 1;
      return {
        watched: { metrics: base.metrics, trouble: () => role?.trouble(), setAside: () => role?.setAside() ?? [] },
        poison,
        poisoned: { loop: 'project', mentions: [BAD] },
        begin: async () => {
          await acceptedIn([CLUSTER, BAD], [CLUSTER, GOOD]);
          role = await startProject({ ...base, dataSource, store } as unknown as Parts);
          stop.unshift(() => (role as RunningRole).stop());
        },
        goodIsDone: hasRow(GOOD),
        badIsDone: hasRow(BAD),
      };
    },
  },
  {
    loop: 'housekeeping',
    item: 'a chore',
    scene: async () => {
      const poison = new Poison();
      const base = parts();
      const done = new Set<string>();
      const chore = (name: string) => ({
        name,
        run: () => {
          poison.check('housekeeping', name);
          done.add(name);
          return Promise.resolve(1);
        },
      });
      let role: RunningRole | undefined;
      return {
        watched: { metrics: base.metrics, trouble: () => role?.trouble(), setAside: () => role?.setAside() ?? [] },
        poison,
        poisoned: { loop: 'housekeeping', mentions: [BAD] },
        begin: () => {
          role = startHousekeeping(base, [chore(BAD), chore(GOOD)]);
          stop.push(() => (role as RunningRole).stop());
          return Promise.resolve();
        },
        goodIsDone: () => done.has(GOOD),
        badIsDone: () => done.has(BAD),
      };
    },
  },
];

/** Loops that work on no items of which one could be passed over, and why. */
const WITHOUT_ITEMS: Readonly<Record<string, string>> = {
  observe: 'it only begins a loop for each place',
  'audit-seal': 'seals chain all events in their order: one that is passed over would be a hole in the chain',
  'audit-publish': 'seals are told in their order',
  readiness: 'it asks its own process',
};

describe('one item that fails', () => {
  describe.each(ROWS)('$loop: $item', ({ loop, scene }) => {
    const namesBad = (watched: Watched): readonly AsideItem[] =>
      watched.setAside().filter((each) => each.loop === loop);

    it('once: it is done a little later', { timeout: 120_000 }, async () => {
      await startRig();
      const { poison, poisoned, begin, goodIsDone, badIsDone, stepMs = 2_000, watched } = await scene(rig);
      // given an item that fails for the first time
      poison.on({ ...poisoned, times: 1 });
      await begin();
      // then all are done
      await rig.hurryUntil(goodIsDone, 'the other is done', stepMs);
      await rig.hurryUntil(async () => poison.hits > 0 && (await badIsDone()), 'it is done as well', stepMs);
      expect(watched.trouble()).toBeUndefined();
    });

    it(
      'always: it is set aside, the others are done, and it is done once it can be',
      { timeout: 120_000 },
      async () => {
        await startRig();
        const given = await scene(rig);
        const { watched, poison, poisoned, begin, again, goodIsDone, badIsDone, stepMs = 2_000 } = given;
        const isSeen = ({ failures }: AsideItem): boolean =>
          failures >= 2 || (given.seldom === true && poison.hits >= 2);
        // given an item that fails whatever is tried
        poison.on(poisoned);
        await begin();

        // then the others are done
        await rig.hurryUntil(goodIsDone, 'the other is done', stepMs);
        // and it is seen, with its reason
        const [seen] = await rig.hurryUntil(
          async () => {
            await again?.();
            return namesBad(watched).some(isSeen) ? namesBad(watched) : undefined;
          },
          'it is set aside',
          stepMs,
        );
        expect(seen).toMatchObject({ loop, reason: POISONED });
        expect(await asideOf(watched, loop)).toBeGreaterThan(0);
        // and it alone is, and was
        if (given.together === true)
          await eventually(
            async () => {
              const all = namesBad(watched);
              const failures = all.reduce((sum, each) => sum + each.failures, 0);
              return all.every(({ item }) => item.includes(BAD)) && failures === (await failuresOf(watched, loop));
            },
            { what: 'no other failed' },
          );
        // and the process is ready
        expect(watched.trouble()).toBeUndefined();
        // and it is not tried again and again without a pause
        const before = poison.hits;
        await setTimeout(500);
        expect(poison.hits - before).toBeLessThanOrEqual(10);

        // when it can be done
        poison.off();
        // then it is done, and set aside no more
        await rig.hurryUntil(
          async () => {
            await again?.();
            return badIsDone();
          },
          'it is done',
          stepMs,
        );
        await rig.hurryUntil(
          async () => {
            await again?.();
            return namesBad(watched).length === 0;
          },
          'nothing is set aside',
          stepMs,
        );
        expect(await asideOf(watched, loop)).toBe(0);
      },
    );
  });

  it.each(['Recheck', 'Refresh'] as const)(
    'keeps nobody waiting who is to be asked meanwhile (%s)',
    { timeout: 60_000 },
    async (name) => {
      await startRig();
      await rig.addCluster(OTHER);
      // given a cluster whose topic is not there, for which a broker is asked for half a minute
      const topic = { name: topics(FLEET).cluster(CLUSTER), partitions: 1, compacted: true };
      await rig.messaging.deleteTopic(topic.name);
      const asked = await askedOf(OTHER, name);
      loops();
      const deferrals = new PostgresDeferrals({ pool: rig.pool, clock: rig.clock });
      // when it and another are to be asked
      if (name === 'Refresh') await withOldTokens([CLUSTER, BAD], [OTHER, GOOD]);
      else
        for (const [cluster, uid] of [[CLUSTER, BAD] as const, [OTHER, GOOD] as const])
          await deferrals.defer(cluster, [uid]);
      // then the other is asked at once
      await rig.hurryUntil(() => asked.has(GOOD), 'the other is asked', 10_000, 20_000);
      // and it is, too, when its topic is there
      await rig.messaging.ensureTopics([topic]);
      await rig.hurryUntil(
        async () => ((await toldTo(CLUSTER)).get(commandKey(name))?.['uids'] as string[] | undefined)?.includes(BAD),
        'it is asked',
        2_000,
      );
    },
  );

  it('has been tried for every loop of the control plane', async () => {
    rig = await LoopsRig.start();
    const names = new Set<string>();
    const setsAside = new Set<string>();
    for (const entry of await readdir(ROOT, { recursive: true })) {
      if (!entry.endsWith('.ts') || entry.endsWith('.spec.ts')) continue;
      const text = await readFile(join(ROOT, entry), 'utf8');
      for (const [, name] of text.matchAll(/loop: ['`]([a-z -]+)['`$]/g)) setsAside.add(name!.trim());
      if (!/new (Supervised)?Loop\(/.test(text) && !text.includes('startAudit(')) continue;
      for (const [, name] of text.matchAll(/name(?::| =) ['`]([a-z-]+)['`$ ]/g)) names.add(name!);
      for (const [, name] of text.matchAll(/loop\('([a-z-]+)'/g)) names.add(name!);
    }
    const tried = new Set(ROWS.flatMap(({ loop }) => [loop, loop.split(' ')[0]!]));
    expect([...names].filter((name) => !tried.has(name) && !(name in WITHOUT_ITEMS))).toEqual([]);
    expect(names.size).toBeGreaterThan(10);
    // and for all that they set aside
    const aside = new Set(ROWS.map(({ loop }) => loop.replace(/ \S*\/.*$/, '')));
    expect([...setsAside].filter((name) => !aside.has(name) && !(name in WITHOUT_ITEMS))).toEqual([]);
    expect(setsAside.size).toBeGreaterThan(10);
  });
});
