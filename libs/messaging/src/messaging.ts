import type { ProduceQuotas } from './produce-quotas.ts';

/** One port for the log between agents and the control plane; adapters: Kafka, and an in-process log. One contract suite holds for both. */

export interface OutgoingMessage {
  readonly key: string;
  /** `null` = tombstone (compacted topics). */
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface IncomingMessage {
  readonly offset: string;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Broker's time, epoch milliseconds. */
  readonly timestamp: number;
}

export interface Batch {
  readonly topic: string;
  readonly partition: number;
  /** Log epoch, see `OffsetStore`. */
  readonly epoch: number;
  /** Offset of the first message to handle. */
  readonly from: string;
  /** Offset after the last message. */
  readonly next: string;
  readonly messages: readonly IncomingMessage[];
  /** Aborted when the partition is taken away or the consumer stops: finish quickly or give up, the batch comes again. */
  readonly signal: AbortSignal;
}

/**
 * Where offsets live when a batch's effect and its offset must move together: the handler itself moves the offset (in its transaction), and
 * the consumer asks for it at every assignment and after every failure. Log epochs tell apart logs that restarted from nothing.
 */
export abstract class OffsetStore {
  abstract load(
    topic: string,
    partition: number,
  ): Promise<{ readonly epoch: number; readonly offset: string } | undefined>;
  abstract begin(topic: string, partition: number, offset: string): Promise<number>;
}

export interface Consumption {
  readonly topics: readonly string[];
  /** Consumer group. Members share partitions. */
  readonly group: string;
  /** Absent: read every partition from its beginning at each start and commit nothing (an agent and its compacted topic). */
  readonly offsets?: OffsetStore;
  /** Largest number of messages of one batch; default 500. */
  readonly maxBatch?: number;
  /**
   * Handles one batch; batches of one partition come one after another. Throwing = the batch was not handled: it comes again after a
   * back-off and the partition waits, so poison messages must be dealt with by the handler.
   */
  readonly handle: (batch: Batch) => Promise<void>;
  readonly onEvent?: (event: MessagingEvent) => void;
  /** A partition began a new log epoch (topic made anew, offsets out of range): ask everybody for what is lost. */
  readonly onNewEpoch?: (topic: string, partition: number, epoch: number) => void;
}

export type MessagingEvent =
  | { readonly kind: 'broker-away'; readonly reason: string }
  | { readonly kind: 'broker-back' }
  /** A batch was not handled, or the offset store could not say where to read on: the partition waits and tries again, until `goes-on`. */
  | {
      readonly kind: 'batch-failed';
      readonly topic: string;
      readonly partition: number;
      readonly failures: number;
      readonly error: unknown;
    }
  /** Nothing of a partition that failed fails here any more: a batch was handled, nothing is left to read, or it is another reader's now. */
  | { readonly kind: 'goes-on'; readonly topic: string; readonly partition: number }
  /** What is known of the partition is a part of it, from now until `caught-up`: it was assigned, taken away, or begins anew. */
  | { readonly kind: 'behind'; readonly topic: string; readonly partition: number }
  /** It has been read up to the end that it had when it was assigned. */
  | { readonly kind: 'caught-up'; readonly topic: string; readonly partition: number };

export interface Consumer {
  /** Finishes the batches in progress, then leaves. */
  stop(): Promise<void>;
  /** Resolves when every assigned partition has been read up to the end it had at the start. */
  caughtUp(): Promise<void>;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly compacted?: boolean;
  readonly retentionMs?: number;
}

export abstract class Messaging {
  /** Resolves when the broker has the messages durably; order is kept per key. Rejects when it is away for longer than `timeoutMs` (default 30 s). */
  abstract publish(topic: string, messages: readonly OutgoingMessage[], timeoutMs?: number): Promise<void>;
  abstract consume(consumption: Consumption): Promise<Consumer>;
  /** Makes what is missing; never changes what exists. Returns the names that were made just now. */
  abstract ensureTopics(topics: readonly TopicSpec[]): Promise<readonly string[]>;
  abstract deleteTopic(name: string): Promise<void>;
  /** Lets a principal write intents and read its own topic (no-op where the log has no identities). */
  abstract grantCluster(
    principal: string,
    topics: { readonly write: readonly string[]; readonly read: readonly string[]; readonly group: string },
  ): Promise<void>;
  abstract revokeCluster(principal: string): Promise<void>;
  /** What the log lets each principal write; undefined where it has no identities. */
  produceQuotas(): ProduceQuotas | undefined {
    return undefined;
  }
  /** Every principal that was granted anything; none where the log has no identities. */
  abstract principalsWithRights(): Promise<readonly string[]>;
  abstract healthy(): boolean;
  /** Why it is not healthy, for people; undefined when it is. */
  trouble(): string | undefined {
    return this.healthy() ? undefined : 'the log does not answer';
  }
  abstract close(): Promise<void>;
}
