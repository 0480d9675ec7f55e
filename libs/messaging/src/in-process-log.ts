import type { Clock } from '#libs/runtime';
import type { OutgoingMessage, TopicSpec } from './messaging.ts';

interface StoredRecord {
  readonly offset: bigint;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestamp: number;
  /** Compacted away; the array is swept later. */
  dead: boolean;
}

interface InProcessLogOptions {
  /** How long a compacted partition remembers a tombstone, milliseconds; default 1 h. */
  readonly tombstoneRetentionMs?: number;
  /** Records that a partition keeps beyond what its slowest group has read; default 20,000. Older ones go before their retention ends. */
  readonly keepRecords?: number;
}

/** One partition: an array in order of offsets, with holes where compaction or retention took something. */
export class InProcessPartition {
  private records: StoredRecord[] = [];
  private readonly latest = new Map<string, StoredRecord>();
  private deadCount = 0;
  private readonly readers = new Map<object, bigint>();
  start = 0n;
  end = 0n;

  append(record: Omit<StoredRecord, 'offset' | 'dead'>, compacted: boolean): void {
    const stored: StoredRecord = { ...record, offset: this.end, dead: false };
    this.end += 1n;
    this.records.push(stored);
    if (!compacted) return;
    const former = this.latest.get(record.key);
    if (former && !former.dead) this.kill(former);
    this.latest.set(record.key, stored);
  }

  /** Up to `max` records from `offset` on, and the offset after the last of them (or after the holes that end the log). */
  read(offset: bigint, max: number): { readonly records: readonly StoredRecord[]; readonly next: bigint } {
    const found: StoredRecord[] = [];
    for (let at = this.indexOf(offset); at < this.records.length && found.length < max; at++) {
      const record = this.records[at];
      if (record && !record.dead) found.push(record);
    }
    const last = found.at(-1);
    return { records: found, next: last && found.length === max ? last.offset + 1n : this.end };
  }

  /** How far a reader has come; what no reader needs may go early. */
  readBy(reader: object, offset: bigint): void {
    this.readers.set(reader, offset);
  }

  forgetReader(reader: object): void {
    this.readers.delete(reader);
  }

  /** Retention of a topic that is not compacted: by age, and by number for what every reader has read. */
  expire(before: number, keepRecords: number): void {
    let drop = 0;
    while (drop < this.records.length && (this.records[drop]?.timestamp ?? 0) < before) drop++;
    let slowest = this.end;
    for (const offset of this.readers.values()) if (offset < slowest) slowest = offset;
    while (this.records.length - drop > keepRecords && (this.records[drop]?.offset ?? this.end) < slowest) drop++;
    // Moving the array costs its length, so it is done rarely.
    if (drop === 0 || (drop < this.records.length && drop < 1_000)) return;
    this.records = this.records.slice(drop);
    this.start = this.records[0]?.offset ?? this.end;
  }

  dropTombstones(before: number): void {
    for (const [key, record] of this.latest) {
      if (record.value === null && record.timestamp < before) {
        this.latest.delete(key);
        this.kill(record);
      }
    }
  }

  private kill(record: StoredRecord): void {
    record.dead = true;
    this.deadCount += 1;
    if (this.deadCount < 1_000 || this.deadCount < this.records.length / 2) return;
    this.records = this.records.filter((each) => !each.dead);
    this.deadCount = 0;
  }

  private indexOf(offset: bigint): number {
    let [low, high] = [0, this.records.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.records[middle]?.offset ?? 0n) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

interface InProcessTopic {
  readonly spec: TopicSpec;
  readonly partitions: readonly InProcessPartition[];
}

/**
 * The log itself. Make one per process and give it to every `InProcessMessaging`. It lives in memory: a new one is a new log epoch for every
 * reader with an offset store.
 */
export class InProcessLog {
  /** Principals that were granted anything. */
  readonly granted = new Set<string>();
  readonly clock: Clock;
  private readonly topics = new Map<string, InProcessTopic>();
  private readonly tombstoneRetentionMs: number;
  private readonly keepRecords: number;
  private readonly waiting = new Set<() => void>();
  private readonly watchers = new Set<() => void>();
  private sweptAt = 0;
  private readonly groups = new Map<string, GroupState>();

  constructor(clock: Clock, options: InProcessLogOptions = {}) {
    this.clock = clock;
    this.tombstoneRetentionMs = options.tombstoneRetentionMs ?? 3_600_000;
    this.keepRecords = options.keepRecords ?? 20_000;
  }

  topic(name: string): InProcessTopic | undefined {
    return this.topics.get(name);
  }

  make(spec: TopicSpec): boolean {
    if (this.topics.has(spec.name)) return false;
    if (!Number.isInteger(spec.partitions) || spec.partitions < 1) {
      throw new RangeError(`topic ${spec.name}: partitions must be 1 or more, not ${spec.partitions}`);
    }
    this.topics.set(spec.name, {
      spec,
      partitions: Array.from({ length: spec.partitions }, () => new InProcessPartition()),
    });
    this.topicsChanged();
    return true;
  }

  remove(name: string): void {
    if (this.topics.delete(name)) this.topicsChanged();
  }

  append(topic: InProcessTopic, messages: readonly OutgoingMessage[]): void {
    const timestamp = this.clock.now();
    const compacted = topic.spec.compacted ?? false;
    for (const { key, value, headers } of messages) {
      const partition = topic.partitions[hash(key) % topic.partitions.length];
      // Copied: what a caller does with its buffer later must not change the log.
      partition?.append({ key, value: value && value.slice(), headers: { ...headers }, timestamp }, compacted);
    }
    this.sweep(timestamp);
    this.wake();
  }

  /** Resolves at the next append or change of topics, or when `signal` is aborted. */
  changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Calls back when topics come and go; returns how to stop that. */
  watchTopics(callback: () => void): () => void {
    this.watchers.add(callback);
    return () => this.watchers.delete(callback);
  }

  group(name: string): GroupState {
    let group = this.groups.get(name);
    if (!group) {
      group = { members: new Set(), owners: new Map(), begun: new WeakSet() };
      this.groups.set(name, group);
    }
    return group;
  }

  private topicsChanged(): void {
    for (const watcher of [...this.watchers]) watcher();
    this.wake();
  }

  private wake(): void {
    for (const done of [...this.waiting]) done();
  }

  private sweep(now: number): void {
    if (now - this.sweptAt < 1_000) return;
    this.sweptAt = now;
    for (const { spec, partitions } of this.topics.values()) {
      for (const partition of partitions) {
        if (spec.compacted) partition.dropTombstones(now - this.tombstoneRetentionMs);
        else partition.expire(now - (spec.retentionMs ?? 7 * 86_400_000), this.keepRecords);
      }
    }
  }
}

/** What the members of one consumer group share. */
interface GroupState {
  readonly members: Set<{ readonly topics: readonly string[]; readonly reassign: () => void }>;
  /** The end of each partition's last owner: the next one begins after it. */
  readonly owners: Map<InProcessPartition, Promise<void>>;
  /** Partitions of this log for which an epoch was begun. */
  readonly begun: WeakSet<InProcessPartition>;
}

/** FNV-1a over UTF-16 units: the same partition for the same key, nothing more. */
function hash(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}
