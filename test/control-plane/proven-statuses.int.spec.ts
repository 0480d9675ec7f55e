/** What a cluster's agent believes of its topic, on real Kafka: the control plane's part and the agent's, and somebody else who writes there too. */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { commandKey, topics, type ClusterCommand } from '#libs/contracts';
import { streamIdOf } from '#libs/domain';
import { createPool, PostgresEventStore } from '#libs/event-store';
import {
  KafkaMessaging,
  macKeyOf,
  withMac,
  type Consumer,
  type IncomingMessage,
  type MacKey,
  type OutgoingMessage,
} from '#libs/messaging';
import { AsideItems, Metrics, silentLogger } from '#libs/observability';
import { SeededRandom, SystemClock, VirtualClock } from '#libs/runtime';
import { createTestDatabase, eventually, sharedKafka, topicPrefix, type TestDatabase } from '#libs/testing';
import { ClusterTopicReader } from '../../services/agent/src/status/cluster-topic-reader.ts';
import { StatusBook } from '../../services/agent/src/status/status-book.ts';
import { ClusterDirectory } from '../../services/control-plane/src/clusters/cluster-directory.ts';
import { endAgentKey } from '../../services/control-plane/src/clusters/standings.ts';
import {
  accepted,
  created,
  landed,
  placed,
  record,
  running,
  story,
  succeeded,
} from '../../services/control-plane/spec/for-specs.ts';
import { MasterKey } from '../../services/control-plane/src/keys/master-key.ts';
import { StatusKeys } from '../../services/control-plane/src/keys/status-keys.ts';
import { ClusterCommands } from '../../services/control-plane/src/publish/cluster-commands.ts';
import { ClusterVoice } from '../../services/control-plane/src/publish/cluster-voice.ts';
import { PodStatusPublisher } from '../../services/control-plane/src/publish/pod-status.ts';
import { ProvenTopics } from '../../services/control-plane/src/publish/proven-topics.ts';
import { inTransaction } from '../../services/control-plane/src/transaction.ts';

const DAY = 24 * 3_600_000;
const HUGE = Number.MAX_SAFE_INTEGER;
const fleet = `${topicPrefix()}proven`;
const masterKey = new MasterKey(randomBytes(32));
let database: TestDatabase;
let pool: pg.Pool;
let store: PostgresEventStore;
let messaging: KafkaMessaging;
const open: { stop(): Promise<void> }[] = [];
let clusters = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 4 });
  store = new PostgresEventStore(pool);
  const { brokers } = await sharedKafka();
  messaging = new KafkaMessaging({ brokers: [...brokers], clientId: 'spec', security: { kind: 'plaintext' } });
  await pool.query(
    `insert into fleet.account (id, name, credential, source, created_at, updated_at) values ('a', 'a', '{}', 'api', now(), now())`,
  );
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.stop()));
});

