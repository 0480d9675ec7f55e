import { describe, expect, it } from 'vitest';
import type { ClusterCommand, ClusterMessage, Inventory, PodStatusMessage, StopPod } from '#libs/contracts';
import type { KubernetesApi, PodObject, Stored } from '#libs/kubernetes';
import { MessagingError, type Batch, type Messaging, type OutgoingMessage } from '#libs/messaging';
import { AsideItems, Metrics, silentLogger } from '#libs/observability';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { HandOver } from './hand-over.ts';
import { Commands } from './inventory/commands.ts';
import { Inventories } from './inventory/inventories.ts';
import { PodIntents, type PodIntentsOptions } from './pods/pod-intents.ts';
import { IntentPublisher } from './publish/intent-publisher.ts';
import type { Session } from './session/session.ts';
import { ClusterTopicReader } from './status/cluster-topic-reader.ts';
import { StatusBook } from './status/status-book.ts';
import { StatusWriter } from './status/status-writer.ts';

const BAD = 'bad-pod';
const GOOD = 'good-pod';

const podOf = (uid: string): Stored<PodObject> => ({
  metadata: { name: uid, namespace: 'n', uid, resourceVersion: '1', generation: 1 },
  spec: { nodeName: 'n' },
  status: { phase: 'Pending' },
});

/** What each loop stands on; whoever touches the bad pod while it is poisoned fails. */
class World {
  readonly clock = new VirtualClock();
  readonly metrics = new Metrics();
  readonly aside = new AsideItems({ loop: 'the loop', clock: this.clock, logger: silentLogger, metrics: this.metrics });
  readonly pods = new Map([BAD, GOOD].map((uid) => [uid, podOf(uid)]));
  readonly done = new Set<string>();
  /** Calls that still fail. */
  failing = 0;
  hits = 0;

  get parts() {
    const { clock, metrics, aside } = this;
    return { clock, metrics, aside, random: new SeededRandom(1), logger: silentLogger };
  }

  touch(uid: string): void {
    if (uid !== BAD || this.failing <= 0) return;
    this.failing -= 1;
    this.hits += 1;
    throw new Error('poisoned');
  }

  work(uid: string): void {
    this.touch(uid);
    this.done.add(uid);
  }

  async work_(uid: string): Promise<void> {
    await Promise.resolve();
    this.work(uid);
  }
}

const status = (podUid: string): PodStatusMessage => ({
  kind: 'PodStatus',
  schemaVersion: 1,
  podUid,
  namespace: 'n',
  name: podUid,
  revision: 1,
  status: { phase: 'Running', conditions: [] },
  annotations: {},
  finalize: false,
  events: [],
});
const batchOf = (messages: readonly (readonly [key: string, value: ClusterMessage])[]): Batch => ({
  topic: 't',
  partition: 0,
  epoch: 1,
  from: '0',
  next: '9',
  signal: new AbortController().signal,
  messages: messages.map(([key, value], index) => ({
    offset: String(index),
    key,
    value: Buffer.from(JSON.stringify(value)),
    headers: {},
    timestamp: 0,
  })),
});
const stopOf = (uid: string): StopPod => ({ kind: 'StopPod', uid, namespace: 'n', name: uid, reason: 'Absent' });
const session = {
  speaking: true,
  session: { clusterId: 'k', fleet: 'f', agentEpoch: 1 },
  envelopeKey: () => ({ kid: 'k1', key: new Uint8Array(32) }),
} as unknown as Session;

interface Row {
  readonly loop: string;
  /** Brings the loop to both pods. */
  readonly begin: (world: World) => unknown;
  /** Whoever sends is told, and tries again. */
  readonly isTold?: boolean;
}

