import type { Kafka } from 'kafkajs';
import { silentLogger, type Logger } from '#libs/observability';
import { SystemClock, SystemIds, SystemRandom, type Clock, type Ids, type Random } from '#libs/runtime';
import { MessagingError } from '../errors.ts';
import { Messaging, type Consumer, type Consumption, type OutgoingMessage, type TopicSpec } from '../messaging.ts';
import type { ProduceQuotas } from '../produce-quotas.ts';
import { Administrator } from './administrator.ts';
import { BrokerVoice, BrokerWatch } from './broker-watch.ts';
import { connectTo, type KafkaConnection } from './client.ts';
import { KafkaConsumer } from './consumer.ts';
import { KafkaProduceQuotas } from './produce-quotas.ts';
import { Publisher } from './publisher.ts';

interface KafkaOptions extends KafkaConnection {
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly ids?: Ids;
}

/**
 * The port over Kafka. A broker that is away is waited for and spoken about, never a reason to end: consumers go on by themselves, `publish`
 * and the operations on topics and ACLs wait for their time-outs (30 s) and reject with a `MessagingError`.
 */
export class KafkaMessaging extends Messaging {
  private readonly kafka: Kafka;
  private readonly logger: Logger;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly ids: Ids;
  private readonly watches = new Set<BrokerWatch>();
  private readonly voice: BrokerVoice;
  private readonly consumers = new Map<KafkaConsumer, BrokerWatch>();
  private readonly publisher: Publisher;
  private readonly administrator: Administrator;
  /** Topics that this process made, with the groups that have begun a new epoch for that. */
  private readonly madeHere = new Map<string, Set<string>>();
  private closed = false;

  constructor(options: KafkaOptions) {
    super();
    this.logger = options.logger ?? silentLogger;
    this.clock = options.clock ?? new SystemClock();
    this.random = options.random ?? new SystemRandom();
    this.ids = options.ids ?? new SystemIds();
    this.voice = new BrokerVoice(this.clock, this.logger);
    this.kafka = connectTo(options, this.logger);
    this.publisher = new Publisher(this.kafka, this.clock, this.random, this.watch('publish'));
    this.administrator = new Administrator(this.kafka, this.clock, this.random, this.watch('administer'));
  }

  publish(topic: string, messages: readonly OutgoingMessage[], timeoutMs = 30_000): Promise<void> {
    return this.publisher.publish(topic, messages, timeoutMs);
  }

  /** Resolves at once; the broker is waited for in the background. */
  consume(consumption: Consumption): Promise<Consumer> {
    if (this.closed) return Promise.reject(new MessagingError('closed', 'consume: messaging is closed'));
    const watch = this.watch('consume', consumption);
    const consumer = new KafkaConsumer({
      kafka: this.kafka,
      consumption,
      clock: this.clock,
      random: this.random,
      ids: this.ids,
      logger: this.logger.child({ consumerGroup: consumption.group }),
      watch,
      ranges: (topic) => this.administrator.ranges(topic),
      beforeReading: () => this.beginMadeTopics(consumption),
    });
    this.consumers.set(consumer, watch);
    return Promise.resolve({
      caughtUp: () => consumer.caughtUp(),
      stop: async () => {
        await consumer.stop();
        this.consumers.delete(consumer);
        this.watches.delete(watch);
        this.voice.found(watch);
      },
    });
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<readonly string[]> {
    const made = await this.administrator.ensureTopics(topics);
    for (const name of made) this.madeHere.set(name, new Set());
    return made;
  }

  async deleteTopic(name: string): Promise<void> {
    await this.administrator.deleteTopic(name);
    this.madeHere.delete(name);
  }

  grantCluster(
    principal: string,
    topics: { readonly write: readonly string[]; readonly read: readonly string[]; readonly group: string },
  ): Promise<void> {
    return this.administrator.grant(principal, topics);
  }

  revokeCluster(principal: string): Promise<void> {
    return this.administrator.revoke(principal);
  }

  override produceQuotas(): ProduceQuotas {
    return new KafkaProduceQuotas(this.kafka);
  }

  principalsWithRights(): Promise<readonly string[]> {
    return this.administrator.principalsWithRights();
  }

  /** False while any part that was used cannot reach Kafka. */
  healthy(): boolean {
    return !this.closed && [...this.watches].every((watch) => watch.reached);
  }

  override trouble(): string | undefined {
    if (this.closed) return 'messaging is closed';
    const [first] = [...this.watches].map((watch) => watch.trouble).filter((trouble) => trouble !== undefined);
    return first && `Kafka cannot be reached: ${first}`;
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.consumers.keys()].map((consumer) => consumer.stop()));
    this.consumers.clear();
    await Promise.all([this.publisher.close(), this.administrator.close()]);
  }

  private watch(part: string, consumption?: Consumption): BrokerWatch {
    const watch = new BrokerWatch(part, this.clock, this.voice, {
      onEvent: consumption?.onEvent,
      onDemand: consumption === undefined,
    });
    this.watches.add(watch);
    return watch;
  }

  /**
   * A topic that was made just now under a name that the store knows is another log, although its offsets may fit. Whoever made it says so for
   * all partitions, whoever reads them: a member that was faster fails to move its offset, and finds the new epoch.
   */
  private async beginMadeTopics({ topics, group, offsets, onNewEpoch }: Consumption): Promise<void> {
    if (!offsets) return;
    for (const topic of topics) {
      const groups = this.madeHere.get(topic);
      if (!groups || groups.has(group)) continue;
      for (const [partition, range] of await this.administrator.ranges(topic)) {
        if (!(await offsets.load(topic, partition))) continue;
        onNewEpoch?.(topic, partition, await offsets.begin(topic, partition, range.start.toString()));
      }
      groups.add(group);
    }
  }
}