afterAll(async () => {
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

/** The control plane's part for one cluster. */
class Plane {
  readonly id = `p${++clusters}`;
  readonly topic = topics(fleet).cluster(this.id);
  readonly clock = new VirtualClock(Date.UTC(2026, 5, 1));
  readonly keys = new StatusKeys({ pool, masterKey, clock: this.clock });
  readonly commands: ClusterCommands;
  /** By pod: the version of its stream. */
  readonly pods = new Map<string, number>();
  generation = 0;
  private readonly statuses: PodStatusPublisher;
  private readonly proven: ProvenTopics;

  constructor() {
    const { clock, keys } = this;
    const parts = { clock, logger: silentLogger, metrics: new Metrics(), random: new SeededRandom(1) };
    const voice = new ClusterVoice({ messaging, keys, fleet });
    const directory = new ClusterDirectory({ pool, clock: new SystemClock() });
    this.commands = new ClusterCommands({ voice, directory });
    this.statuses = new PodStatusPublisher({ store, voice, directory, aside: new AsideItems({ ...parts, loop: 's' }) });
    this.proven = new ProvenTopics({ ...parts, keys, refill: () => this.sayAll() });
  }

  async start(): Promise<this> {
    await pool.query(
      `insert into fleet.cluster (id, name, account_id, registered_at, joined_at) values ($1, $1, 'a', now(), now())`,
      [this.id],
    );
    await messaging.ensureTopics([{ name: this.topic, partitions: 1, compacted: true }]);
    await this.settle();
    return this;
  }

  /** What its loop and its hourly chore do. */
  async settle(): Promise<void> {
    await this.proven.settle();
    await this.keys.destroyOld();
  }

  /** One more event of the pod's life, and the status that follows from it. */
  async goOn(uid: string): Promise<void> {
    const life = [accepted(this.id, uid), placed(), created(uid), landed(uid, 'z'), running(uid), succeeded(uid)];
    const next = life[this.pods.get(uid) ?? 0];
    if (!next) return;
    await record(store, streamIdOf(this.id, uid), story([next]));
    this.pods.set(uid, (this.pods.get(uid) ?? 0) + 1);
    await this.statuses.publish([streamIdOf(this.id, uid)]);
  }

  /** The agent's key is replaced by a new one. */
  async joinAnew(): Promise<void> {
    await inTransaction(pool, (client) =>
      endAgentKey(client, { id: this.id, key_thumbprint: `t${this.generation}` }, new Date(this.clock.now())),
    );
    this.generation += 1;
    await this.settle();
  }

  private async sayAll(): Promise<number> {
    await this.statuses.publish([...this.pods.keys()].map((uid) => streamIdOf(this.id, uid)));
    return this.pods.size;
  }
}

/** One start of an agent, as far as it reads its topic. */
class Agent {
  readonly book = new StatusBook();
  readonly commands: ClusterCommand[] = [];
  readonly metrics = new Metrics();
  answers = 0;
  private readonly plane: Plane;
  private readonly reader: ClusterTopicReader;

  constructor(plane: Plane) {
    this.plane = plane;
    const { book, metrics } = this;
    const clock = new SystemClock();
    this.reader = new ClusterTopicReader({
      writer: {
        onMessage: (message, proven) => void book.accept(message, proven),
        onTombstone: (uid) => book.forget(uid),
        onRefused: (uid) => book.overlay(uid),
        distrust: () => book.distrust(),
      },
      onCommand: (command) => void this.commands.push(command),
      askSession: () => void this.renew(),
      onLost: () => undefined,
      clock,
      random: new SeededRandom(1),
      logger: silentLogger,
      metrics,
      aside: new AsideItems({ loop: 'messages', clock, logger: silentLogger, metrics }),
    });
  }

  static async start(plane: Plane): Promise<Agent> {
    const agent = new Agent(plane);
    await agent.renew();
    const consumer: Consumer = await messaging.consume({
      topics: [plane.topic],
      group: `${fleet}.${crypto.randomUUID()}`,
      handle: (batch) => Promise.resolve(agent.reader.handle(batch)),
    });
    open.push(consumer, agent.reader);
    await consumer.caughtUp();
    await agent.reader.decided();
    return agent;
  }

  async renew(): Promise<void> {
    const askedAt = performance.now();
    const { keys, proven } = await this.plane.keys.forAgent(this.plane.id, this.plane.generation);
    const statusKeys = keys.map(({ kid, key }) => ({ kid, key: Buffer.from(key).toString('base64url') }));
    this.answers += 1;
    this.reader.onSession({ statusKeys, statusesProven: proven }, askedAt);
  }

  knows(): Record<string, number | undefined> {
    return Object.fromEntries([...this.book.uids()].sort().map((uid) => [uid, this.book.newest(uid)?.revision]));
  }

  async believesThePlane(): Promise<void> {
    const truth = Object.fromEntries([...this.plane.pods].sort(([a], [b]) => (a < b ? -1 : 1)));
    await eventually(() => JSON.stringify(this.knows()) === JSON.stringify(truth), {
      what: `the agent knows ${JSON.stringify(truth)}, and not ${JSON.stringify(this.knows())}`,
      deadlineMs: 30_000,
    });
    for (const uid of this.book.uids()) expect(this.book.newest(uid)).toMatchObject({ finalize: false });
    expect(JSON.stringify([...this.book.uids()].map((uid) => this.book.newest(uid)))).not.toContain('Forged');
  }

  async refusals(): Promise<number> {
    const counts = [...(await this.metrics.text()).matchAll(/messages_refused_total\{[^}]*\} (\d+)/g)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  }
}

/** Somebody who may write to the topic, and has read all of it, and of another cluster's. */
class Forger {
  readonly said: IncomingMessage[] = [];
  private readonly topic: string;
  private readonly random = new SeededRandom(7);

  constructor(topic: string) {
    this.topic = topic;
  }

  static async of(plane: Plane): Promise<Forger> {
    const forger = new Forger(plane.topic);
    open.push(
      await messaging.consume({
        topics: [plane.topic],
        group: `${fleet}.forger.${crypto.randomUUID()}`,
        handle: ({ messages }) => {
          forger.said.push(...messages.filter(({ headers }) => !('forged' in headers)));
          return Promise.resolve();
        },
      }),
    );
    return forger;
  }

  lie = (podUid: string): OutgoingMessage => ({
    key: podUid,
    value: Buffer.from(
      JSON.stringify({
        kind: 'PodStatus',
        schemaVersion: 1,
        podUid,
        namespace: 'default',
        name: podUid,
        revision: HUGE,
        status: { phase: 'Failed', reason: 'Forged' },
        annotations: {},
        finalize: true,
        events: [],
      }),
    ),
  });

  command = (name: 'Recheck'): OutgoingMessage => ({
    key: commandKey(name),
    value: Buffer.from(JSON.stringify({ kind: 'Command', name, at: '9999-01-01T00:00:00.000Z', uids: ['u1'] })),
  });

  /** Every way to lie about the pod; `elsewhere`: what was said to another cluster. */
  async lies(podUid: string, elsewhere: Forger): Promise<void> {
    const own = (kid: string): MacKey => macKeyOf(kid, randomBytes(32));
    const true_ = this.said.filter(({ value }) => value !== null);
    const kid = true_.at(-1)?.headers['eci-fleet-mac']?.split('.')[0] ?? 'k';
    const any = <T>(items: readonly T[]): T => items[Math.floor(this.random.next() * items.length)]!;
    const proofOf = ({ headers }: IncomingMessage): Record<string, string> => ({
      'eci-fleet-mac': headers['eci-fleet-mac'] ?? '',
    });
    const lies: OutgoingMessage[] = [
      this.lie(podUid),
      { key: podUid, value: null },
      this.command('Recheck'),
      withMac(this.topic, this.lie(podUid), own(kid)),
      withMac(this.topic, this.lie(podUid), own('made-up')),
      withMac(this.topic, { key: podUid, value: null }, own(kid)),
      withMac(this.topic, this.command('Recheck'), own(kid)),
      { ...this.lie(podUid), headers: proofOf(any(true_)) },
      { key: podUid, value: null, headers: proofOf(any(true_)) },
      ...true_.filter(({ key }) => key !== podUid).map(({ value, headers }) => ({ key: podUid, value, headers })),
      ...elsewhere.said.map(({ value, headers }) => ({ key: podUid, value, headers })),
      // Old words, once more.
      ...true_.filter(({ key }) => key === podUid).map(({ key, value, headers }) => ({ key, value, headers })),
    ];
    const marked = lies.map((message) => ({ ...message, headers: { ...message.headers, forged: '1' } }));
    await messaging.publish(this.topic, marked);
  }
}

/** Two clusters with some pods, and who forges the first one's statuses. */
async function scene() {
  const [plane, other] = [await new Plane().start(), await new Plane().start()];
  const [forger, elsewhere] = [await Forger.of(plane), await Forger.of(other)];
  for (const each of [plane, other]) for (const uid of ['u1', 'u2', 'u3']) await each.goOn(uid);
  await plane.goOn('u1');
  await eventually(() => forger.said.length >= 4 && elsewhere.said.length >= 3, { what: 'the forger has read' });
  return { plane, forge: (uid: string) => forger.lies(uid, elsewhere) };
}

describe('an agent that reads its topic', () => {
  it('is told nothing by whoever else writes there, and goes on with what is true', async () => {
    const { plane, forge } = await scene();
    const agent = await Agent.start(plane);
    await forge('u1');
    await plane.goOn('u1');
    await forge('u2');
    await plane.goOn('u2');
    await plane.goOn('u1');
    await agent.believesThePlane();
    // A command that was made up does not make the true ones old.
    const command: ClusterCommand = { kind: 'Command', name: 'Recheck', at: '2026-06-01T00:00:00.000Z', uids: ['u3'] };
    await plane.commands.sendCommand(plane.id, command);
    await eventually(() => agent.commands.length > 0, { what: 'the command arrives' });
    expect(agent.commands).toEqual([command]);
    expect(await agent.refusals()).toBeGreaterThan(10);

    // And so does one that starts now, with all of it before it.
    await (await Agent.start(plane)).believesThePlane();
  });

  it('after 30 days of other keys, and after another join, believes everything true and nothing forged', async () => {
    const { plane, forge } = await scene();
    const first = await Agent.start(plane);
    const kids = new Set<string>();
    for (let day = 1; day <= 30; day++) {
      await plane.clock.advance(DAY);
      await plane.settle();
      if (day % 7 === 3) await plane.goOn(day % 2 === 0 ? 'u1' : 'u2');
      if (day % 5 === 0) await forge(`u${1 + (day % 3)}`);
      for (const { kid } of (await plane.keys.forAgent(plane.id, 0)).keys) kids.add(kid);
    }
    expect(kids.size).toBeGreaterThanOrEqual(5);
    // The one that was there all the time has asked for the keys itself.
    await first.believesThePlane();

    const second = await Agent.start(plane);
    await second.believesThePlane();
    expect(await second.refusals()).toBeGreaterThan(10);

    await plane.joinAnew();
    await forge('u3');
    const third = await Agent.start(plane);
    await third.believesThePlane();
    await plane.goOn('u3');
    await forge('u3');
    await third.believesThePlane();
    expect((await plane.keys.forAgent(plane.id, 0)).keys).toEqual([]);
  });

  it('that was told to believe everybody, for a control plane of before, is right again once it is told otherwise', async () => {
    const { plane, forge } = await scene();
    const seen = async (ms: number): Promise<unknown> =>
      pool.query('update fleet.unproven_speaker set seen_at = $1', [new Date(ms)]);
    try {
      await seen(plane.clock.now() + 1);
      const agent = await Agent.start(plane);
      await forge('u1');
      await eventually(() => agent.knows()['u1'] === HUGE, { what: 'it believes what is forged' });

      await plane.clock.advance(11 * 60_000);
      await plane.settle();
      await agent.renew();
      expect(agent.knows()['u1']).not.toBe(HUGE);
      // What it lacks its next inventory brings.
      await plane.goOn('u1');
      await agent.believesThePlane();
    } finally {
      await pool.query(`update fleet.unproven_speaker set seen_at = '-infinity'`);
    }
  });
});
