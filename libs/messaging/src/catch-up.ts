import { MessagingError } from './errors.ts';
import type { Consumption } from './messaging.ts';

/** Knows when every assigned partition has been read up to the end it had when it was assigned. */
export class CatchUp {
  private readonly consumption: Consumption;
  private readonly unassigned: Set<string>;
  /** Undefined while a partition's end is not known yet. */
  private readonly targets = new Map<string, bigint | undefined>();
  private readonly said = new Set<string>();
  private readonly waiters = new Set<{ readonly resolve: () => void; readonly reject: (error: Error) => void }>();
  private stopped = false;

  constructor(consumption: Consumption) {
    this.consumption = consumption;
    this.unassigned = new Set(consumption.topics);
  }

  /** Ours now; call it for all partitions of a topic before `assigned`. */
  announce(topic: string, partition: number): void {
    const key = `${topic}/${partition}`;
    if (!this.said.has(key) && !this.targets.has(key)) this.again(topic, partition);
  }

  /** It is read from its beginning once more: what was reached counts no longer, and the next `end` is the one to reach. */
  again(topic: string, partition: number): void {
    const key = `${topic}/${partition}`;
    this.said.delete(key);
    this.targets.set(key, undefined);
    this.consumption.onEvent?.({ kind: 'behind', topic, partition });
  }

  /** The topic's partitions were shared out, though perhaps none of them to us. */
  assigned(topic: string): void {
    this.unassigned.delete(topic);
    this.check();
  }

  /** The end to reach; later ones do not move it. */
  end(topic: string, partition: number, end: bigint): void {
    const key = `${topic}/${partition}`;
    if (this.targets.has(key) && this.targets.get(key) === undefined) this.targets.set(key, end);
  }

  reached(topic: string, partition: number, offset: bigint): void {
    const key = `${topic}/${partition}`;
    const target = this.targets.get(key);
    if (target === undefined || offset < target) return;
    this.targets.delete(key);
    this.said.add(key);
    this.consumption.onEvent?.({ kind: 'caught-up', topic, partition });
    this.check();
  }

  lost(topic: string, partition: number): void {
    this.targets.delete(`${topic}/${partition}`);
    const knewAll = this.said.delete(`${topic}/${partition}`);
    if (knewAll && !this.stopped) this.consumption.onEvent?.({ kind: 'behind', topic, partition });
    this.check();
  }

  wait(): Promise<void> {
    if (this.stopped) return Promise.reject(stoppedError());
    return new Promise((resolve, reject) => {
      this.waiters.add({ resolve, reject });
      this.check();
    });
  }

  stop(): void {
    this.stopped = true;
    for (const { reject } of this.waiters) reject(stoppedError());
    this.waiters.clear();
  }

  private check(): void {
    if (this.unassigned.size > 0 || this.targets.size > 0) return;
    for (const { resolve } of this.waiters) resolve();
    this.waiters.clear();
  }
}

const stoppedError = (): Error => new MessagingError('closed', 'the consumer was stopped before it had caught up');
