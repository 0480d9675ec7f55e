import { sharedKafka, startKafka, topicPrefix, type KafkaRig } from '#libs/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KafkaMessaging, type MessagingEvent } from './index.ts';
import { MemoryOffsets } from '../spec/contract-reader.ts';
import { messagingContract } from '../spec/contract.ts';
import { quietIdleTimer } from './kafka/idle-timer.ts';

const within = { timeout: 20_000, interval: 50 };
const value = (text: string): Uint8Array => new TextEncoder().encode(text);

const plain = (brokers: readonly string[]): KafkaMessaging =>
  new KafkaMessaging({ brokers, clientId: 'spec', security: { kind: 'plaintext' } });

messagingContract('Kafka', async () => {
  const { brokers } = await sharedKafka();
  return { messaging: () => plain(brokers), close: () => Promise.resolve() };
});

describe('Kafka: who may do what', () => {
  const prefix = topicPrefix();
  const [intents, mine, others] = [`${prefix}intents`, `${prefix}cluster.c1`, `${prefix}cluster.c2`];
  const principal = `${prefix}c1`;
  let rig: Awaited<ReturnType<typeof sharedKafka>>;
  let controlPlane: KafkaMessaging;
  const open: KafkaMessaging[] = [];

  const agent = (token: () => Promise<string>): KafkaMessaging => {
    if (!rig.oauth) throw new Error('this spec needs a broker with tokens: unset KAFKA_BROKERS');
    const messaging = new KafkaMessaging({
      brokers: rig.oauth.brokers,
      clientId: 'agent',
      security: { kind: 'oauthbearer', token },
    });
    open.push(messaging);
    return messaging;
  };

  beforeAll(async () => {
    rig = await sharedKafka();
    controlPlane = plain(rig.brokers);
    await controlPlane.ensureTopics([intents, mine, others].map((name) => ({ name, partitions: 1 })));
    await controlPlane.grantCluster(principal, { write: [intents], read: [mine], group: `${prefix}agent.c1` });
  });
  afterAll(async () => {
    for (const messaging of open) await messaging.close();
    await controlPlane?.close();
  });

  it('an agent writes intents and reads its own topic, and nothing else', async () => {
    const messaging = agent(() => rig.oauth!.tokens.sign(principal));
    await messaging.publish(intents, [{ key: 'k', value: value('intent') }]);
    await controlPlane.publish(mine, [{ key: 'k', value: value('status') }]);
    await controlPlane.publish(others, [{ key: 'k', value: value('not yours') }]);
    const read: string[] = [];
    const consumer = await messaging.consume({
      topics: [mine],
      group: `${prefix}agent.c1`,
      handle: (batch) => {
        read.push(...batch.messages.map((each) => new TextDecoder().decode(each.value ?? undefined)));
        return Promise.resolve();
      },
    });
    await vi.waitFor(() => expect(read).toEqual(['status']), within);
    await consumer.stop();

    await expect(messaging.publish(mine, [{ key: 'k', value: value('forged') }], 1_500)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('does not allow this principal to use the topic') as string,
    });
    const events: MessagingEvent[] = [];
    const spy = await messaging.consume({
      topics: [others],
      group: `${prefix}agent.c1`,
      handle: () => Promise.reject(new Error('it was let in')),
      onEvent: (event) => events.push(event),
    });
    await vi.waitFor(
      () =>
        expect(events).toContainEqual({
          kind: 'broker-away',
          reason: 'Kafka does not allow this principal to use the topic',
        }),
      within,
    );
    // Another principal's group is refused too.
    const foreign = await messaging.consume({
      topics: [mine],
      group: `${prefix}agent.c2`,
      handle: () => Promise.reject(new Error('it was let in')),
      onEvent: (event) => events.push(event),
    });
    await vi.waitFor(
      () =>
        expect(events).toContainEqual({
          kind: 'broker-away',
          reason: expect.stringContaining('does not allow this principal to use it') as string,
        }),
      within,
    );
    expect(events.filter((event) => event.kind === 'batch-failed')).toEqual([]);
    await Promise.all([spy.stop(), foreign.stop()]);
  });

  it.each([
    ['expired', () => rig.oauth!.tokens.sign(principal, { expiresInSeconds: -60 })],
    ['for another audience', () => rig.oauth!.tokens.sign(principal, { audience: 'elsewhere' })],
    ['forged', () => Promise.resolve('e30.e30.e30')],
  ])('a token that is %s is refused in our words', async (_name, token) => {
    const messaging = agent(token);
    await expect(messaging.publish(intents, [{ key: 'k', value: value('x') }], 1_500)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining("Kafka refused this cluster's token") as string,
    });
  });

  it('a revoked principal writes no more', async () => {
    await controlPlane.grantCluster(`${principal}-gone`, { write: [intents], read: [], group: `${prefix}gone` });
    const messaging = agent(() => rig.oauth!.tokens.sign(`${principal}-gone`));
    await messaging.publish(intents, [{ key: 'k', value: value('still') }]);
    await controlPlane.revokeCluster(`${principal}-gone`);
    await expect(messaging.publish(intents, [{ key: 'k', value: value('no more') }], 1_500)).rejects.toMatchObject({
      code: 'refused',
    });
  });
});

