import { isBadData, type AppendResult, type EventStore, type StreamAppend } from '#libs/event-store';
import type { Clock } from '#libs/runtime';

interface Waiting {
  readonly append: StreamAppend;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
}

interface GroupCommitOptions {
  /** How long the first of a group waits for others, milliseconds; default 1. */
  readonly lingerMs?: number;
  /** Streams of one call; default 200, beyond which batching gains nothing. */
  readonly maxStreams?: number;
  /** Calls at the same time; default 3. */
  readonly concurrency?: number;
}

/**
 * Appends of many callers in few transactions: one round trip and one flush to disk for all that arrive within a millisecond or two. Two appends
 * to one stream never share a call. One stream's bad data fails its own caller only.
 */
export class GroupCommit {
  private readonly store: EventStore;
  private readonly clock: Clock;
  private readonly lingerMs: number;
  private readonly maxStreams: number;
  private readonly concurrency: number;
  private queue: Waiting[] = [];
  private calls = 0;
  private lingering = false;

  constructor(store: EventStore, clock: Clock, options: GroupCommitOptions = {}) {
    this.store = store;
    this.clock = clock;
    this.lingerMs = options.lingerMs ?? 1;
    this.maxStreams = options.maxStreams ?? 200;
    this.concurrency = options.concurrency ?? 3;
  }

  append(append: StreamAppend): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      this.queue.push({ append, resolve, reject });
      this.arrange();
    });
  }

  private arrange(): void {
    if (this.lingering || this.queue.length === 0 || this.calls >= this.concurrency) return;
    this.lingering = true;
    void this.clock.sleep(this.queue.length >= this.maxStreams ? 0 : this.lingerMs).then(() => {
      this.lingering = false;
      const group = this.take();
      this.calls += 1;
      void this.commit(group).finally(() => {
        this.calls -= 1;
        this.arrange();
      });
      this.arrange();
    });
  }

  private take(): readonly Waiting[] {
    const group = new Map<string, Waiting>();
    const later: Waiting[] = [];
    for (const waiting of this.queue) {
      const { streamId } = waiting.append;
      if (group.size >= this.maxStreams || group.has(streamId)) later.push(waiting);
      else group.set(streamId, waiting);
    }
    this.queue = later;
    return [...group.values()];
  }

  private async commit(group: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.store.append(group.map((waiting) => waiting.append));
      group.forEach((waiting, index) => waiting.resolve(results[index] as AppendResult));
    } catch (error) {
      if (group.length > 1 && isBadData(error)) {
        for (const waiting of group) await this.commit([waiting]);
      } else {
        for (const waiting of group) waiting.reject(error);
      }
    }
  }
}
