import { SystemRandom, type Clock, type Random } from '#libs/runtime';
import { MAX_MESSAGE_BYTES, MessagingError } from './errors.ts';
import { InProcessConsumer } from './in-process-consumer.ts';
import type { InProcessLog } from './in-process-log.ts';
import { messageBytes } from './message-bytes.ts';
import { Messaging, type Consumer, type Consumption, type OutgoingMessage, type TopicSpec } from './messaging.ts';

/** The port over an `InProcessLog`. Instances on one log see each other's messages; each stops its own consumers when it closes. */
export class InProcessMessaging extends Messaging {
  private readonly log: InProcessLog;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly consumers = new Set<Consumer>();
  private readonly closing = new AbortController();

  constructor(log: InProcessLog, random: Random = new SystemRandom()) {
    super();
    this.log = log;
    this.clock = log.clock;
    this.random = random;
  }

  async publish(topic: string, messages: readonly OutgoingMessage[], timeoutMs = 30_000): Promise<void> {
    for (const message of messages) {
      const size = messageBytes(message);
      if (size > MAX_MESSAGE_BYTES) {
        throw new MessagingError(
          'too-large',
          `publish to ${topic}: a message of ${size} bytes is over the limit of ${MAX_MESSAGE_BYTES}`,
        );
      }
    }
    const deadline = this.clock.now() + timeoutMs;
    for (;;) {
      if (this.closing.signal.aborted) throw new MessagingError('closed', `publish to ${topic}: messaging is closed`);
      const found = this.log.topic(topic);
      if (found) {
        this.log.append(found, messages);
        return;
      }
      const left = deadline - this.clock.now();
      if (left <= 0) throw new MessagingError('no-topic', `publish to ${topic}: the topic does not exist`);
      const waiting = new AbortController();
      await Promise.race([
        this.log.changed(waiting.signal),
        this.clock.sleep(left, AbortSignal.any([waiting.signal, this.closing.signal])),
      ]);
      waiting.abort();
    }
  }

  consume(consumption: Consumption): Promise<Consumer> {
    if (this.closing.signal.aborted)
      return Promise.reject(new MessagingError('closed', 'consume: messaging is closed'));
    const consumer = new InProcessConsumer(this.log, consumption, this.clock, this.random);
    this.consumers.add(consumer);
    return Promise.resolve(consumer);
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<readonly string[]> {
    return topics.filter((spec) => this.log.make(spec)).map((spec) => spec.name);
  }

  deleteTopic(name: string): Promise<void> {
    this.log.remove(name);
    return Promise.resolve();
  }

  /** One process trusts itself: rights are remembered, and nobody is asked for them. */
  grantCluster(principal: string): Promise<void> {
    this.log.granted.add(principal);
    return Promise.resolve();
  }

  principalsWithRights(): Promise<readonly string[]> {
    return Promise.resolve([...this.log.granted]);
  }

  revokeCluster(principal: string): Promise<void> {
    this.log.granted.delete(principal);
    return Promise.resolve();
  }

  healthy(): boolean {
    return !this.closing.signal.aborted;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.all([...this.consumers].map((consumer) => consumer.stop()));
    this.consumers.clear();
  }
}
