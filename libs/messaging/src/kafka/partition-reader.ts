import { backoffMs, type Clock, type Random } from '#libs/runtime';
import type { CatchUp } from '../catch-up.ts';
import { DEFAULT_MAX_BATCH, RETRY_BACKOFF } from '../delivery.ts';
import type { Batch, Consumption, IncomingMessage } from '../messaging.ts';
import { decidePosition, findPosition, type LogRange } from '../position.ts';
import type { Turns } from './turns.ts';

/** What a reader needs of the consumer that it belongs to. */
export interface ReaderHost {
  readonly consumption: Consumption;
  readonly clock: Clock;
  readonly random: Random;
  readonly catchUp: CatchUp;
  /** Of handling: partitions take them one batch at a time. */
  readonly turns: Turns;
  /** Bytes that may wait to be handled, of each partition. */
  readonly room: number;
  ranges(topic: string): Promise<ReadonlyMap<number, LogRange>>;
  /** Says that a position could not be found, without counting it as a failed batch. */
  trouble(error: unknown): void;
}

/** What moves a partition in kafkajs. */
interface PartitionControl {
  pause(): void;
  /** After a pause: reads on from where it stopped. */
  resume(): void;
  /** Reads on from here. */
  resumeAt(offset: bigint): void;
}

/** What was fetched of one partition at once. */
interface Fetched {
  /** The offset that it was asked from. */
  readonly from: bigint;
  readonly messages: readonly IncomingMessage[];
  /** Offset after the last message. */
  readonly after: bigint;
  readonly bytes: number;
}

/** Bytes of what is handled together; one fetch of one partition brings about as many. */
const BATCH_BYTES = 1_048_576;

