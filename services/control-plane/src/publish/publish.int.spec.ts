import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { commandKey, PodStatusMessage, topics, type ClusterCommand } from '#libs/contracts';
import { streamIdOf } from '#libs/domain';
import { createPool, PostgresEventStore } from '#libs/event-store';
import {
  MessagingError,
  type Consumer,
  type IncomingMessage,
  type Messaging,
  type OutgoingMessage,
} from '#libs/messaging';
import { createTestDatabase, eventually, type TestDatabase } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { ClusterDirectory } from '../clusters/cluster-directory.ts';
import { SystemClock } from '#libs/runtime';
import {
  accepted,
  call,
  created,
  gone,
  landed,
  newMessaging,
  placed,
  podObjectGone,
  record,
  running,
  stopRequested,
  story,
  succeeded,
  TestAgent,
  testConfig,
  voiceOf,
} from '../../spec/for-specs.ts';
import { ClusterCommands } from './cluster-commands.ts';

let database: TestDatabase;
let pool: pg.Pool;
let store: PostgresEventStore;
let messaging: Messaging;
let plane: ControlPlane;
const readers: Consumer[] = [];
const names = topics('eci-fleet');

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 4 });
  store = new PostgresEventStore(pool);
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api,publish,project' }), {
    messaging,
  });
});

