import { backoffMs, type Clock, type Random } from '#libs/runtime';
import { CatchUp } from './catch-up.ts';
import { DEFAULT_MAX_BATCH, RETRY_BACKOFF } from './delivery.ts';
import type { InProcessLog, InProcessPartition } from './in-process-log.ts';
import type { Batch, Consumer, Consumption } from './messaging.ts';
import { decidePosition, findPosition } from './position.ts';

interface Owned {
  readonly topic: string;
  readonly partition: number;
  readonly log: InProcessPartition;
  readonly leaving: AbortController;
  readonly done: Promise<void>;
}

export class InProcessConsumer implements Consumer {
  private readonly log: InProcessLog;
  private readonly consumption: Consumption;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly owned = new Map<InProcessPartition, Owned>();
  /** Readers without an offset store: the last partition object and epoch seen under a name. */
  private readonly seen = new Map<string, { readonly log: InProcessPartition; readonly epoch: number }>();
  private readonly catchUp: CatchUp;
  private readonly unwatch: () => void;
  private readonly member: { readonly topics: readonly string[]; readonly reassign: () => void };
  private stopped: Promise<void> | undefined;

  constructor(log: InProcessLog, consumption: Consumption, clock: Clock, random: Random) {
    this.log = log;
    this.consumption = consumption;
    this.clock = clock;
    this.random = random;
    this.catchUp = new CatchUp(consumption);
    this.member = { topics: consumption.topics, reassign: () => this.reassign() };
    this.unwatch = log.watchTopics(() => this.reassign());
    if (consumption.offsets) {
      const group = log.group(consumption.group);
      group.members.add(this.member);
      for (const member of group.members) member.reassign();
    } else {
      this.reassign();
    }
  }

  caughtUp(): Promise<void> {
    return this.catchUp.wait();
  }

  stop(): Promise<void> {
    this.stopped ??= this.leave();
    return this.stopped;
  }

  private async leave(): Promise<void> {
    this.unwatch();
    const running = [...this.owned.values()];
    for (const each of running) each.leaving.abort();
    await Promise.all(running.map((each) => each.done));
    this.owned.clear();
    this.catchUp.stop();
    const group = this.log.group(this.consumption.group);
    if (group.members.delete(this.member)) for (const member of group.members) member.reassign();
  }

  /** Compares what this member should own with what it owns. Without an offset store every consumer reads everything. */
  private reassign(): void {
    if (this.stopped) return;
    const wanted = new Map<InProcessPartition, { topic: string; partition: number }>();
    const present: string[] = [];
    const members = [...this.log.group(this.consumption.group).members];
    for (const topic of this.consumption.topics) {
      const partitions = this.log.topic(topic)?.partitions;
      if (!partitions) continue;
      const sharers = this.consumption.offsets ? members.filter((each) => each.topics.includes(topic)) : [this.member];
      partitions.forEach((log, partition) => {
        if (sharers[partition % sharers.length] !== this.member) return;
        wanted.set(log, { topic, partition });
      });
      present.push(topic);
    }
    for (const [log, each] of this.owned) {
      if (wanted.has(log)) continue;
      each.leaving.abort();
      this.owned.delete(log);
      this.catchUp.lost(each.topic, each.partition);
    }
    for (const { topic, partition } of wanted.values()) this.catchUp.announce(topic, partition);
    for (const topic of present) this.catchUp.assigned(topic);
    for (const [log, place] of wanted) {
      if (!this.owned.has(log)) this.owned.set(log, this.own(log, place.topic, place.partition));
    }
  }

  private own(log: InProcessPartition, topic: string, partition: number): Owned {
    const leaving = new AbortController();
    const { owners } = this.log.group(this.consumption.group);
    const former = this.consumption.offsets ? (owners.get(log) ?? Promise.resolve()) : Promise.resolve();
    this.catchUp.end(topic, partition, log.end);
    const done = former.then(() => this.read(log, topic, partition, leaving.signal));
    if (this.consumption.offsets) owners.set(log, done);
    return { topic, partition, log, leaving, done };
  }

