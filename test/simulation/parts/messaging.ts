import { backoffMs, type Random } from '#libs/runtime';
import {
  Messaging,
  MessagingError,
  type Consumer,
  type Consumption,
  type OutgoingMessage,
  type TopicSpec,
} from '#libs/messaging';
import { CatchUp } from '../../../libs/messaging/src/catch-up.ts';
import { findPosition } from '../../../libs/messaging/src/position.ts';
import type { Process } from '../engine/process.ts';
import type { GroupMember, LogPartition, LogRecord, SimulatedLog } from './log.ts';

/** What faults make of messages on their way into the log. */
type MessageFaults = (process: Process, topic: string, messages: readonly OutgoingMessage[]) => MessageFate[];

export interface MessageFate {
  readonly message: OutgoingMessage;
  /** 0 = at once, n = later, milliseconds; absent copies are lost. */
  readonly copiesAfterMs: readonly number[];
}

/** A member that is not heard of for so long loses its partitions (Kafka's session timeout). */
const SESSION_MS = 6_000;
const RETRY = { baseMs: 200, capMs: 5_000 };
const MAX_BATCH = 100;
/** A topic that is read from its beginning comes in bites, each of which takes a while: whoever acts on the first ones acts on a part of it. */
const BITE = 8;
/** Kafka compacts closed segments alone: of the last minutes every record is still there, also those that were overtaken. */
const OPEN_SEGMENT_MS = 120_000;

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

  principalsWithRights(): Promise<readonly string[]> {
    return Promise.resolve([]);
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

interface Position {
  readonly epoch: number;
  readonly offset: number;
  /** The log that it was found in. */
  readonly of: LogPartition;
}

class SimulatedConsumer implements Consumer {
  readonly member: GroupMember;
  private readonly log: SimulatedLog;
  private readonly process: Process;
  private readonly random: Random;
  private readonly consumption: Consumption;
  private readonly own = new Map<string, AbortController>();
  private readonly catchUp: CatchUp;
  private stopped = false;

  constructor(log: SimulatedLog, process: Process, random: Random, consumption: Consumption) {
    this.log = log;
    this.process = process;
    this.random = random;
    this.consumption = consumption;
    this.catchUp = new CatchUp(consumption);
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
    return this.catchUp.wait();
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
      this.announce(name, owns);
      this.log.topic(name)?.partitions.forEach((_, partition) => {
        const key = `${name}/${partition}`;
        if (!owns(name, partition)) {
          this.own.get(key)?.abort();
          if (this.own.delete(key)) this.catchUp.lost(name, partition);
        } else if (!this.own.has(key)) {
          const leaving = new AbortController();
          this.own.set(key, leaving);
          void this.read(name, partition, leaving.signal);
        }
      });
    }
  }

  /** All partitions of a topic before any is read, as a broker shares them out. */
  private announce(topic: string, owns: (topic: string, partition: number) => boolean): void {
    const partitions = this.log.topic(topic)?.partitions ?? [];
    for (const partition of partitions.keys()) if (owns(topic, partition)) this.catchUp.announce(topic, partition);
    if (partitions.length > 0) this.catchUp.assigned(topic);
  }

  private async read(topic: string, partition: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.process;
    let position: Position | undefined;
    for (let failures = 0; !signal.aborted;) {
      try {
        const log = this.presentLog(topic, partition);
        if (position?.of !== log) {
          if (position) this.catchUp.again(topic, partition);
          position = await this.locate(topic, partition, signal);
          if (!position || signal.aborted) return;
          this.catchUp.end(topic, partition, BigInt(position.of.end));
          // A broker knows topics by their names: of a log that was there when the position was sought nothing is ever heard again.
          continue;
        }
        this.catchUp.reached(topic, partition, BigInt(position.offset));
        const records = await this.fetch(log, position.offset);
        if (signal.aborted) return;
        if (records.length === 0) {
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

  private async fetch(log: LogPartition, from: number): Promise<readonly LogRecord[]> {
    if (this.consumption.offsets) return log.records.slice(from, from + MAX_BATCH);
    const records = log.records.slice(from, from + BITE);
    // Whoever is at the end gets what comes as it comes.
    if (records.length === BITE) await this.process.call('log.fetch', () => undefined);
    return records;
  }

  /** Compaction: of what is no longer in the open segment only the newest of each key is still there. */
  private kept(topic: string, log: LogPartition, records: readonly LogRecord[]): readonly LogRecord[] {
    if (!this.log.topic(topic)?.spec.compacted) return records;
    const closedBefore = this.log.scheduler.now - OPEN_SEGMENT_MS;
    const newest = new Map<string, number>();
    for (const { key, offset, timestamp } of log.records) {
      if (timestamp >= closedBefore) break;
      newest.set(key, offset);
    }
    return records.filter(({ key, offset }) => offset >= (newest.get(key) ?? 0));
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

  /** Undefined: the partition was taken away meanwhile. */
  private async locate(topic: string, partition: number, signal: AbortSignal): Promise<Position | undefined> {
    const { offsets, onNewEpoch } = this.consumption;
    let of = this.presentLog(topic, partition);
    if (!offsets) return { epoch: 1, offset: 0, of };
    const found = await findPosition({
      load: () => offsets.load(topic, partition),
      look: () => {
        of = this.presentLog(topic, partition);
        return { start: 0n, end: BigInt(of.end) };
      },
      begin: (offset) => offsets.begin(topic, partition, offset),
      signal,
    });
    if (!found) return undefined;
    if (found.begun) onNewEpoch?.(topic, partition, found.epoch);
    return { epoch: found.epoch, offset: Number(found.offset), of };
  }

  private presentLog(topic: string, partition: number): LogPartition {
    const log = this.log.topic(topic)?.partitions[partition];
    if (!log) throw new MessagingError('no-topic', `read ${topic}: the topic does not exist`);
    return log;
  }
}
