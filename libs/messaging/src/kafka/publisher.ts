import kafkajs, { type Kafka, type Producer } from 'kafkajs';
import { backoffMs, type Clock, type Random } from '#libs/runtime';
import { MAX_MESSAGE_BYTES, MessagingError } from '../errors.ts';
import { messageBytes } from '../message-bytes.ts';
import type { OutgoingMessage } from '../messaging.ts';
import type { BrokerWatch } from './broker-watch.ts';
import { RETRY } from './client.ts';
import { explain, type Explanation } from './explain.ts';

/** One call of `publish`. */
interface Request {
  readonly topic: string;
  readonly messages: readonly OutgoingMessage[];
  readonly sizes: readonly number[];
  /** Messages that the broker has. */
  sent: number;
  failure: Explanation | undefined;
  settled: boolean;
  readonly settle: (error?: MessagingError) => void;
}

interface TopicQueue {
  requests: Request[];
  /** Not before; a topic that cannot be written must not hold up the others. */
  blockedUntil: number;
  failures: number;
  /** Bytes of one produce request for this topic: one record batch must fit a broker's limit, whichever partition it goes to. */
  limit: number;
}

/** What one produce request takes of one request. */
interface Share {
  readonly request: Request;
  readonly from: number;
  readonly to: number;
}

const BATCH_BYTES = 900_000;
const BATCH_MESSAGES = 5_000;
const BACKOFF = { baseMs: 100, capMs: 2_000 };

/**
 * One idempotent producer for all calls. Calls that come while a request is under way, or in the same turn of the event loop, travel together
 * in the next one; one request at a time keeps the order.
 *
 * After any failure the producer is thrown away: kafkajs takes sequence numbers back when a request fails, so another batch under the same
 * numbers could pass for a repeat of the first and be dropped by the broker as a duplicate.
 */
export class Publisher {
  private readonly kafka: Kafka;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly watch: BrokerWatch;
  private readonly queues = new Map<string, TopicQueue>();
  private readonly closing = new AbortController();
  private producer: Promise<Producer> | undefined;
  private pumping: Promise<void> | undefined;
  private waiting = new AbortController();

  constructor(kafka: Kafka, clock: Clock, random: Random, watch: BrokerWatch) {
    this.kafka = kafka;
    this.clock = clock;
    this.random = random;
    this.watch = watch;
  }

