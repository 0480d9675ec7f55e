import {
  Messaging,
  type Consumer,
  type Consumption,
  type OutgoingMessage,
  type ProduceQuotas,
  type TopicSpec,
} from '#libs/messaging';
import type { Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';

/**
 * How far consumers are behind, in seconds, by the broker's times: the age of the oldest message in work, or else how old the newest message was
 * when its batch was done. Wraps the port; changes nothing of it.
 */
export class ConsumerLag {
  private readonly clock: Clock;
  private readonly gauge;
  private readonly age;
  private readonly partitions = new Map<
    string,
    { readonly topic: string; readonly partition: number; oldest?: number; behindMs: number }
  >();

  constructor(parts: { readonly clock: Clock; readonly metrics: Metrics }) {
    this.clock = parts.clock;
    this.gauge = parts.metrics.gauge('eci_fleet_kafka_lag_seconds', 'How far a consumer of this process is behind', [
      'topic',
      'partition',
    ]);
    this.age = parts.metrics.histogram(
      'eci_fleet_kafka_message_age_seconds',
      'Age of messages when they were dealt with',
      ['topic'],
    );
  }

  /** Messages that are consumed through it are measured. */
  measured(messaging: Messaging): Messaging {
    return new MeasuredMessaging(messaging, (consumption) => this.watch(consumption));
  }

  /** Writes the gauge as of now. */
  refresh(): void {
    const now = this.clock.now();
    for (const { topic, partition, oldest, behindMs } of this.partitions.values()) {
      this.gauge.set(
        { topic, partition: String(partition) },
        (oldest === undefined ? behindMs : Math.max(0, now - oldest)) / 1000,
      );
    }
  }

  private watch(consumption: Consumption): Consumption {
    return {
      ...consumption,
      handle: async (batch) => {
        const { topic, partition, messages } = batch;
        const key = `${topic}/${partition}`;
        const seen = this.partitions.get(key) ?? { topic, partition, behindMs: 0 };
        this.partitions.set(key, seen);
        const first = messages[0];
        if (first !== undefined) seen.oldest = first.timestamp;
        await consumption.handle(batch);
        const now = this.clock.now();
        for (const { timestamp } of messages) this.age.observe({ topic }, Math.max(0, now - timestamp) / 1000);
        const last = messages.at(-1);
        if (last !== undefined) seen.behindMs = Math.max(0, now - last.timestamp);
        // A batch that failed comes again, and is in work until then.
        delete seen.oldest;
      },
    };
  }
}

class MeasuredMessaging extends Messaging {
  private readonly inner: Messaging;
  private readonly watch: (consumption: Consumption) => Consumption;

  constructor(inner: Messaging, watch: (consumption: Consumption) => Consumption) {
    super();
    this.inner = inner;
    this.watch = watch;
  }

  consume(consumption: Consumption): Promise<Consumer> {
    return this.inner.consume(this.watch(consumption));
  }

  publish(topic: string, messages: readonly OutgoingMessage[], timeoutMs?: number): Promise<void> {
    return this.inner.publish(topic, messages, timeoutMs);
  }

  ensureTopics(topics: readonly TopicSpec[]): Promise<readonly string[]> {
    return this.inner.ensureTopics(topics);
  }

  deleteTopic(name: string): Promise<void> {
    return this.inner.deleteTopic(name);
  }

  grantCluster(...parameters: Parameters<Messaging['grantCluster']>): Promise<void> {
    return this.inner.grantCluster(...parameters);
  }

  principalsWithRights(): Promise<readonly string[]> {
    return this.inner.principalsWithRights();
  }

  revokeCluster(principal: string): Promise<void> {
    return this.inner.revokeCluster(principal);
  }

  override produceQuotas(): ProduceQuotas | undefined {
    return this.inner.produceQuotas();
  }

  healthy(): boolean {
    return this.inner.healthy();
  }

  override trouble(): string | undefined {
    return this.inner.trouble();
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
