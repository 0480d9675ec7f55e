import type { Consumer as KafkajsConsumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { describeError, type Logger } from '#libs/observability';
import { backoffMs, type Clock, type Ids, type Random } from '#libs/runtime';
import { CatchUp } from '../catch-up.ts';
import type { Consumer, Consumption, IncomingMessage } from '../messaging.ts';
import type { LogRange } from '../position.ts';
import type { BrokerWatch } from './broker-watch.ts';
import { explain, isRebalancing } from './explain.ts';
import { PartitionReader, type ReaderHost } from './partition-reader.ts';

const SESSION_MS = 10_000;
/** Also how late a member learns that the group is shared out anew. */
const HEARTBEAT_MS = 1_000;
/** Joining a group may take several tries while others join too; all together about 2.5 s. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 };
/** A long poll of kafkajs; also how late it notices that a paused partition may go on, and the least time that a stop takes. */
const POLL_MS = 250;
/** A consumer that does nothing at all for so long is stuck inside kafkajs. */
const STALLED_MS = 90_000;
const RECONNECT = { baseMs: 200, capMs: 5_000 };
/** Partitions of one broker that are handled at the same time. */
const CONCURRENCY = 4;

export interface KafkaConsumerOptions {
  readonly kafka: Kafka;
  readonly consumption: Consumption;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly watch: BrokerWatch;
  readonly ranges: (topic: string) => Promise<ReadonlyMap<number, LogRange>>;
  /** Runs once a session, before any partition is located. */
  readonly beforeReading: () => Promise<void>;
}

/**
 * Reads until stopped. A session of kafkajs that ends, for whatever reason, is followed by another. Nothing is committed to Kafka: at every
 * assignment the position comes from the offset store, or from memory where there is none. A reader without a store joins a group of its own
 * (`<group>/<uuid>`), so that a former self that has not left yet cannot hold its partition.
 */
export class KafkaConsumer implements Consumer, ReaderHost {
  readonly consumption: Consumption;
  readonly clock: Clock;
  readonly random: Random;
  readonly catchUp: CatchUp;
  private readonly options: KafkaConsumerOptions;
  private readonly groupId: string;
  private readonly readers = new Map<string, PartitionReader>();
  private readonly stopping = new AbortController();
  private readonly asked = new Map<string, Promise<ReadonlyMap<number, LogRange>>>();
  private readonly running: Promise<void>;
  private session: KafkajsConsumer | undefined;
  private lastSign = 0;
  private inProgress = 0;
  private attempts = 0;

  constructor(options: KafkaConsumerOptions) {
    this.options = options;
    this.consumption = options.consumption;
    this.clock = options.clock;
    this.random = options.random;
    this.catchUp = new CatchUp(options.consumption);
    const { group, offsets } = options.consumption;
    this.groupId = offsets ? group : `${group}/${options.ids.uuid()}`;
    this.running = this.run();
  }

  caughtUp(): Promise<void> {
    return this.catchUp.wait();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    for (const reader of this.readers.values()) reader.release();
    await this.running;
    this.catchUp.stop();
  }

  /** Partitions that are located together share one answer. */
  ranges(topic: string): Promise<ReadonlyMap<number, LogRange>> {
    let answer = this.asked.get(topic);
    if (!answer) {
      answer = this.options.ranges(topic).finally(() => this.asked.delete(topic));
      this.asked.set(topic, answer);
    }
    return answer;
  }

  trouble(error: unknown): void {
    this.options.logger.warn('find the position of a partition again', { error });
  }

  private async run(): Promise<void> {
    const { logger, watch } = this.options;
    while (!this.stopping.signal.aborted) {
      try {
        await this.read();
      } catch (error) {
        if (this.stopping.signal.aborted) break;
        this.attempts += 1;
        const { code, reason } = explain(error);
        if (code === 'no-topic') {
          watch.found();
          for (const reader of this.readers.values()) reader.forget();
          logger.debug('wait for a topic', { topics: this.consumption.topics });
        } else {
          watch.lost(reason);
          logger.debug('a session with Kafka ended', { error: describeError(error) });
        }
      }
      await this.clock.sleep(50 + backoffMs(this.attempts, RECONNECT, this.random), this.stopping.signal);
    }
  }

  /** One session. Returns when asked to stop, throws when the session ended by itself. */
  private async read(): Promise<void> {
    const { kafka } = this.options;
    const consumer = kafka.consumer({
      groupId: this.groupId,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: 2 * SESSION_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: POLL_MS,
      allowAutoTopicCreation: false,
      // Restarting is our own loop's work.
      retry: { ...RETRY, restartOnFailure: () => Promise.resolve(false) },
    });
    const crash = Promise.withResolvers<unknown>();
    consumer.on(consumer.events.CRASH, ({ payload }) => crash.resolve(payload.error));
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.joined(consumer, payload.memberAssignment));
    consumer.on(consumer.events.FETCH, () => this.sign());
    consumer.on(consumer.events.FETCH_START, () => (this.lastSign = this.clock.now()));
    this.session = consumer;
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...this.consumption.topics], fromBeginning: true });
      await this.options.beforeReading();
      this.lastSign = this.clock.now();
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: CONCURRENCY,
        eachBatch: (payload) => this.batch(payload),
      });
      const ended = await Promise.race([crash.promise, this.stalledOrStopped()]);
      if (ended !== 'stopped') throw ended;
    } finally {
      this.session = undefined;
      for (const reader of this.readers.values()) reader.release();
      await this.leave(consumer);
    }
  }

  private async stalledOrStopped(): Promise<unknown> {
    while (!this.stopping.signal.aborted) {
      await this.clock.sleep(10_000, this.stopping.signal);
      if (this.inProgress === 0 && this.clock.now() - this.lastSign > STALLED_MS) {
        return new Error(`nothing was heard from Kafka for ${STALLED_MS} ms`);
      }
    }
    return 'stopped';
  }

  private async leave(consumer: KafkajsConsumer): Promise<void> {
    const gone = consumer.disconnect().catch(() => undefined);
    // A batch in progress is waited for however long it takes; a broker that hangs is not.
    const enough = new AbortController();
    const patience = (async () => {
      do await this.clock.sleep(5_000, enough.signal);
      while (this.inProgress > 0 && !enough.signal.aborted);
    })();
    await Promise.race([gone, patience]);
    enough.abort();
  }

  private sign(): void {
    this.lastSign = this.clock.now();
    this.options.watch.found();
  }

  /** Called by kafkajs before it fetches for the first time after joining. */
  private joined(consumer: KafkajsConsumer, assignment: Readonly<Record<string, readonly number[]>>): void {
    if (this.stopping.signal.aborted || this.session !== consumer) return;
    this.sign();
    this.attempts = 0;
    const held = new Set<string>();
    for (const [topic, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) {
        const key = `${topic}/${partition}`;
        held.add(key);
        consumer.pause([{ topic, partitions: [partition] }]);
        this.catchUp.announce(topic, partition);
        let reader = this.readers.get(key);
        if (!reader) this.readers.set(key, (reader = new PartitionReader(this, topic, partition)));
        reader.assign({
          pause: () => {
            if (this.session === consumer) consumer.pause([{ topic, partitions: [partition] }]);
          },
          resumeAt: (offset) => {
            if (this.session !== consumer) return;
            consumer.seek({ topic, partition, offset: offset.toString() });
            consumer.resume([{ topic, partitions: [partition] }]);
          },
        });
      }
    }
    for (const [key, reader] of this.readers) {
      if (held.has(key)) continue;
      reader.leave();
      this.readers.delete(key);
      this.catchUp.lost(reader.topic, reader.partition);
    }
    for (const topic of this.consumption.topics) this.catchUp.assigned(topic);
  }

  private async batch({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> {
    const reader = this.readers.get(`${batch.topic}/${batch.partition}`);
    if (!reader || !isRunning() || isStale()) return;
    // Not in kafkajs's types: the offset that this batch was asked from.
    const { fetchedOffset } = batch as typeof batch & { readonly fetchedOffset: string };
    const messages = batch.messages.map(incoming);
    const done = new AbortController();
    this.inProgress += 1;
    try {
      const beating = this.beat(heartbeat, done.signal);
      await reader.take(BigInt(fetchedOffset), messages, BigInt(batch.lastOffset()) + 1n, async (lastOffset) => {
        if (!isStale()) resolveOffset(lastOffset);
        await heartbeat().catch((error: unknown) => this.heartbeatFailed(error));
      });
      done.abort();
      await beating;
    } finally {
      done.abort();
      this.inProgress -= 1;
      this.lastSign = this.clock.now();
    }
    // kafkajs joins again when it hears that the group is shared out anew, and this is where it listens.
    await heartbeat();
  }

  /** Keeps the membership alive while a handler takes its time. */
  private async beat(heartbeat: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.clock.sleep(HEARTBEAT_MS, signal);
      if (signal.aborted) return;
      await heartbeat().catch((error: unknown) => this.heartbeatFailed(error));
    }
  }

  private heartbeatFailed(error: unknown): void {
    // Any partition may go to somebody else now: handlers should finish or give up.
    if (isRebalancing(error)) for (const reader of this.readers.values()) reader.release();
  }
}

function incoming(message: KafkaMessage): IncomingMessage {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) headers[name] = first.toString();
  }
  return {
    offset: message.offset,
    key: message.key?.toString() ?? '',
    value: message.value,
    headers,
    timestamp: Number(message.timestamp),
  };
}