/**
 * One partition of one consumer: where it stands, what waits to be handled, and what happens to a batch. Partitions are handled side by side, each
 * at its own pace: a slow one fills up and is not read on, and the others go on. A reader lives as long as its consumer; each assignment gives it a
 * fresh signal.
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
  private waiting: Fetched[] = [];
  /** Of what waits. */
  private bytes = 0;
  /** Not read on, for too much waits. */
  private full = false;
  private working: Promise<void> | undefined;

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
    this.forgetPosition();
    void this.locate(this.assignment.signal);
  }

  /** The partition is not ours any more, or is about to be taken away. */
  release(): void {
    this.assignment.abort();
    this.control?.pause();
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

  /** Takes what was fetched, to be handled in its turn. Returns false when it must not be: it comes again. */
  offer(fetched: Fetched): boolean {
    const { signal } = this.assignment;
    if (signal.aborted || this.position === undefined) return false;
    this.waiting.push(fetched);
    this.bytes += fetched.bytes;
    if (!this.full && this.bytes > this.host.room) {
      this.full = true;
      this.control?.pause();
    }
    this.working ??= this.work(signal).finally(() => (this.working = undefined));
    return true;
  }

  private async work(signal: AbortSignal): Promise<void> {
    for (let next = this.next(); next; next = this.next()) if (!(await this.take(next, signal))) return;
  }

  /** What waits longest, as much of it as one batch may hold: what came while another was handled is handled together. */
  private next(): Fetched | undefined {
    const { maxBatch = DEFAULT_MAX_BATCH } = this.host.consumption;
    let next = this.waiting.shift();
    for (let [more] = this.waiting; next && more; [more] = this.waiting) {
      const messages = [...next.messages, ...more.messages];
      const bytes = next.bytes + more.bytes;
      if (more.from !== next.after || messages.length > maxBatch || bytes > BATCH_BYTES) break;
      next = { from: next.from, messages, after: more.after, bytes };
      this.waiting.shift();
    }
    this.bytes -= next?.bytes ?? 0;
    if (this.full && this.bytes <= this.host.room / 2) {
      this.full = false;
      this.control?.resume();
    }
    return next;
  }

  /** Handles it in pieces; returns false when the rest must not be handled. */
  private async take({ from: fetchedFrom, messages, after }: Fetched, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (fetchedFrom !== this.position && !(await this.accept(fetchedFrom, signal))) return false;
    const { maxBatch = DEFAULT_MAX_BATCH } = this.host.consumption;
    for (let at = 0; at < messages.length; at += maxBatch) {
      const piece = messages.slice(at, at + maxBatch);
      const last = piece.at(-1);
      if (!last) return false;
      const next = at + maxBatch >= messages.length ? after : BigInt(last.offset) + 1n;
      if (!(await this.host.turns.run(() => this.handle(piece, next, signal)))) return false;
    }
    return true;
  }

  private async handle(messages: readonly IncomingMessage[], next: bigint, signal: AbortSignal): Promise<boolean> {
    const { topic, partition, epoch, position: from } = this;
    if (signal.aborted || from === undefined) return false;
    const batch: Batch = { topic, partition, epoch, from: from.toString(), next: next.toString(), messages, signal };
    try {
      await this.host.consumption.handle(batch);
    } catch (error) {
      this.refuse(error, signal);
      return false;
    }
    this.goesOn();
    this.reached = next;
    this.host.catchUp.reached(topic, partition, next);
    // Another assignment finds its position itself.
    if (signal.aborted) return false;
    this.position = next;
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

  /** What waits comes again. */
  private forgetPosition(): void {
    this.position = undefined;
    this.waiting = [];
    this.bytes = 0;
    this.full = false;
  }

  private relocate(signal: AbortSignal, afterMs: number): void {
    this.forgetPosition();
    this.control?.pause();
    void this.host.clock.sleep(afterMs, signal).then(() => this.locate(signal));
  }

  /** Finds where to read on and sets kafkajs going there; tries until it succeeds or the partition is gone. */
  private async locate(signal: AbortSignal): Promise<void> {
    // A batch of the assignment before may be moving it.
    await this.working;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const found = await this.find(signal);
        if (signal.aborted || !found) return;
        const { offset, range } = found;
        this.position = offset;
        this.host.catchUp.end(this.topic, this.partition, range.end);
        this.host.catchUp.reached(this.topic, this.partition, offset);
        if (offset >= range.end) this.goesOn();
        this.control?.resumeAt(offset);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.host.trouble(error);
        await this.host.clock.sleep(50 + backoffMs(attempt, RETRY_BACKOFF, this.host.random), signal);
      }
    }
  }

  /** Undefined: the partition was taken away meanwhile. */
  private async find(signal: AbortSignal): Promise<{ readonly offset: bigint; readonly range: LogRange } | undefined> {
    const { topic, partition } = this;
    const { offsets, onNewEpoch } = this.host.consumption;
    if (!offsets) return this.fromMemory(await this.look());
    // Whoever handles batches waits for the store as well; a log that is away is told by others.
    const told = <T>(answer: Promise<T>): Promise<T> =>
      answer.catch((error: unknown) => {
        if (!signal.aborted) this.failed(error);
        throw error;
      });
    const found = await findPosition({
      load: () => told(offsets.load(topic, partition)),
      look: () => this.look(),
      begin: (offset) => told(offsets.begin(topic, partition, offset)),
      signal,
    });
    if (!found) return undefined;
    this.epoch = found.epoch;
    if (found.begun) onNewEpoch?.(topic, partition, this.epoch);
    return found;
  }

  private fromMemory(range: LogRange): { readonly offset: bigint; readonly range: LogRange } {
    const { topic, partition } = this;
    if (this.reached === undefined) return { offset: range.start, range };
    const found = decidePosition({ epoch: this.epoch, offset: this.reached.toString() }, range, false);
    if (found.kind === 'begin') {
      this.epoch += 1;
      this.host.catchUp.again(topic, partition);
      this.host.consumption.onNewEpoch?.(topic, partition, this.epoch);
    }
    return { offset: found.offset, range };
  }

  private async look(): Promise<LogRange> {
    const range = (await this.host.ranges(this.topic)).get(this.partition);
    if (!range) throw new Error(`partition ${this.partition} of ${this.topic} is not there`);
    return range;
  }
}
