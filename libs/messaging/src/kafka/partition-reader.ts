import { backoffMs, type Clock, type Random } from '#libs/runtime';
import type { CatchUp } from '../catch-up.ts';
import { DEFAULT_MAX_BATCH, RETRY_BACKOFF } from '../delivery.ts';
import type { Batch, Consumption, IncomingMessage } from '../messaging.ts';
import { decidePosition, type LogRange } from '../position.ts';

/** What a reader needs of the consumer that it belongs to. */
export interface ReaderHost {
  readonly consumption: Consumption;
  readonly clock: Clock;
  readonly random: Random;
  readonly catchUp: CatchUp;
  ranges(topic: string): Promise<ReadonlyMap<number, LogRange>>;
  /** Says that a position could not be found, without counting it as a failed batch. */
  trouble(error: unknown): void;
}

/** The two things that move a partition in kafkajs. */
export interface PartitionControl {
  pause(): void;
  /** Reads on from here. */
  resumeAt(offset: bigint): void;
}

/**
 * One partition of one consumer: where it stands, and what happens to a batch. A reader lives as long as its consumer; each assignment gives
 * it a fresh signal.
 */
export class PartitionReader {
  readonly topic: string;
  readonly partition: number;
  private readonly host: ReaderHost;
  private epoch = 1;
  /** Next offset to handle; undefined until it is known, and after a failure of a reader with a store. */
  private position: bigint | undefined;
  /** A reader without a store remembers here. */
  private reached: bigint | undefined;
  private failures = 0;
  private assignment = new AbortController();
  private control: PartitionControl | undefined;

  constructor(host: ReaderHost, topic: string, partition: number) {
    this.host = host;
    this.topic = topic;
    this.partition = partition;
  }

  /** The partition is ours (again): nothing is read until its position is known. */
  assign(control: PartitionControl): void {
    this.assignment.abort();
    this.assignment = new AbortController();
    this.control = control;
    this.position = undefined;
    void this.locate(this.assignment.signal);
  }

  /** The partition is not ours any more, or is about to be taken away. */
  release(): void {
    this.assignment.abort();
  }

  /** The partition is somebody else's: what failed here is not ours to tell any more. */
  leave(): void {
    this.release();
    this.goesOn();
  }

  /** The topic was away: a reader without a store cannot know whether what comes is the same log. */
  forget(): void {
    if (this.reached === undefined) return;
    this.reached = undefined;
    this.epoch += 1;
    this.host.consumption.onNewEpoch?.(this.topic, this.partition, this.epoch);
  }

  /**
   * Handles what was fetched from `fetchedFrom`, in pieces; `handled` is called with the last offset of each. Answers false when the rest must
   * not be handled: it comes again.
   */
  async take(
    fetchedFrom: bigint,
    messages: readonly IncomingMessage[],
    after: bigint,
    handled: (lastOffset: string) => Promise<void>,
  ): Promise<boolean> {
    const { signal } = this.assignment;
    if (signal.aborted || this.position === undefined) return false;
    if (fetchedFrom !== this.position && !(await this.accept(fetchedFrom, signal))) return false;
    const { maxBatch = DEFAULT_MAX_BATCH, handle } = this.host.consumption;
    for (let at = 0; at < messages.length; at += maxBatch) {
      const from = this.position;
      const piece = messages.slice(at, at + maxBatch);
      const last = piece.at(-1);
      if (signal.aborted || from === undefined || !last) return false;
      const next = at + maxBatch >= messages.length ? after : BigInt(last.offset) + 1n;
      const batch: Batch = {
        topic: this.topic,
        partition: this.partition,
        epoch: this.epoch,
        from: from.toString(),
        next: next.toString(),
        messages: piece,
        signal,
      };
      try {
        await handle(batch);
      } catch (error) {
        this.refuse(error, signal);
        return false;
      }
      this.goesOn();
      this.position = this.reached = next;
      this.host.catchUp.reached(this.topic, this.partition, next);
      await handled(last.offset);
    }
    return true;
  }

  /** kafkajs reads elsewhere than we stand: it skipped what compaction left of a batch, or it fell out of the log and began anew. */
  private async accept(fetchedFrom: bigint, signal: AbortSignal): Promise<boolean> {
    if (this.position !== undefined && fetchedFrom > this.position) {
      const range = (await this.host.ranges(this.topic)).get(this.partition);
      if (range && range.start <= this.position) return true;
    }
    this.relocate(signal, 0);
    return false;
  }

  private refuse(error: unknown, signal: AbortSignal): void {
    // Giving up because the partition goes away is no failure.
    if (signal.aborted) return;
    this.failed(error);
    this.relocate(signal, 50 + backoffMs(this.failures, RETRY_BACKOFF, this.host.random));
  }

  private failed(error: unknown): void {
    this.failures += 1;
    const { topic, partition, failures } = this;
    this.host.consumption.onEvent?.({ kind: 'batch-failed', topic, partition, failures, error });
  }

  private goesOn(): void {
    if (this.failures === 0) return;
    this.failures = 0;
    const { topic, partition } = this;
    this.host.consumption.onEvent?.({ kind: 'goes-on', topic, partition });
  }

  private relocate(signal: AbortSignal, afterMs: number): void {
    this.position = undefined;
    this.control?.pause();
    void this.host.clock.sleep(afterMs, signal).then(() => this.locate(signal));
  }

  /** Finds where to read on and sets kafkajs going there; tries until it succeeds or the partition is gone. */
  private async locate(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const range = (await this.host.ranges(this.topic)).get(this.partition);
        if (!range) throw new Error(`partition ${this.partition} of ${this.topic} is not there`);
        const position = await this.decide(range).catch((error: unknown) => {
          // The log answered, the store did not: whoever handles batches waits for the same.
          if (!signal.aborted) this.failed(error);
          throw error;
        });
        if (signal.aborted) return;
        this.position = position;
        this.host.catchUp.end(this.topic, this.partition, range.end);
        this.host.catchUp.reached(this.topic, this.partition, position);
        if (position >= range.end) this.goesOn();
        this.control?.resumeAt(position);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.host.trouble(error);
        await this.host.clock.sleep(50 + backoffMs(attempt, RETRY_BACKOFF, this.host.random), signal);
      }
    }
  }

  private async decide(range: LogRange): Promise<bigint> {
    const { topic, partition } = this;
    const { offsets, onNewEpoch } = this.host.consumption;
    if (!offsets) {
      if (this.reached === undefined) return range.start;
      const found = decidePosition({ epoch: this.epoch, offset: this.reached.toString() }, range, false);
      if (found.kind === 'begin') {
        this.epoch += 1;
        this.host.catchUp.again(topic, partition);
        onNewEpoch?.(topic, partition, this.epoch);
      }
      return found.offset;
    }
    const found = decidePosition(await offsets.load(topic, partition), range, false);
    if (found.kind === 'continue') {
      this.epoch = found.epoch;
      return found.offset;
    }
    this.epoch = await offsets.begin(topic, partition, found.offset.toString());
    onNewEpoch?.(topic, partition, this.epoch);
    return found.offset;
  }
}
