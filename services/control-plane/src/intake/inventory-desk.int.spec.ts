import { MAX_LEFTOVERS, PodStatusMessage, topics, type Inventory } from '#libs/contracts';
import { DEFAULT_MASS_DELETE_LIMITS, streamIdOf } from '#libs/domain';
import { createPool, PostgresEventStore } from '#libs/event-store';
import type { Consumer, IncomingMessage, Messaging } from '#libs/messaging';
import { AsideItems, Metrics, silentLogger } from '#libs/observability';
import { SystemClock, SystemIds } from '#libs/runtime';
import { createTestDatabase, eventually, type TestDatabase } from '#libs/testing';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterDirectory } from '../clusters/cluster-directory.ts';
import {
  accepted,
  created,
  gone,
  newMessaging,
  placed,
  podObjectGone,
  running,
  stopRequested,
  story,
  voiceOf,
} from '../../spec/for-specs.ts';
import { PostgresStopGuard } from '../holds/postgres-stop-guard.ts';
import { ClusterCommands } from '../publish/cluster-commands.ts';
import { PodStatusPublisher } from '../publish/pod-status.ts';
import { StreamCommands } from '../streams/stream-commands.ts';
import { InventoryDesk } from './inventory-desk.ts';
import { PostgresDeferrals } from './postgres-deferrals.ts';
import { PostgresInventories } from './postgres-inventories.ts';

const FLEET = 'desk';
const TOPIC = topics(FLEET).cluster('k1');
const clock = new SystemClock();
let database: TestDatabase;
let pool: pg.Pool;
let store: PostgresEventStore;
let messaging: Messaging;
let desk: InventoryDesk;
let reader: Consumer;
const said: IncomingMessage[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 2 });
  await pool.query(
    `insert into fleet.account (id, name, credential, source, created_at, updated_at) values ('a', 'a', '{}', 'api', now(), now());
     insert into fleet.cluster (id, name, account_id, registered_at, joined_at) values ('k1', 'k1', 'a', now(), now())`,
  );
  store = new PostgresEventStore(pool);
  messaging = newMessaging();
  await messaging.ensureTopics([{ name: TOPIC, partitions: 1, compacted: true }]);
  const directory = new ClusterDirectory({ pool, clock });
  const metrics = new Metrics();
  const voice = voiceOf({ messaging, pool, fleet: FLEET });
  desk = new InventoryDesk({
    inventories: new PostgresInventories({ pool, clock }),
    streams: new StreamCommands({ store, clock, ids: new SystemIds() }),
    agents: new ClusterCommands({ voice, directory }),
    statuses: new PodStatusPublisher({
      store,
      voice,
      directory,
      aside: new AsideItems({ loop: 'statuses', clock, logger: silentLogger, metrics }),
    }),
    guard: new PostgresStopGuard({
      pool,
      limits: DEFAULT_MASS_DELETE_LIMITS,
      logger: silentLogger,
      metrics,
    }),
    deferrals: new PostgresDeferrals({ pool, clock }),
    clock,
    logger: silentLogger,
    metrics,
  });
  reader = await messaging.consume({
    topics: [TOPIC],
    group: 'spec',
    handle: ({ messages }) => {
      said.push(...messages);
      return Promise.resolve();
    },
  });
});

afterAll(async () => {
  await reader?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

/** Pods whose life is over, object and all: their streams are history. */
async function history(uids: readonly string[]): Promise<void> {
  await store.append(
    uids.map((uid) => ({
      streamId: streamIdOf('k1', uid),
      expected: 0,
      events: story([accepted('k1', uid), stopRequested, podObjectGone]),
      closed: true,
    })),
  );
}

/** One part of an inventory of more, so that nothing but its leftovers is answered. */
const take = (leftovers: readonly string[]): Promise<void> => {
  const inventory: Inventory = {
    kind: 'Inventory',
    inventoryId: crypto.randomUUID(),
    chunk: 0,
    chunks: 2,
    pods: [],
    leftovers: [...leftovers],
  };
  return desk.take('k1', inventory);
};

const ofPod = (uid: string): IncomingMessage[] => said.filter(({ key }) => key === uid);
const untilSaid = (uid: string, what: string, is: (last: IncomingMessage) => boolean): Promise<unknown> =>
  eventually(() => ofPod(uid).at(-1) !== undefined && is(ofPod(uid).at(-1)!), { what: `${what} is said of ${uid}` });

/** What a writer that was stopped in the middle says when it goes on. */
const lateWord = (uid: string) => {
  const message = { kind: 'PodStatus', schemaVersion: 1, podUid: uid, namespace: 'default', name: uid, revision: 1 };
  const value = PodStatusMessage.parse({ ...message, annotations: {}, finalize: false, events: [] });
  return { key: uid, value: Buffer.from(JSON.stringify(value)) };
};

describe('statuses that an agent finds on its topic of pods that it does not have', () => {
  it('are followed by the tombstone of a pod that is history', async () => {
    await history(['late']);
    await messaging.publish(TOPIC, [{ key: 'late', value: null }, lateWord('late')]);
    await untilSaid('late', 'the late word', ({ value }) => value !== null);

    await take(['late']);

    await untilSaid('late', 'a tombstone', ({ value }) => value === null);
  });

  it('are left alone when the pod is not history, or is not known at all', async () => {
    await store.append([
      {
        streamId: streamIdOf('k1', 'lives'),
        expected: 0,
        events: story([accepted('k1', 'lives'), placed(), created('eci-1'), running('eci-1')]),
      },
    ]);
    await history(['over']);

    await take(['lives', 'never-heard-of', 'over']);

    // They would have been said before it, or with it.
    await untilSaid('over', 'a tombstone', ({ value }) => value === null);
    expect(['lives', 'never-heard-of'].flatMap(ofPod)).toEqual([]);
  });

  it('are those of this cluster alone, whatever another one has', async () => {
    await store.append([
      {
        streamId: streamIdOf('k2', 'elsewhere'),
        expected: 0,
        events: story([
          accepted('k2', 'elsewhere'),
          placed(),
          created('eci-2'),
          stopRequested,
          gone('eci-2'),
          podObjectGone,
        ]),
        closed: true,
      },
    ]);
    await history(['here']);

    await take(['elsewhere', 'here']);

    await untilSaid('here', 'a tombstone', ({ value }) => value === null);
    expect(ofPod('elsewhere')).toEqual([]);
  });

  it(
    'are told to nobody while the topic cannot be written, which holds up nobody else',
    { timeout: 60_000 },
    async () => {
      await history(['untold']);
      await messaging.deleteTopic(TOPIC);

      await take(['untold']);

      expect(desk.setAside()).toMatchObject([{ item: 'k1', reason: expect.stringContaining(TOPIC) }]);

      // when it is there again, the next inventory names them once more
      await messaging.ensureTopics([{ name: TOPIC, partitions: 1, compacted: true }]);
      await take(['untold']);
      await untilSaid('untold', 'a tombstone', ({ value }) => value === null);
      expect(desk.setAside()).toEqual([]);
    },
  );

  it('may be as many as an inventory can name', async () => {
    const uids = Array.from({ length: MAX_LEFTOVERS }, (_, index) => `many-${index}`);
    await history(uids);

    await take(uids);

    await eventually(() => uids.every((uid) => ofPod(uid).at(-1)?.value === null), {
      what: 'a tombstone of each is said',
    });
  });
});
