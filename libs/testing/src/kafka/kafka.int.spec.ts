import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Kafka,
  logLevel,
  Partitioners,
  ResourcePatternTypes,
  type Admin,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedKafka, topicPrefix } from '../shared/for-specs.ts';
import { rawKafka } from './raw-kafka.ts';
import { startKafka, type KafkaRig } from './start.ts';
import { createTokenIssuer } from './tokens.ts';

const warnings: Error[] = [];
process.on('warning', (warning) => warnings.push(warning));

function client(brokers: string[], token?: string): Kafka {
  return rawKafka({
    brokers,
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries: 8 },
    ...(token === undefined
      ? {}
      : { sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: token }) } }),
  });
}

async function produce(kafka: Kafka, topic: string, value: string): Promise<void> {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
    maxInFlightRequests: 1,
    retry: { initialRetryTime: 50, retries: 8 },
  });
  await producer.connect();
  try {
    await producer.send({ topic, acks: -1, messages: [{ key: 'key', value }] });
  } finally {
    await producer.disconnect();
  }
}

async function consumeOne(kafka: Kafka, topic: string, groupId: string): Promise<string | undefined> {
  const consumer = kafka.consumer({ groupId, retry: { initialRetryTime: 50, retries: 3 } });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    return await new Promise((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
      consumer
        .run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) })
        .catch((error: unknown) => reject(error as Error));
    });
  } finally {
    await consumer.disconnect();
  }
}

describe('the plain listener', () => {
  const topic = `${topicPrefix()}words`;
  let admin: Admin;
  let kafka: Kafka;
  beforeAll(async () => {
    kafka = client((await sharedKafka()).brokers);
    admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  });
  afterAll(async () => {
    await admin.deleteTopics({ topics: [topic] });
    await admin.disconnect();
  });

  it('carries a message from a producer to a consumer', async () => {
    await produce(kafka, topic, 'hello');

    expect(await consumeOne(kafka, topic, `${topic}-group`)).toBe('hello');
  });
});

describe('a broker of its own', () => {
  const prefix = topicPrefix();
  const intents = `${prefix}intents`;
  const topicOfOne = `${prefix}one`;
  const topicOfOther = `${prefix}other`;
  let rig: KafkaRig;
  beforeAll(async () => {
    rig = await startKafka({ oauth: true });
    const admin = client([...rig.brokers]).admin();
    await admin.connect();
    await admin.createTopics({
      topics: [intents, topicOfOne, topicOfOther].map((topic) => ({ topic, numPartitions: 1 })),
      waitForLeaders: true,
    });
    const allow = (principal: string, resourceType: number, resourceName: string, operation: number) => ({
      principal: `User:${principal}`,
      host: '*',
      resourceType,
      resourceName,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      operation,
      permissionType: AclPermissionTypes.ALLOW,
    });
    await admin.createAcls({
      acl: [
        allow('fleet.one', AclResourceTypes.TOPIC, intents, AclOperationTypes.WRITE),
        allow('fleet.one', AclResourceTypes.TOPIC, topicOfOne, AclOperationTypes.READ),
        allow('fleet.one', AclResourceTypes.GROUP, 'fleet.one', AclOperationTypes.READ),
        allow('fleet.other', AclResourceTypes.TOPIC, topicOfOther, AclOperationTypes.READ),
      ],
    });
    await admin.disconnect();
  });
  afterAll(() => rig.stop());

  /** Offset that the topic's next message gets. */
  const endOf = async (topic: string): Promise<number> => {
    const admin = client([...rig.brokers]).admin();
    await admin.connect();
    try {
      return Number((await admin.fetchTopicOffsets(topic))[0]!.high);
    } finally {
      await admin.disconnect();
    }
  };
  const withToken = (token: string): Kafka => client([...rig.oauth!.brokers], token);
  const one = async (): Promise<Kafka> => withToken(await rig.oauth!.tokens.sign('fleet.one'));

  it('takes a signed token for who its subject is, and lets it do what its ACLs say', async () => {
    await produce(await one(), intents, 'intent of one');
    await produce(client([...rig.brokers]), topicOfOne, 'status for one');

    expect(await consumeOne(await one(), topicOfOne, 'fleet.one')).toBe('status for one');
  });

  it("refuses another cluster's topic and group, and reading what one may only write", async () => {
    await expect(consumeOne(await one(), topicOfOther, 'fleet.one')).rejects.toThrow(/not authorized/i);
    // kafkajs words the refusal of a group in its own way.
    await expect(consumeOne(await one(), topicOfOne, 'fleet.other')).rejects.toThrow(/group/i);
    await expect(produce(await one(), topicOfOther, 'forged status')).rejects.toThrow(/not authorized/i);
  });

  it('refuses a forged token, an expired one, and one for another audience', async () => {
    const { tokens } = rig.oauth!;
    const forger = await createTokenIssuer();
    const refused = [
      await forger.sign('fleet.one'),
      await tokens.sign('fleet.one', { expiresInSeconds: -600 }),
      await tokens.sign('fleet.one', { audience: 'somebody-else' }),
    ];

    const before = await endOf(intents);

    // The broker hangs up; what kafkajs makes of that differs.
    for (const token of refused) await expect(produce(withToken(token), intents, 'not from one')).rejects.toThrow();

    expect(await endOf(intents)).toBe(before);
    await produce(await one(), intents, 'from one');
    expect(await endOf(intents)).toBe(before + 1);
  });

  it('keeps messages and ACLs over kill -9', async () => {
    await produce(client([...rig.brokers]), topicOfOther, 'before');

    await rig.process.kill9();
    await rig.process.start();

    const plain = client([...rig.brokers]);
    expect(await consumeOne(plain, topicOfOther, `${prefix}after`)).toBe('before');
    await expect(produce(await one(), topicOfOther, 'forged status')).rejects.toThrow(/not authorized/i);
  });
});

it('leaves no timer with a negative delay behind, whatever was done above', () => {
  // Node says it at the first such timer, and then never again in this process.
  expect(warnings.filter(({ name }) => name === 'TimeoutNegativeWarning')).toEqual([]);
});
