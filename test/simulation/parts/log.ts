import type { OutgoingMessage, TopicSpec } from '#libs/messaging';
import type { Scheduler } from '../engine/scheduler.ts';

export interface LogRecord {
  readonly offset: number;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestamp: number;
}

export class LogPartition {
  readonly records: LogRecord[] = [];
  private waiting: (() => void)[] = [];

  get end(): number {
    return this.records.length;
  }

  append(record: Omit<LogRecord, 'offset'>): void {
    this.records.push({ ...record, offset: this.records.length });
    this.wake();
  }

  /** Calls back once, at the next append or when readers should look again. */
  onChange(callback: () => void): void {
    this.waiting.push(callback);
  }

  wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const each of waiting) each();
  }
}

interface LogTopic {
  readonly spec: TopicSpec;
  readonly partitions: readonly LogPartition[];
}

export interface GroupMember {
  /** Tells the member which partitions are its own now; it may be too late for it to hear. */
  readonly assign: (generation: number, own: (topic: string, partition: number) => boolean) => void;
  readonly topics: readonly string[];
}

interface Group {
  readonly members: Set<GroupMember>;
  generation: number;
}

/** The log as Kafka keeps it: topics of partitions, order within a partition, consumer groups that share partitions out and can be lost from. */
export class SimulatedLog {
  readonly scheduler: Scheduler;
  private readonly topics = new Map<string, LogTopic>();
  private readonly groups = new Map<string, Group>();
  private readonly watchers = new Set<() => void>();

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  topic(name: string): LogTopic | undefined {
    return this.topics.get(name);
  }

  all(): IterableIterator<[string, LogTopic]> {
    return this.topics.entries();
  }

  make(spec: TopicSpec): boolean {
    if (this.topics.has(spec.name)) return false;
    this.topics.set(spec.name, {
      spec,
      partitions: Array.from({ length: spec.partitions }, () => new LogPartition()),
    });
    for (const watcher of [...this.watchers]) watcher();
    for (const name of this.groups.keys()) this.rebalance(name);
    return true;
  }

  /** All brokers lost with their data, and made anew: the topics are there and empty, offsets begin at 0. */
  beginAnew(): void {
    const former = [...this.topics.values()];
    this.topics.clear();
    for (const { spec } of former) this.make(spec);
    for (const { partitions } of former) for (const partition of partitions) partition.wake();
  }

  append(topic: LogTopic, messages: readonly OutgoingMessage[]): void {
    for (const { key, value, headers } of messages) {
      const partition = topic.partitions[hash(key) % topic.partitions.length]!;
      partition.append({ key, value, headers: { ...headers }, timestamp: this.scheduler.now });
    }
  }

  /** Undefined: there is no such topic. */
  partitionOf(topic: string, key: string): number | undefined {
    const partitions = this.topics.get(topic)?.partitions.length;
    return partitions === undefined ? undefined : hash(key) % partitions;
  }

  watchTopics(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  join(groupName: string, member: GroupMember): void {
    let group = this.groups.get(groupName);
    if (!group) this.groups.set(groupName, (group = { members: new Set(), generation: 0 }));
    group.members.add(member);
    this.rebalance(groupName);
  }

  leave(groupName: string, member: GroupMember): void {
    if (this.groups.get(groupName)?.members.delete(member)) this.rebalance(groupName);
  }

  isMember(groupName: string, member: GroupMember): boolean {
    return this.groups.get(groupName)?.members.has(member) ?? false;
  }

  rebalance(groupName: string): void {
    const group = this.groups.get(groupName);
    if (!group) return;
    group.generation += 1;
    const members = [...group.members];
    members.forEach((member, index) =>
      member.assign(group.generation, (_topic, partition) => partition % members.length === index),
    );
  }
}

/** FNV-1a: the same partition for the same key. */
function hash(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}
