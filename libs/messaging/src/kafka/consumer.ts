import type { Consumer as KafkajsConsumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { describeError, type Logger } from '#libs/observability';
import { backoffMs, type Clock, type Ids, type Random } from '#libs/runtime';
import { CatchUp } from '../catch-up.ts';
import type { Consumer, Consumption, IncomingMessage } from '../messaging.ts';
import type { LogRange } from '../position.ts';
import type { BrokerWatch } from './broker-watch.ts';
import { messageBytes } from '../message-bytes.ts';
import { explain } from './explain.ts';
import { PartitionReader, type ReaderHost } from './partition-reader.ts';
import { SharedAnswers } from './shared-answers.ts';
import { Turns } from './turns.ts';

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
/** Partitions that are handled at the same time; mostly they wait for a database. */
const CONCURRENCY = 8;
/** Of what was fetched and waits to be handled: of all partitions together, and of one at least. */
const WAITING_BYTES = 8 * 1_048_576;
const LEAST_WAITING_BYTES = 1_048_576;
/** What kafkajs fetched at once is handed over at once, however many partitions it is of. */
const HANDED_OVER_AT_ONCE = 100;

interface KafkaConsumerOptions {
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
 *
 * kafkajs fetches again once all that it fetched before has been taken from it, so it is only handed over there, and handled beside it: else one slow
 * partition would keep all others waiting.
 */
export class KafkaConsumer implements Consumer, ReaderHost {
  readonly consumption: Consumption;
  readonly clock: Clock;
  readonly random: Random;
  readonly catchUp: CatchUp;
  readonly turns = new Turns(CONCURRENCY);
  private readonly options: KafkaConsumerOptions;
  private readonly groupId: string;
  private readonly readers = new Map<string, PartitionReader>();
  private readonly stopping = new AbortController();
  private readonly asked: SharedAnswers<ReadonlyMap<number, LogRange>>;
  private readonly running: Promise<void>;
  private session: KafkajsConsumer | undefined;
  private lastSign = 0;
  private attempts = 0;

  constructor(options: KafkaConsumerOptions) {
    this.options = options;
    this.consumption = options.consumption;
    this.clock = options.clock;
    this.random = options.random;
    this.catchUp = new CatchUp(options.consumption);
    const { group, offsets } = options.consumption;
    this.groupId = offsets ? group : `${group}/${options.ids.uuid()}`;
    this.asked = new SharedAnswers(options.ranges);
    this.running = this.run();
  }

  get room(): number {
    return Math.max(LEAST_WAITING_BYTES, WAITING_BYTES / this.readers.size);
  }

  caughtUp(): Promise<void> {
    return this.catchUp.wait();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.release();
    await this.running;
    this.catchUp.stop();
  }

  /** Partitions that are located together share one answer. */
  ranges(topic: string): Promise<ReadonlyMap<number, LogRange>> {
    return this.asked.to(topic);
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
    // Any partition may go to somebody else now: handlers should finish or give up.
    consumer.on(consumer.events.REBALANCING, () => this.release());
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
        partitionsConsumedConcurrently: HANDED_OVER_AT_ONCE,
        eachBatch: (payload) => this.batch(payload),
      });
      const ended = await Promise.race([crash.promise, this.stalledOrStopped()]);
      if (ended !== 'stopped') throw ended;
    } finally {
      this.release();
      this.session = undefined;
      await this.leave(consumer);
    }
  }

  private async stalledOrStopped(): Promise<unknown> {
    while (!this.stopping.signal.aborted) {
      await this.clock.sleep(10_000, this.stopping.signal);
      if (this.clock.now() - this.lastSign > STALLED_MS) {
        return new Error(`nothing was heard from Kafka for ${STALLED_MS} ms`);
      }
    }
    return 'stopped';
  }

  private async leave(consumer: KafkajsConsumer): Promise<void> {
    // A batch in progress is waited for however long it takes; a broker that hangs is not.
    await this.turns.idle();
    const gone = consumer.disconnect().catch(() => undefined);
    const enough = new AbortController();
    await Promise.race([gone, this.clock.sleep(5_000, enough.signal)]);
    enough.abort();
  }

  private release(): void {
    for (const reader of this.readers.values()) reader.release();
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
          resume: () => {
            if (this.session === consumer) consumer.resume([{ topic, partitions: [partition] }]);
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

  private async batch({ batch, resolveOffset, isRunning, isStale }: EachBatchPayload): Promise<void> {
    const reader = this.readers.get(`${batch.topic}/${batch.partition}`);
    if (!reader || !isRunning() || isStale()) return;
    // Not in kafkajs's types: the offset that this batch was asked from.
    const { fetchedOffset } = batch as typeof batch & { readonly fetchedOffset: string };
    const messages = batch.messages.map(incoming);
    const fetched = {
      from: BigInt(fetchedOffset),
      messages,
      after: BigInt(batch.lastOffset()) + 1n,
      bytes: messages.reduce((sum, message) => sum + messageBytes(message), 0),
    };
    if (!reader.offer(fetched)) return;
    resolveOffset(batch.lastOffset());
    if (!this.turns.taken) return;
    // Nobody could handle more at once: what comes meanwhile is fetched together. kafkajs sends its heartbeats between two fetches.
    const enough = new AbortController();
    await Promise.race([this.turns.over(), this.clock.sleep(POLL_MS, enough.signal)]);
    enough.abort();
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
