import { randomBytes } from 'node:crypto';
import { topics } from '#libs/contracts';
import { streamIdOf } from '#libs/domain';
import { asSqlClient, PostgresCheckpoints, PostgresTransactions, type EventStore } from '#libs/event-store';
import type { Messaging, ProduceQuotas } from '#libs/messaging';
import { AsideItems } from '#libs/observability';
import { ClusterDirectory } from '../../../services/control-plane/src/clusters/cluster-directory.ts';
import { Standings } from '../../../services/control-plane/src/clusters/standings.ts';
import { principalOf } from '../../../services/control-plane/src/clusters/principal.ts';
import { voiceOf } from '../../../services/control-plane/spec/for-specs.ts';
import { PostgresDeferrals } from '../../../services/control-plane/src/intake/postgres-deferrals.ts';
import { MasterKey } from '../../../services/control-plane/src/keys/master-key.ts';
import { StatusKeys } from '../../../services/control-plane/src/keys/status-keys.ts';
import type { Parts } from '../../../services/control-plane/src/parts.ts';
import { AgentQuotas, startQuotaKeeper } from '../../../services/control-plane/src/publish/agent-quotas.ts';
import { ClusterTopics } from '../../../services/control-plane/src/publish/cluster-topics.ts';
import { PodStatusPublisher } from '../../../services/control-plane/src/publish/pod-status.ts';
import { ProvenTopics, startProvenTopics } from '../../../services/control-plane/src/publish/proven-topics.ts';
import { publishRole } from '../../../services/control-plane/src/roles/publish-role.ts';
import { startTopicKeeper } from '../../../services/control-plane/src/publish/topic-keeper.ts';
import { CLUSTER, FLEET } from '../names.ts';
import type { Row } from './scene.ts';
import { BAD, GOOD, OTHER, PODS, wasAsked, type Stage } from './stage.ts';

/** Sends the inventory of a cluster that has these pods. */
const inventoryOf =
  ({ rig }: Stage, uids: readonly string[]) =>
  (): Promise<void> =>
    rig.send({
      kind: 'Inventory',
      inventoryId: crypto.randomUUID(),
      chunk: 0,
      chunks: 1,
      pods: uids.map((uid) => ({ uid, resourceVersion: '1', phase: 'Running' })),
    });

/** A second cluster, whose topic is not there yet. */
async function join(stage: Stage, clusterId: string): Promise<void> {
  await stage.rig.addCluster(clusterId);
  await stage.rig.messaging.deleteTopic(topics(FLEET).cluster(clusterId));
}

/** The publisher's loop, with the poison on its store, its topics and its broker; answers what starts it. */
async function publisher(stage: Stage): Promise<() => Promise<void>> {
  const { rig, poison } = stage;
  await rig.messaging.ensureTopics([{ name: topics(FLEET).events, partitions: 1 }]);
  return stage.role((base) => {
    const stored = poison.tap(rig.stored() as EventStore, 'store', 'publish');
    const store = rig.store(stored);
    const messaging = poison.tap(rig.messaging as Messaging, 'messaging', 'publish clusters');
    const clusters = new ClusterDirectory(base);
    const aside = new AsideItems({ ...base, loop: 'statuses' });
    const voice = voiceOf({ messaging, pool: base.pool, fleet: FLEET });
    const statuses = new PodStatusPublisher({ store, voice, directory: clusters, aside });
    const clusterTopics = new ClusterTopics({
      messaging,
      fleet: FLEET,
      standing: (id) => new Standings(base.pool).of(id),
      refill: (id) => statuses.publish(PODS.map((uid) => streamIdOf(id, uid))),
    });
    return publishRole({
      ...base,
      fleet: FLEET,
      store,
      stored,
      checkpoints: new PostgresCheckpoints(asSqlClient(rig.pool), new PostgresTransactions(rig.pool)),
      messaging,
      statuses,
      clusters,
      fleetTopics: [{ name: topics(FLEET).events, partitions: 1 }],
      topics: clusterTopics,
      appended: { on: () => () => undefined },
    });
  });
}

