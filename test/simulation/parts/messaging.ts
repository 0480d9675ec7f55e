import { backoffMs, type Random } from '#libs/runtime';
import {
  Messaging,
  MessagingError,
  type Consumer,
  type Consumption,
  type OutgoingMessage,
  type TopicSpec,
} from '#libs/messaging';
import { decidePosition } from '../../../libs/messaging/src/position.ts';
import type { Process } from '../engine/process.ts';
import type { GroupMember, LogPartition, LogRecord, SimulatedLog } from './log.ts';

/** What faults make of messages on their way into the log. */
export type MessageFaults = (process: Process, topic: string, messages: readonly OutgoingMessage[]) => MessageFate[];

export interface MessageFate {
  readonly message: OutgoingMessage;
  /** 0 = at once, n = later, milliseconds; absent copies are lost. */
  readonly copiesAfterMs: readonly number[];
}

/** A member that is not heard of for so long loses its partitions (Kafka's session timeout). */
const SESSION_MS = 6_000;
const RETRY = { baseMs: 200, capMs: 5_000 };
const MAX_BATCH = 100;

/** The messaging port of one process on the simulated log. It has Kafka's manners: at least once, stale owners, new epochs. */
export class SimulatedMessaging extends Messaging {
  private readonly log: SimulatedLog;
  private readonly process: Process;
  private readonly random: Random;
  private readonly faults: MessageFaults;
  /** Members of groups that this process brought in. */
  private readonly members: { readonly group: string; readonly member: GroupMember }[] = [];

  constructor(parts: {
    readonly log: SimulatedLog;
    readonly process: Process;
    readonly random: Random;
    readonly faults: MessageFaults;
  }) {
    super();
    this.log = parts.log;
    this.process = parts.process;
    this.random = parts.random;
    this.faults = parts.faults;
  }

  publish(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    return this.process.call('log.publish', () => {
      const found = this.log.topic(topic);
      if (!found) throw new MessagingError('no-topic', `publish to ${topic}: the topic does not exist`);
      for (const { message, copiesAfterMs } of this.faults(this.process, topic, messages)) {
        for (const ms of copiesAfterMs) {
          if (ms === 0) this.log.append(found, [message]);
          else {
            this.log.scheduler.after(ms, () => {
              const later = this.log.topic(topic);
              if (later) this.log.append(later, [message]);
            });
          }
        }
      }
    });
  }

  consume(consumption: Consumption): Promise<Consumer> {
    return this.process.call('log.subscribe', () => {
      const reader = new SimulatedConsumer(this.log, this.process, this.random, consumption);
      if (consumption.offsets) this.members.push({ group: consumption.group, member: reader.member });
      return reader;
    });
  }

  ensureTopics(topics: readonly TopicSpec[]): Promise<readonly string[]> {
    return this.process.call('log.ensureTopics', () =>
      topics.filter((spec) => this.log.make(spec)).map(({ name }) => name),
    );
  }

  deleteTopic(): Promise<void> {
    return Promise.reject(new Error('no cluster is unregistered here'));
  }

  grantCluster(): Promise<void> {
    return Promise.resolve();
  }

  revokeCluster(): Promise<void> {
    return Promise.resolve();
  }

  healthy(): boolean {
    return true;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The broker hears nothing of the process any more: after a while its partitions go to others. */
  silent(): void {
    const { scheduler } = this.log;
    const { process } = this;
    scheduler.after(SESSION_MS, () => {
      if (process.alive && !process.paused) return;
      for (const { group, member } of this.members) this.log.leave(group, member);
    });
  }

  /** It is heard again: what was taken away comes back in a new generation. */
  back(): void {
    for (const { group, member } of this.members) {
      if (!this.log.isMember(group, member)) this.log.join(group, member);
    }
  }
}

class SimulatedConsumer implements Consumer {
  readonly member: GroupMember;
  private readonly log: SimulatedLog;
  private readonly process: Process;
  private readonly random: Random;
  private readonly consumption: Consumption;
  private readonly own = new Map<string, AbortController>();
  private readonly reached = Promise.withResolvers<void>();
  private stopped = false;