afterAll(async () => {
  await Promise.all(readers.map((reader) => reader.stop()));
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

async function join(id: string): Promise<void> {
  const { body } = await call<{ joinToken: { token: string } }>(plane.url, 'POST', '/api/v1/clusters', {
    body: { id },
  });
  const agent = await TestAgent.create(plane.url, { fingerprint: `uid-${id}` });
  expect((await agent.join(body.joinToken.token)).status).toBe(200);
}

/** Everything that a topic has said so far, and goes on to say. */
async function listen(topic: string): Promise<IncomingMessage[]> {
  const heard: IncomingMessage[] = [];
  readers.push(
    await messaging.consume({
      topics: [topic],
      group: `spec-${crypto.randomUUID()}`,
      handle: (batch) => {
        heard.push(...batch.messages);
        return Promise.resolve();
      },
    }),
  );
  return heard;
}

const textOf = (message: IncomingMessage): string => Buffer.from(message.value ?? []).toString('utf8');
const parsed = (message: IncomingMessage | undefined): Record<string, unknown> =>
  JSON.parse(textOf(message!)) as Record<string, unknown>;

describe('pod statuses', () => {
  it('go to the cluster, complete, with the version of the stream', async () => {
    await join('status');
    const heard = await listen(names.cluster('status'));
    await record(
      store,
      streamIdOf('status', 'u1'),
      story([
        accepted('status', 'u1', 'web'),
        placed(),
        created('eci-1'),
        landed('eci-1', 'cn-hangzhou-b'),
        running('eci-1'),
      ]),
    );
    const message = await eventually(() => heard.find((m) => m.key === 'u1' && parsed(m)['revision'] === 5), {
      what: 'the status is published',
    });
    const status = PodStatusMessage.parse(parsed(message));
    expect(status).toMatchObject({
      namespace: 'default',
      name: 'web',
      finalize: false,
      status: { phase: 'Running', podIP: '10.0.0.7' },
      annotations: { 'k8s.aliyun.com/eci-instance-id': 'eci-1' },
    });
    expect(status.events.length).toBeGreaterThan(0);
  });

  it('end with finalize, then with a tombstone when the pod object is gone', async () => {
    await join('tombstone');
    const heard = await listen(names.cluster('tombstone'));
    const id = streamIdOf('tombstone', 'u1');
    await record(
      store,
      id,
      story([
        accepted('tombstone', 'u1'),
        placed(),
        created('eci-t'),
        running('eci-t'),
        succeeded('eci-t'),
        stopRequested,
      ]),
    );
    await eventually(() => heard.some((m) => m.value !== null && parsed(m)['finalize'] === true), {
      what: 'the pod may be removed',
    });
    expect(heard.every((m) => m.value !== null)).toBe(true);
    await record(store, id, story([gone('eci-t'), podObjectGone]));
    await eventually(() => heard.some((m) => m.key === 'u1' && m.value === null), { what: 'a tombstone is published' });
  });

  it('fill a topic that was made anew', async () => {
    await join('refill');
    const id = streamIdOf('refill', 'u1');
    await record(store, id, story([accepted('refill', 'u1')]));
    await eventually(
      async () =>
        (await call<{ items: unknown[] }>(plane.url, 'GET', '/api/v1/container-groups?cluster=refill')).body.items
          .length === 1,
      { what: 'the group is in the read model' },
    );
    await messaging.deleteTopic(names.cluster('refill'));
    const token = await call<{ token: string }>(plane.url, 'POST', '/api/v1/clusters/refill/join-token');
    const agent = await TestAgent.create(plane.url, { fingerprint: 'uid-refill' });
    expect((await agent.join(token.body.token)).status).toBe(200);
    const heard = await listen(names.cluster('refill'));
    await eventually(() => heard.some((m) => m.key === 'u1'), { what: 'the status is there again' });
  });

  it('go on when the log has lost its topics', async () => {
    await join('lost');
    await record(store, streamIdOf('lost', 'u1'), story([accepted('lost', 'u1')]));
    await eventually(
      async () =>
        (await call<{ items: unknown[] }>(plane.url, 'GET', '/api/v1/container-groups?cluster=lost')).body.items
          .length === 1,
      { what: 'the group is in the read model' },
    );
    await messaging.deleteTopic(names.cluster('lost'));
    await record(store, streamIdOf('lost', 'u2'), story([accepted('lost', 'u2')]));
    await eventually(
      async () => {
        const heard = await listen(names.cluster('lost'));
        return eventually(() => ['u1', 'u2'].every((key) => heard.some((m) => m.key === key)), {
          what: 'both are there',
          deadlineMs: 1_000,
        });
      },
      { what: 'the topic is made anew, filled, and gets what is new', deadlineMs: 30_000 },
    );
  });

  it('of clusters that nobody can speak to hold up nobody', async () => {
    await join('live');
    const heard = await listen(names.cluster('live'));
    await record(store, streamIdOf('never-registered', 'u1'), story([accepted('never-registered', 'u1')]));
    await record(store, streamIdOf('live', 'u1'), story([accepted('live', 'u1')]));
    await eventually(() => heard.some((m) => m.key === 'u1'), { what: 'the other cluster hears of its pod' });
  });
});

describe('the feed', () => {
  it('is CloudEvents with a sequence, without what was sealed and without the pod', async () => {
    const heard = await listen(names.events);
    const id = streamIdOf('feed', 'u1');
    await record(store, id, story([accepted('feed', 'u1')]));
    const message = await eventually(() => heard.find((m) => m.key === id), { what: 'the event is published' });
    expect(parsed(message)).toMatchObject({
      specversion: '1.0',
      type: 'eci-fleet.container-group.PodIntentAccepted.v1',
      subject: id,
      sequence: '1',
      source: 'urn:eci-fleet:eci-fleet',
      time: '2026-03-01T10:00:00.000Z',
    });
    expect(textOf(message)).not.toContain('digest-of-a-sealed-value');
    expect(textOf(message)).not.toContain('clearPod');
  });

  it('tells every event at least once, in order per stream, whatever fails on the way', async () => {
    // A broker that takes the message and then loses the connection, again and again: the worst case for "did it arrive".
    const own = await createTestDatabase();
    const flaky = newMessaging();
    const publish = flaky.publish.bind(flaky);
    let calls = 0;
    flaky.publish = async (topic: string, messages: readonly OutgoingMessage[], timeoutMs?: number) => {
      calls += 1;
      await publish(topic, messages, timeoutMs);
      if (calls % 3 === 0) throw new MessagingError('unavailable', 'the answer was lost');
    };
    const ownPool = createPool(own.url, { max: 4 });
    const ownStore = new PostgresEventStore(ownPool);
    const other = await startControlPlane(await testConfig(own.url, { FLEET_ROLES: 'publish' }), { messaging: flaky });
    const heard: IncomingMessage[] = [];
    const reader = await flaky.consume({
      topics: [names.events],
      group: 'spec',
      handle: (batch) => {
        heard.push(...batch.messages);
        return Promise.resolve();
      },
    });
    try {
      const ids = ['a', 'b', 'c', 'd'].map((uid) => streamIdOf('flaky', uid));
      for (const [i, id] of ids.entries())
        await record(ownStore, id, story([accepted('flaky', String(i)), placed(), created(`eci-${i}`)]));
      await eventually(
        () =>
          ids.every((id) => new Set(heard.filter((m) => m.key === id).map((m) => parsed(m)['sequence'])).size === 3),
        {
          what: 'every event is in the feed',
        },
      );
      for (const id of ids) {
        const first = [...new Set(heard.filter((m) => m.key === id).map((m) => Number(parsed(m)['sequence'])))];
        expect(first).toEqual([1, 2, 3]);
      }
      expect(await ownPool.query(`select 1 from es.subscription_parked`)).toMatchObject({ rowCount: 0 });
    } finally {
      await reader.stop();
      await other.stop();
      await flaky.close();
      await ownPool.end();
      await own.drop();
    }
  });
});

describe('commands', () => {
  it('reach a cluster that has joined, and no other', async () => {
    await join('commands');
    const heard = await listen(names.cluster('commands'));
    const commands = new ClusterCommands({
      voice: voiceOf({ messaging, pool, fleet: 'eci-fleet' }),
      directory: new ClusterDirectory({ pool, clock: new SystemClock() }),
    });
    const command: ClusterCommand = { kind: 'Command', name: 'Recheck', at: '2026-03-01T10:00:00.000Z', uids: ['u1'] };
    expect(await commands.sendCommand('commands', command)).toBe(true);
    expect(await commands.sendCommand('nobody', command)).toBe(false);
    const message = await eventually(() => heard.find((m) => m.key === commandKey('Recheck')), {
      what: 'the command arrives',
    });
    expect(parsed(message)).toEqual(command);
  });
});