  publish(topic: string, messages: readonly OutgoingMessage[], timeoutMs: number): Promise<void> {
    if (this.closing.signal.aborted) {
      return Promise.reject(new MessagingError('closed', `publish to ${topic}: messaging is closed`));
    }
    const sizes = messages.map(messageBytes);
    const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
    if (largest > MAX_MESSAGE_BYTES) {
      const text = `publish to ${topic}: a message of ${largest} bytes is over the limit of ${MAX_MESSAGE_BYTES}`;
      return Promise.reject(new MessagingError('too-large', text));
    }
    if (messages.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const done = new AbortController();
      const request: Request = {
        topic,
        messages,
        sizes,
        sent: 0,
        failure: undefined,
        settled: false,
        settle: (error) => {
          if (request.settled) return;
          request.settled = true;
          done.abort();
          if (error) reject(error);
          else resolve();
        },
      };
      void this.clock.sleep(timeoutMs, done.signal).then(() => {
        const { code, reason } = request.failure ?? { code: 'unavailable', reason: 'Kafka did not answer' };
        request.settle(new MessagingError(code, `publish to ${topic}: ${reason} (tried for ${timeoutMs} ms)`));
      });
      this.queueOf(topic).requests.push(request);
      this.waiting.abort();
      this.pumping ??= this.pump();
    });
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.waiting.abort();
    await this.pumping;
    for (const { requests } of this.queues.values()) {
      for (const { settle, topic } of requests) {
        settle(new MessagingError('closed', `publish to ${topic}: messaging was closed first`));
      }
    }
    this.queues.clear();
    await this.dropProducer();
  }

  private queueOf(topic: string): TopicQueue {
    let queue = this.queues.get(topic);
    if (!queue) this.queues.set(topic, (queue = { requests: [], blockedUntil: 0, failures: 0, limit: BATCH_BYTES }));
    return queue;
  }

  private async pump(): Promise<void> {
    // Lets the calls of this turn gather.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      const open = this.openQueues();
      if (open.length === 0 || (this.closing.signal.aborted && open.every(([, queue]) => queue.failures > 0))) {
        // In the same step as the look at the queues: a call that comes later must find no pump, and start one.
        this.pumping = undefined;
        return;
      }
      const now = this.clock.now();
      const ready = open.filter(([, queue]) => queue.blockedUntil <= now);
      if (ready.length > 0) {
        await this.send(ready.map(([topic, queue]) => [topic, takeShares(queue)] as const));
      } else {
        const next = Math.min(...open.map(([, queue]) => queue.blockedUntil));
        this.waiting = new AbortController();
        await this.clock.sleep(Math.max(1, next - now), AbortSignal.any([this.waiting.signal, this.closing.signal]));
      }
    }
  }

  private openQueues(): [string, TopicQueue][] {
    for (const [topic, queue] of this.queues) {
      queue.requests = queue.requests.filter((request) => !request.settled);
      if (queue.requests.length === 0) this.queues.delete(topic);
    }
    return [...this.queues].filter(([, queue]) => queue.requests.length > 0);
  }

  private async send(parts: readonly (readonly [string, readonly Share[]])[]): Promise<void> {
    try {
      const producer = await this.connected();
      await producer.sendBatch({
        acks: -1,
        topicMessages: parts.map(([topic, shares]) => ({
          topic,
          messages: shares.flatMap(({ request, from, to }) =>
            request.messages.slice(from, to).map(({ key, value, headers }) => ({
              key,
              value: value && Buffer.from(value.buffer, value.byteOffset, value.byteLength),
              ...(headers ? { headers: { ...headers } } : {}),
            })),
          ),
        })),
      });
    } catch (error) {
      await this.dropProducer();
      await this.failed(parts, explain(error));
      return;
    }
    this.watch.found();
    for (const [topic, shares] of parts) {
      this.queueOf(topic).failures = 0;
      for (const { request, to } of shares) {
        request.sent = to;
        if (to === request.messages.length) request.settle();
      }
    }
  }

  private async failed(parts: readonly (readonly [string, readonly Share[]])[], failure: Explanation): Promise<void> {
    if (failure.code !== 'unavailable' && parts.length > 1) {
      // One topic's trouble must not be the others'.
      for (const part of parts) await this.send([part]);
      return;
    }
    if (failure.code === 'unavailable') this.watch.lost(failure.reason);
    for (const [topic, shares] of parts) {
      const queue = this.queueOf(topic);
      if (failure.code === 'too-large') {
        const [first] = shares;
        if (shares.length === 1 && first && first.to - first.from === 1) {
          first.request.settle(new MessagingError('too-large', `publish to ${topic}: ${failure.reason}`));
        }
        queue.limit = Math.max(1, Math.floor(queue.limit / 2));
        continue;
      }
      queue.failures += 1;
      queue.blockedUntil = this.clock.now() + 20 + backoffMs(queue.failures, BACKOFF, this.random);
      for (const { request } of shares) request.failure = failure;
    }
  }

  private connected(): Promise<Producer> {
    this.producer ??= this.connect();
    return this.producer;
  }

  private async connect(): Promise<Producer> {
    const producer = this.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: RETRY,
    });
    try {
      await producer.connect();
      return producer;
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw error;
    }
  }

  private async dropProducer(): Promise<void> {
    const producer = this.producer;
    this.producer = undefined;
    if (!producer) return;
    const gone = producer.then((each) => each.disconnect()).catch(() => undefined);
    // A broker that hangs must not hold up the next try.
    const enough = new AbortController();
    await Promise.race([gone, this.clock.sleep(2_000, enough.signal)]);
    enough.abort();
  }
}

/** From the head of a queue, as much as one produce request may carry; always at least one message. */
function takeShares(queue: TopicQueue): Share[] {
  const shares: Share[] = [];
  let [bytes, count] = [0, 0];
  for (const request of queue.requests) {
    let to = request.sent;
    while (to < request.messages.length) {
      const size = request.sizes[to] ?? 0;
      if (count > 0 && (bytes + size > queue.limit || count >= BATCH_MESSAGES)) break;
      bytes += size;
      count += 1;
      to += 1;
    }
    if (to > request.sent) shares.push({ request, from: request.sent, to });
    if (to < request.messages.length) break;
  }
  return shares;
}