describe('Kafka: a broker that goes and comes', () => {
  let rig: KafkaRig;
  let messaging: KafkaMessaging;

  beforeAll(async () => {
    rig = await startKafka();
    messaging = plain(rig.brokers);
  });
  afterAll(async () => {
    await messaging?.close();
    await rig?.stop();
  });

  it('is waited for, said once, and loses and repeats nothing', async () => {
    await messaging.ensureTopics([{ name: 'survive', partitions: 3 }]);
    const store = new MemoryOffsets();
    const handled: string[] = [];
    const events: MessagingEvent[] = [];
    await messaging.consume({
      topics: ['survive'],
      group: 'survive',
      offsets: store,
      handle: (batch) => {
        store.move(batch);
        handled.push(...batch.messages.map((each) => new TextDecoder().decode(each.value ?? undefined)));
        return Promise.resolve();
      },
      onEvent: (event) => events.push(event),
    });
    const send = (text: string, timeoutMs?: number): Promise<void> =>
      messaging.publish('survive', [{ key: text, value: value(text) }], timeoutMs);
    await send('before');
    await vi.waitFor(() => expect(handled).toEqual(['before']), within);
    expect(messaging.healthy()).toBe(true);

    await rig.process.kill9();
    await vi.waitFor(() => expect(messaging.healthy()).toBe(false), within);
    await expect(send('lost', 1_000)).rejects.toMatchObject({ code: 'unavailable' });
    const during = send('during', 60_000);
    await vi.waitFor(() => expect(events.map((event) => event.kind)).toContain('broker-away'), within);
    await rig.process.start();
    await during;
    await send('after');
    await vi.waitFor(() => expect(handled).toEqual(expect.arrayContaining(['before', 'during', 'after'])), within);
    await vi.waitFor(() => expect(messaging.healthy()).toBe(true), within);
    expect(handled.filter((text) => text !== 'lost').toSorted()).toEqual(['after', 'before', 'during']);
    expect(events.filter((event) => event.kind === 'broker-away')).toHaveLength(1);
    expect(events.at(-1)?.kind).not.toBe('broker-away');
    expect(events.filter((event) => event.kind === 'batch-failed')).toEqual([]);
    expect(store.begun).toHaveLength(3);
  });

  it('may be away when everything starts', async () => {
    await rig.process.kill9();
    const early = plain(rig.brokers);
    const handled: string[] = [];
    const events: MessagingEvent[] = [];
    await early.consume({
      topics: ['early'],
      group: 'early',
      handle: (batch) => {
        handled.push(...batch.messages.map((each) => new TextDecoder().decode(each.value ?? undefined)));
        return Promise.resolve();
      },
      onEvent: (event) => events.push(event),
    });
    expect(early.healthy()).toBe(false);
    const made = early.ensureTopics([{ name: 'early', partitions: 1 }]);
    await vi.waitFor(() => expect(events.map((event) => event.kind)).toContain('broker-away'), within);
    await rig.process.start();
    expect(await made).toEqual(['early']);
    await early.publish('early', [{ key: 'k', value: value('1') }], 60_000);
    await vi.waitFor(() => expect(handled).toEqual(['1']), within);
    await vi.waitFor(() => expect(early.healthy()).toBe(true), within);
    await early.close();
  });

  it('a log whose start moved past the stored offset is a new epoch', async () => {
    await messaging.ensureTopics([{ name: 'retention', partitions: 1 }]);
    await messaging.publish(
      'retention',
      Array.from({ length: 5 }, (_, i) => ({ key: 'k', value: value(`${i}`) })),
    );
    const store = new MemoryOffsets();
    store.rows.set('retention/0', { epoch: 4, offset: '1' });
    const { Kafka, logLevel } = (await import('kafkajs')).default;
    const admin = new Kafka({ brokers: [...rig.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    // kafkajs deletes records only of a topic that it has asked about.
    await admin.fetchTopicOffsets('retention');
    await admin.deleteTopicRecords({ topic: 'retention', partitions: [{ partition: 0, offset: '3' }] });
    await admin.disconnect();
    // By another process than the one that made the topic: it knows nothing but the offsets.
    const other = plain(rig.brokers);
    const seen: string[] = [];
    await other.consume({
      topics: ['retention'],
      group: 'retention',
      offsets: store,
      handle: (batch) => {
        store.move(batch);
        seen.push(...batch.messages.map((each) => `${batch.epoch}:${each.offset}`));
        return Promise.resolve();
      },
    });
    await vi.waitFor(() => expect(seen).toEqual(['5:3', '5:4']), within);
    await other.close();
  });
});

describe('kafkajs', () => {
  it('is the version whose idle timer is quieted', () => {
    expect(quietIdleTimer()).toBe(true);
    expect(quietIdleTimer()).toBe(true);
  });
});