  private async read(log: InProcessPartition, topic: string, partition: number, signal: AbortSignal): Promise<void> {
    const { maxBatch = DEFAULT_MAX_BATCH, handle, onEvent } = this.consumption;
    // Readers of one group share a mark; a reader without a store has its own.
    const reader = this.consumption.offsets ? this.log.group(this.consumption.group) : this;
    let position: { readonly epoch: number; readonly offset: bigint } | undefined;
    let known = this.firstSight(log, topic, partition);
    let failures = 0;
    const goesOn = (): void => {
      if (failures > 0) onEvent?.({ kind: 'goes-on', topic, partition });
      failures = 0;
    };
    while (!signal.aborted) {
      try {
        position ??= await this.locate(log, topic, partition, { known, signal });
        if (signal.aborted || !position) break;
        this.catchUp.reached(topic, partition, position.offset);
        const { records, next } = log.read(position.offset, maxBatch);
        if (records.length > 0) {
          await handle({
            topic,
            partition,
            epoch: position.epoch,
            from: position.offset.toString(),
            next: next.toString(),
            messages: records.map((record) => ({
              offset: record.offset.toString(),
              key: record.key,
              value: record.value,
              headers: record.headers,
              timestamp: record.timestamp,
            })),
            signal,
          } satisfies Batch);
        } else if (next === position.offset) {
          goesOn();
          log.readBy(reader, position.offset);
          await this.log.changed(signal);
          // Retention may have moved the start beyond what was read.
          if (log.start > position.offset) position = undefined;
          continue;
        }
        goesOn();
        position = known = { epoch: position.epoch, offset: next };
        log.readBy(reader, next);
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        position = undefined;
        onEvent?.({ kind: 'batch-failed', topic, partition, failures, error });
        await this.clock.sleep(50 + backoffMs(failures, RETRY_BACKOFF, this.random), signal);
      }
    }
    goesOn();
    if (!this.consumption.offsets) log.forgetReader(this);
  }

  /** Where a reader without a store begins; a topic that was made anew under its old name is a new epoch. */
  private firstSight(log: InProcessPartition, topic: string, partition: number): { epoch: number; offset: bigint } {
    const key = `${topic}/${partition}`;
    const former = this.seen.get(key);
    const epoch = former ? former.epoch + (former.log === log ? 0 : 1) : 1;
    this.seen.set(key, { log, epoch });
    if (!this.consumption.offsets && epoch > 1) this.consumption.onNewEpoch?.(topic, partition, epoch);
    return { epoch, offset: log.start };
  }

  /** Undefined: the partition was taken away meanwhile. */
  private async locate(
    log: InProcessPartition,
    topic: string,
    partition: number,
    { known, signal }: { known: { readonly epoch: number; readonly offset: bigint }; signal: AbortSignal },
  ): Promise<{ readonly epoch: number; readonly offset: bigint } | undefined> {
    const { offsets, group, onNewEpoch } = this.consumption;
    const look = () => ({ start: log.start, end: log.end });
    if (!offsets) {
      const range = look();
      const found = decidePosition({ epoch: known.epoch, offset: known.offset.toString() }, range, false);
      if (found.kind === 'continue') return found;
      this.catchUp.again(topic, partition);
      this.catchUp.end(topic, partition, range.end);
      onNewEpoch?.(topic, partition, known.epoch + 1);
      return { epoch: known.epoch + 1, offset: found.offset };
    }
    const { begun } = this.log.group(group);
    const found = await findPosition({
      load: () => offsets.load(topic, partition),
      look: () => ({ ...look(), madeAnew: !begun.has(log) }),
      begin: (offset) => offsets.begin(topic, partition, offset),
      signal,
    });
    if (found?.begun) {
      begun.add(log);
      onNewEpoch?.(topic, partition, found.epoch);
    }
    return found;
  }
}