  constructor(log: SimulatedLog, process: Process, random: Random, consumption: Consumption) {
    this.log = log;
    this.process = process;
    this.random = random;
    this.consumption = consumption;
    let newest = 0;
    this.member = {
      topics: consumption.topics,
      assign: (generation, owns) =>
        process.deliver(() => {
          if (generation <= newest) return;
          newest = generation;
          this.reassign(owns);
        }),
    };
    if (consumption.offsets) log.join(consumption.group, this.member);
    else {
      log.watchTopics(() => process.deliver(() => this.reassign(() => true)));
      this.reassign(() => true);
    }
  }

  caughtUp(): Promise<void> {
    return this.reached.promise;
  }

  stop(): Promise<void> {
    this.stopped = true;
    for (const each of this.own.values()) each.abort();
    this.own.clear();
    if (this.consumption.offsets) this.log.leave(this.consumption.group, this.member);
    return Promise.resolve();
  }

  private reassign(owns: (topic: string, partition: number) => boolean): void {
    if (this.stopped) return;
    for (const name of this.consumption.topics) {
      this.log.topic(name)?.partitions.forEach((_, partition) => {
        const key = `${name}/${partition}`;
        if (!owns(name, partition)) {
          this.own.get(key)?.abort();
          this.own.delete(key);
        } else if (!this.own.has(key)) {
          const leaving = new AbortController();
          this.own.set(key, leaving);
          void this.read(name, partition, leaving.signal);
        }
      });
    }
  }

  private async read(topic: string, partition: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.process;
    let position: { readonly epoch: number; readonly offset: number; readonly of: LogPartition } | undefined;
    for (let failures = 0; !signal.aborted;) {
      try {
        const log = this.log.topic(topic)?.partitions[partition];
        if (!log) return;
        if (position?.of !== log) position = await this.locate(log, topic, partition);
        if (signal.aborted) return;
        const records = log.records.slice(position.offset, position.offset + MAX_BATCH);
        if (records.length === 0) {
          this.reached.resolve();
          await new Promise<void>((resolve) => log.onChange(() => this.process.deliver(resolve)));
          continue;
        }
        const next: number = records.at(-1)!.offset + 1;
        await this.handle(topic, partition, position, this.kept(topic, log, records), next, signal);
        position = { ...position, offset: next };
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        position = undefined;
        this.consumption.onEvent?.({ kind: 'batch-failed', topic, partition, failures, error });
        await clock.sleep(50 + backoffMs(failures, RETRY, this.random), signal);
      }
    }
  }

  /** Compaction: only the newest of each key is still there. */
  private kept(topic: string, log: LogPartition, records: readonly LogRecord[]): readonly LogRecord[] {
    if (!this.log.topic(topic)?.spec.compacted) return records;
    const newest = new Map<string, number>();
    for (const { key, offset } of log.records) newest.set(key, offset);
    return records.filter(({ key, offset }) => newest.get(key) === offset);
  }

  private async handle(
    topic: string,
    partition: number,
    position: { readonly epoch: number; readonly offset: number },
    records: readonly LogRecord[],
    next: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (records.length === 0) return;
    await this.consumption.handle({
      topic,
      partition,
      epoch: position.epoch,
      from: `${position.offset}`,
      next: `${next}`,
      messages: records.map((record) => ({ ...record, offset: `${record.offset}` })),
      signal,
    });
  }

  private async locate(
    log: LogPartition,
    topic: string,
    partition: number,
  ): Promise<{ readonly epoch: number; readonly offset: number; readonly of: LogPartition }> {
    const { offsets, onNewEpoch } = this.consumption;
    if (!offsets) return { epoch: 1, offset: 0, of: log };
    const stored = await offsets.load(topic, partition);
    const found = decidePosition(stored, { start: 0n, end: BigInt(log.end) }, false);
    if (found.kind === 'continue') return { epoch: found.epoch, offset: Number(found.offset), of: log };
    const epoch = await offsets.begin(topic, partition, found.offset.toString());
    onNewEpoch?.(topic, partition, epoch);
    return { epoch, offset: Number(found.offset), of: log };
  }
}
