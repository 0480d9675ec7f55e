import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedKafka, topicPrefix } from '#libs/testing';
import { KafkaMessaging } from './kafka-messaging.ts';

type Broker = Awaited<ReturnType<typeof sharedKafka>>;

const prefix = topicPrefix();
const one = `${prefix}one`;
const two = `${prefix}two`;
const open: KafkaMessaging[] = [];
let broker: Broker;
let controlPlane: KafkaMessaging;

const connect = (options: Pick<ConstructorParameters<typeof KafkaMessaging>[0], 'brokers' | 'security'>) => {
  const messaging = new KafkaMessaging({ clientId: 'spec', ...options });
  open.push(messaging);
  return messaging;
};

beforeAll(async () => {
  broker = await sharedKafka();
  controlPlane = connect({ brokers: broker.brokers, security: { kind: 'plaintext' } });
});
afterAll(async () => {
  const quotas = controlPlane.produceQuotas();
  for (const principal of [one, two]) await quotas.set(principal, undefined);
  for (const messaging of open) await messaging.close();
});

describe('produce quotas at Kafka', () => {
  it('are read as they were set, of each principal for itself, and gone when they are taken away', async () => {
    const quotas = controlPlane.produceQuotas();
    const own = async () => [...(await quotas.read()).own].filter(([name]) => name.startsWith(prefix)).sort();

    expect(await own()).toEqual([]);
    await quotas.set(one, 4_194_304);
    await quotas.set(two, 65_536);
    expect(await own()).toEqual([
      [one, 4_194_304],
      [two, 65_536],
    ]);
    await quotas.set(one, 1_000_000);
    await quotas.set(one, 1_000_000);
    await quotas.set(two, undefined);
    await quotas.set(two, undefined);
    expect(await own()).toEqual([[one, 1_000_000]]);
    expect([await quotas.of(one), await quotas.of(two)]).toEqual([1_000_000, undefined]);
  });

  it('slow down who is over them, and nobody else; nothing is lost or doubled', async () => {
    const { oauth } = broker;
    if (!oauth) throw new Error('this spec needs a broker with tokens: unset KAFKA_BROKERS');
    const [mine, others] = [`${prefix}mine`, `${prefix}others`];
    await controlPlane.ensureTopics([mine, others].map((name) => ({ name, partitions: 1 })));
    await controlPlane.grantCluster(one, { write: [mine], read: [], group: `${prefix}group` });
    await controlPlane.produceQuotas().set(one, 100_000);
    const agent = connect({
      brokers: oauth.brokers,
      security: { kind: 'oauthbearer', token: () => oauth.tokens.sign(one) },
    });
    const keys = Array.from({ length: 20 }, (_, i) => `${i}`);
    const send = async (messaging: KafkaMessaging, topic: string): Promise<void> => {
      for (const key of keys) await messaging.publish(topic, [{ key, value: randomBytes(100_000) }]);
    };

    const done: string[] = [];
    await Promise.all([
      send(agent, mine).then(() => done.push('who is over its quota')),
      send(controlPlane, others).then(() => done.push('the other')),
    ]);

    expect(done).toEqual(['the other', 'who is over its quota']);
    expect(agent.healthy()).toBe(true);
    const heard: string[] = [];
    const consumer = await controlPlane.consume({
      topics: [mine],
      group: `${prefix}reader`,
      handle: ({ messages }) => {
        heard.push(...messages.map(({ key }) => key));
        return Promise.resolve();
      },
    });
    await consumer.caughtUp();
    await consumer.stop();
    expect(heard).toEqual(keys);
  });

  it('of who may not read or change them are refused in our words', async () => {
    const { oauth } = broker;
    if (!oauth) throw new Error('this spec needs a broker with tokens: unset KAFKA_BROKERS');
    const token = (): Promise<string> => oauth.tokens.sign(one);
    const quotas = connect({ brokers: oauth.brokers, security: { kind: 'oauthbearer', token } }).produceQuotas();

    await expect(quotas.read()).rejects.toMatchObject({ code: 'refused' });
    await expect(quotas.set(one, 1)).rejects.toMatchObject({ code: 'refused' });
  });

  it('at a broker that is away are told so', async () => {
    const quotas = connect({ brokers: ['127.0.0.1:1'], security: { kind: 'plaintext' } }).produceQuotas();

    await expect(quotas.read()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
