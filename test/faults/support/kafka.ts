import { logLevel, Partitioners, type Kafka, type KafkaMessage } from 'kafkajs';
import { topics } from '#libs/contracts';
import { eventually, rawKafka } from '#libs/testing';
import type { FaultFleet } from './fleet.ts';

/** The broker of a fleet as its super user sees it. Each use connects anew, so that a broker may be broken in between. */
export class KafkaDesk {
  readonly names: ReturnType<typeof topics>;
  readonly #kafka: Kafka;

  constructor(fleet: FaultFleet) {
    this.names = topics(fleet.name);
    this.#kafka = rawKafka({ brokers: [...fleet.kafka.brokers], logLevel: logLevel.NOTHING, retry: { retries: 5 } });
  }

  /** Everything that a topic holds, by partition in order. */
  async read(topic: string): Promise<{ partition: number; message: KafkaMessage }[]> {
    const ranges = await this.#with((admin) => admin.fetchTopicOffsets(topic));
    const expected = ranges.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
    const consumer = this.#kafka.consumer({ groupId: `test-${crypto.randomUUID()}` });
    const messages: { partition: number; message: KafkaMessage }[] = [];
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: ({ partition, message }) => {
          messages.push({ partition, message });
          return Promise.resolve();
        },
      });
      await eventually(() => messages.length >= expected, {
        what: `${expected} messages of ${topic} are read`,
        deadlineMs: 30_000,
      });
      return messages;
    } finally {
      await consumer.disconnect();
    }
  }

  /** The offset after the last message of each partition. */
  async ends(topic: string): Promise<Map<number, number>> {
    const ranges = await this.#with((admin) => admin.fetchTopicOffsets(topic));
    return new Map(ranges.map(({ partition, high }) => [partition, Number(high)]));
  }

  async send(
    topic: string,
    messages: readonly { key: string | null; value: Buffer | null; partition?: number }[],
  ): Promise<void> {
    const producer = this.#kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    try {
      await producer.connect();
      await producer.send({ topic, messages: [...messages] });
    } finally {
      await producer.disconnect();
    }
  }

  /** Removes a topic and makes it again, empty: offsets begin at 0. */
  async recreate(topic: string, numPartitions: number): Promise<void> {
    await this.#with((admin) => admin.deleteTopics({ topics: [topic] }));
    await eventually(
      async () => {
        await this.#with((admin) => admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false }));
        return (await this.#with((admin) => admin.listTopics())).includes(topic);
      },
      { what: `topic ${topic} is there again`, deadlineMs: 30_000 },
    );
  }

  async configure(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await this.#with((admin) =>
      admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] }),
    );
  }

  async #with<T>(work: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }
}
