/** For tests: a participant that reads, remembers what it handled and moves its offsets as PostgreSQL would. */
import {
  OffsetStore,
  type Batch,
  type Consumer,
  type Consumption,
  type IncomingMessage,
  type Messaging,
  type MessagingEvent,
  type OutgoingMessage,
} from '../src/messaging.ts';

export interface Rig {
  /** Another participant on the same log, as another process would be. */
  messaging(): Messaging;
  close(): Promise<void>;
}

/** What PostgreSQL does for the real intake: the handler moves the offset together with its effect. */
export class MemoryOffsets extends OffsetStore {
  readonly rows = new Map<string, { epoch: number; offset: string }>();
  readonly begun: string[] = [];
  failLoads = 0;
  /** What happens elsewhere while the next question waits for its answer. */
  meanwhile: (() => Promise<void>) | undefined;

  async load(topic: string, partition: number): Promise<{ epoch: number; offset: string } | undefined> {
    if (this.failLoads > 0) {
      this.failLoads -= 1;
      throw new Error('the store is away');
    }
    const { meanwhile } = this;
    this.meanwhile = undefined;
    await meanwhile?.();
    return this.rows.get(`${topic}/${partition}`);
  }

  begin(topic: string, partition: number, offset: string): Promise<number> {
    const key = `${topic}/${partition}`;
    const epoch = (this.rows.get(key)?.epoch ?? 0) + 1;
    this.rows.set(key, { epoch, offset });
    this.begun.push(`${key}@${epoch}`);
    return Promise.resolve(epoch);
  }

  /** Compare-and-set, as the inbox does it. */
  move(batch: Batch): void {
    const key = `${batch.topic}/${batch.partition}`;
    const row = this.rows.get(key);
    if (row?.epoch !== batch.epoch || row.offset !== batch.from) {
      throw new Error(`${key} stands at ${row?.epoch}/${row?.offset}, not at ${batch.epoch}/${batch.from}`);
    }
    this.rows.set(key, { epoch: batch.epoch, offset: batch.next });
  }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array | null): string => (value === null ? '∅' : new TextDecoder().decode(value));
export const message = (key: string, value: string): OutgoingMessage => ({ key, value: bytes(value) });
export const within = { timeout: 30_000, interval: 10 };

export interface Reader {
  readonly offsets: MemoryOffsets;
  readonly batches: Batch[];
  readonly messages: (IncomingMessage & { readonly partition: number })[];
  readonly events: MessagingEvent[];
  readonly epochs: string[];
  readonly consumer: Consumer;
  readonly values: () => string[];
  readonly leave: () => Promise<void>;
}

export interface ReaderOptions extends Partial<Pick<Consumption, 'group' | 'maxBatch' | 'handle'>> {
  /** Default: a new store. `none`: every partition is read from its beginning. */
  readonly store?: MemoryOffsets | 'none';
  /** Default: a participant of its own. */
  readonly messaging?: Messaging;
}

/** A participant that reads, remembers what it handled and moves its offsets. */
export async function startReader(rig: Rig, topics: readonly string[], options: ReaderOptions): Promise<Reader> {
  const messaging = options.messaging ?? rig.messaging();
  const offsets = options.store === 'none' || !options.store ? new MemoryOffsets() : options.store;
  const seen = {
    offsets,
    batches: [] as Batch[],
    messages: [] as (IncomingMessage & { partition: number })[],
    events: [] as MessagingEvent[],
    epochs: [] as string[],
  };
  const consumer = await messaging.consume({
    topics,
    group: options.group ?? `group-of-${topics.join('-')}`,
    ...(options.store === 'none' ? {} : { offsets }),
    ...(options.maxBatch === undefined ? {} : { maxBatch: options.maxBatch }),
    handle: async (batch) => {
      await options.handle?.(batch);
      if (options.store !== 'none') offsets.move(batch);
      seen.batches.push(batch);
      seen.messages.push(...batch.messages.map((each) => ({ ...each, partition: batch.partition })));
    },
    onEvent: (event) => seen.events.push(event),
    onNewEpoch: (of, partition, epoch) => seen.epochs.push(`${of}/${partition}@${epoch}`),
  });
  return {
    ...seen,
    consumer,
    values: () => seen.messages.map((each) => text(each.value)),
    leave: async () => {
      await consumer.stop();
      if (!options.messaging) await messaging.close();
    },
  };
}