/** What clusters are told and asked. */
export const TOLD: readonly Row[] = [
  {
    loop: 'inventories',
    poisons: 'intake',
    item: 'the stream of a pod that a cluster does not have',
    scene: async (stage) => {
      stage.startLoops();
      await stage.allRun();
      const send = inventoryOf(stage, []);
      // The agent is asked about the bad one all the same; it is compared by the next inventory.
      return { begin: send, again: send, isDone: (uid) => wasAsked(stage, 'Recheck', uid) };
    },
  },
  {
    loop: 'statuses',
    item: 'a status that a cluster lacks',
    scene: async (stage) => {
      stage.startLoops();
      await stage.allRun();
      const send = inventoryOf(stage, PODS);
      return { begin: send, again: send, isDone: async (uid) => (await stage.toldTo(CLUSTER)).has(uid) };
    },
  },
  {
    loop: 'ask-again',
    item: 'a cluster that cannot be asked for what was over its budget',
    stepMs: 10_000,
    scene: async (stage) => {
      await stage.rig.addCluster(OTHER);
      const asked = await stage.askedOf([CLUSTER, OTHER], 'Recheck');
      stage.startLoops();
      const deferrals = new PostgresDeferrals(stage.base);
      return {
        mentions: [topics(FLEET).cluster(CLUSTER)],
        begin: async () => {
          await deferrals.defer(CLUSTER, [BAD]);
          await deferrals.defer(OTHER, [GOOD]);
        },
        isDone: (uid) => asked.has(uid),
      };
    },
  },
  {
    loop: 'publish',
    item: 'a stream whose status cannot be said',
    scene: async (stage) => {
      const start = await publisher(stage);
      return {
        begin: async () => {
          await stage.accept([CLUSTER, BAD], [CLUSTER, GOOD]);
          await start();
        },
        isDone: async (uid) => (await stage.toldTo(CLUSTER)).has(uid),
      };
    },
  },
  {
    loop: 'publish clusters',
    poisons: 'publish clusters',
    item: 'a cluster whose topic cannot be made',
    scene: async (stage) => {
      const start = await publisher(stage);
      await join(stage, OTHER);
      const clusterOf = (uid: string): string => (uid === BAD ? OTHER : CLUSTER);
      return {
        mentions: [topics(FLEET).cluster(OTHER)],
        begin: async () => {
          await stage.accept([OTHER, BAD], [CLUSTER, GOOD]);
          await start();
        },
        isDone: async (uid) => (await stage.toldTo(clusterOf(uid))).has(uid),
      };
    },
  },
  {
    loop: 'topics',
    item: 'a cluster whose topic cannot be made again',
    scene: async (stage) => {
      const { rig, poison } = stage;
      await join(stage, OTHER);
      await rig.messaging.deleteTopic(topics(FLEET).cluster(CLUSTER));
      const filled = new Set<string>();
      const messaging = poison.tap(rig.messaging as Messaging, 'messaging', 'topics');
      return {
        items: { bad: OTHER, good: CLUSTER },
        mentions: [topics(FLEET).cluster(OTHER)],
        begin: stage.role((base) =>
          startTopicKeeper({
            ...base,
            config: { fleet: FLEET, kafka: { intentPartitions: 4 } },
            messaging,
            clusters: new ClusterDirectory(base),
            topics: new ClusterTopics({
              messaging,
              fleet: FLEET,
              standing: (id) => new Standings(base.pool).of(id),
              refill: (id) => Promise.resolve(void filled.add(id)),
            }),
          } as unknown as Parts),
        ),
        isDone: (cluster) => filled.has(cluster),
      };
    },
  },
  {
    loop: 'status-keys',
    item: 'a cluster whose topic cannot be filled',
    scene: async (stage) => {
      await stage.rig.addCluster(OTHER);
      const filled = new Set<string>();
      const messaging = stage.poison.tap(stage.rig.messaging as Messaging, 'messaging', 'status-keys');
      // The bad one is the first in their order.
      return {
        items: { bad: CLUSTER, good: OTHER },
        mentions: [topics(FLEET).cluster(CLUSTER)],
        begin: stage.role((base) => {
          const keys = new StatusKeys({ ...base, masterKey: new MasterKey(randomBytes(32)) });
          const refill = async (id: string): Promise<number> => {
            await messaging.publish(topics(FLEET).cluster(id), [{ key: 'uid', value: Buffer.from('{}') }]);
            filled.add(id);
            return 1;
          };
          return startProvenTopics({ ...base, topics: new ProvenTopics({ ...base, keys, refill }), keys });
        }),
        isDone: (cluster) => filled.has(cluster),
      };
    },
  },
  {
    loop: 'quotas',
    item: 'an agent whose quota cannot be set',
    scene: async (stage) => {
      await stage.rig.addCluster(OTHER);
      const own = new Map<string, number>();
      const atKafka: ProduceQuotas = {
        read: () => Promise.resolve({ own }),
        of: (principal) => Promise.resolve(own.get(principal)),
        set: (principal, bytes) => Promise.resolve(void own.set(principal, bytes ?? 0)),
      };
      const tapped = stage.poison.tap(atKafka, 'quotas', 'quotas');
      const messaging = Object.assign(Object.create(stage.rig.messaging) as Messaging, { produceQuotas: () => tapped });
      // The bad one is the first in their order.
      return {
        items: { bad: CLUSTER, good: OTHER },
        mentions: [principalOf(FLEET, CLUSTER, 0)],
        begin: stage.role((base) =>
          startQuotaKeeper({ ...base, quotas: new AgentQuotas({ ...base, messaging, fleet: FLEET, wanted: 70_000 }) }),
        ),
        isDone: (cluster) => own.get(principalOf(FLEET, cluster, 0)) === 70_000,
      };
    },
  },
];