const ROWS: readonly Row[] = [
  {
    loop: 'the watch',
    begin: (world) => {
      const changes = new HandOver<string>({ ...world.parts, take: (uid) => world.work(uid) });
      for (const uid of world.pods.keys()) changes.give(uid, uid);
    },
  },
  {
    loop: 'the reader of the topic: statuses',
    begin: (world) => {
      const reader = new ClusterTopicReader({
        ...world.parts,
        writer: {
          onMessage: ({ podUid }) => world.work(podUid),
          onTombstone: (uid) => world.work(uid),
          onRefused: () => undefined,
          distrust: () => 0,
        },
        askSession: () => undefined,
        onLost: () => undefined,
        onCommand: () => undefined,
      });
      reader.handle(batchOf([BAD, GOOD].map((uid) => [uid, status(uid)])));
    },
  },
  {
    loop: 'the writer of statuses',
    begin: (world) => {
      const api = {
        patch: async (_: unknown, { name }: { name: string }) => {
          await world.work_(name);
          return world.pods.get(name);
        },
        create: () => Promise.resolve(),
      } as unknown as KubernetesApi;
      const writer = new StatusWriter({
        ...world.parts,
        api,
        book: new StatusBook(),
        pods: { get: (uid) => world.pods.get(uid) },
        nodeName: 'n',
      });
      for (const uid of world.pods.keys()) writer.onMessage(status(uid));
      writer.resume();
    },
  },
  {
    loop: 'the comparison of statuses after a start',
    begin: (world) => {
      const book = new StatusBook();
      const writer = new StatusWriter({
        ...world.parts,
        api: { create: () => Promise.resolve(), patch: () => Promise.resolve() } as unknown as KubernetesApi,
        book,
        pods: {
          get: (uid) => {
            world.work(uid);
            return world.pods.get(uid);
          },
        },
        nodeName: 'n',
      });
      for (const uid of world.pods.keys()) book.accept(status(uid));
      writer.compare();
      writer.resume();
    },
  },
  {
    loop: 'the sender of intents',
    begin: (world) => {
      const intents = new PodIntents({
        ...world.parts,
        pods: { get: (uid: string) => world.pods.get(uid), size: 2 },
        resolver: {
          resolve: async ({ metadata }: Stored<PodObject>) => {
            await world.work_(metadata.uid);
            return { kind: 'resolved', missing: [], body: {}, sealed: {} };
          },
        },
        publisher: { send: () => Promise.resolve() },
        events: { say: () => undefined, forget: () => undefined },
      } as unknown as PodIntentsOptions);
      for (const object of world.pods.values()) intents.onChange({ kind: 'added', object });
      intents.resume();
    },
  },
  {
    loop: 'the answers to rechecks',
    begin: (world) => {
      const commands = new Commands({
        ...world.parts,
        api: {
          find: async (_: unknown, { name }: { name: string }) => {
            await world.work_(name);
            return world.pods.get(name);
          },
        } as unknown as KubernetesApi,
        pods: { get: (uid) => world.pods.get(uid) },
        intents: { nameOf: () => undefined, again: () => undefined, absent: () => undefined } as unknown as PodIntents,
        inventories: { sendNow: () => undefined },
        nameOf: () => undefined,
        nodeName: 'n',
      });
      commands.resume();
      const command: ClusterCommand = {
        kind: 'Command',
        name: 'Recheck',
        at: new Date(world.clock.now()).toISOString(),
        uids: [BAD, GOOD],
      };
      commands.onCommand(command);
    },
  },
  {
    loop: 'inventories',
    begin: (world) => {
      const inventories = new Inventories({
        ...world.parts,
        ids: new SeededIds(new SeededRandom(2)),
        pods: { values: () => world.pods.values(), synced: () => Promise.resolve() },
        publisher: {
          send: (body: Inventory) => {
            // Both are listed, whatever is known of them.
            expect(body.pods.map(({ uid }) => uid)).toEqual([BAD, GOOD]);
            for (const { uid, waitingFor } of body.pods) if (waitingFor !== undefined) world.done.add(uid);
            return Promise.resolve();
          },
        } as unknown as IntentPublisher,
        view: {
          revision: () => undefined,
          waitingFor: ({ metadata }) => {
            world.touch(metadata.uid);
            return 'its turn';
          },
          onTopic: () => [],
        },
        periodSeconds: 10,
        ready: Promise.resolve(),
      });
      inventories.start();
    },
  },
  {
    loop: 'the publisher, at a message that the broker refuses',
    isTold: true,
    begin: (world) => sendBoth(world, (uid) => world.touch(uid)),
  },
  {
    loop: 'the publisher, at a message that cannot be made',
    isTold: true,
    begin: (world) =>
      sendBoth(
        world,
        () => undefined,
        (uid) => ({
          toJSON: () => {
            world.touch(uid);
            return {};
          },
        }),
      ),
  },
];

/** Sends a stop of each pod, again until it is sent. */
function sendBoth(
  world: World,
  take: (uid: string) => void,
  sealedOf: (uid: string) => unknown = () => ({}),
): IntentPublisher {
  const messaging = {
    publish: (_: string, messages: readonly OutgoingMessage[]) => {
      try {
        for (const { key } of messages) for (const uid of world.pods.keys()) if (key.includes(uid)) take(uid);
      } catch {
        return Promise.reject(new MessagingError('too-large', 'the broker does not take it'));
      }
      return Promise.resolve();
    },
  } as unknown as Messaging;
  const publisher = new IntentPublisher({ ...world.parts, messaging, session });
  const send = (uid: string): void =>
    void publisher.send(stopOf(uid), sealedOf(uid)).then(
      () => void world.done.add(uid),
      () => world.clock.sleep(1_000).then(() => send(uid)),
    );
  for (const uid of world.pods.keys()) send(uid);
  publisher.start();
  return publisher;
}

/** Time passes until it is so, in steps that let what is not of the clock go on. */
async function passes(world: World, isSo: () => boolean): Promise<void> {
  for (let step = 0; step < 2_000 && !isSo(); step++) {
    await world.clock.advance(50);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('one pod that fails', () => {
  describe.each(ROWS)('$loop', ({ begin, isTold }) => {
    it('once: it is done a little later', async () => {
      const world = new World();
      world.failing = 1;
      begin(world);
      await passes(world, () => world.done.size === 2);
      expect([...world.done].sort()).toEqual([BAD, GOOD]);
      expect(world.hits).toBe(1);
      expect(world.aside.list()).toEqual([]);
    });

    it('always: it is set aside and seen, the other is done, and it is done once it can be', async () => {
      const world = new World();
      world.failing = Infinity;
      begin(world);
      await passes(world, () => world.done.has(GOOD) && world.hits >= 3);
      expect([...world.done]).toEqual([GOOD]);
      if (!isTold) expect(world.aside.list()).toMatchObject([{ item: BAD, reason: 'poisoned' }]);
      // It is not tried without a pause.
      const before = world.hits;
      await world.clock.advance(60_000);
      expect(world.hits - before).toBeLessThan(isTold ? 130 : 40);

      world.failing = 0;
      await passes(world, () => world.done.has(BAD) && world.aside.size === 0);
      expect(world.done.has(BAD)).toBe(true);
      expect(world.aside.list()).toEqual([]);
    });
  });
});
