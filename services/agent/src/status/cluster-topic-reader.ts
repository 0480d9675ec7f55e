import { ClusterMessage, type ClusterCommand } from '#libs/contracts';
import type { Batch } from '#libs/messaging';
import type { AsideItems, Logger, Metrics } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { HandOver } from '../hand-over.ts';
import { ProvenMessages, type ProofTerms, type TopicMessage } from './proven-messages.ts';
import type { StatusWriter } from './status-writer.ts';

interface ClusterTopicReaderOptions {
  readonly writer: Pick<StatusWriter, 'onMessage' | 'onTombstone' | 'onRefused' | 'distrust'>;
  readonly onCommand: (command: ClusterCommand) => void;
  /** Asks for the session again, soon. */
  readonly askSession: () => void;
  /** Something true may be missing: the control plane is to say what this agent does not have. */
  readonly onLost: () => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  /** Messages that are understood and cannot be taken. */
  readonly aside: AsideItems;
}

type Taken = { readonly key: string; readonly message: ClusterMessage | null; readonly proven: boolean };

/** How long the beginning waits for what cannot be told yet, milliseconds. */
const PATIENCE_MS = 60_000;

/**
 * Reads the topic of this cluster, and takes what the control plane has said there; see {@link ProvenMessages}. It only takes note: writing happens elsewhere, so the reader never falls behind a slow API server. What it
 * does not understand it leaves out; a newer control plane may say things that an older agent cannot know. One that cannot be taken keeps nothing
 * back that comes after it.
 */
export class ClusterTopicReader {
  private readonly options: ClusterTopicReaderOptions;
  private readonly messages: HandOver<Taken>;
  private readonly proven: ProvenMessages;

  constructor(options: ClusterTopicReaderOptions) {
    this.options = options;
    this.messages = new HandOver({ ...options, take: (taken) => this.take(taken) });
    this.proven = new ProvenMessages({
      ...options,
      take: (message, proven) => this.understand(message, proven),
      onRefused: (key) => options.writer.onRefused(key),
      askAgain: options.askSession,
      onlyProven: () => this.distrust(),
    });
  }

  /** Whether it takes anything without a proof at the moment. */
  get believesUnproven(): boolean {
    return this.proven.believesUnproven;
  }

  stop(): Promise<void> {
    this.proven.stop();
    return this.messages.stop();
  }

  /** The control plane has answered a call for the session that was made at `askedAt`, by the monotonic clock. */
  onSession(terms: ProofTerms, askedAt: number): void {
    this.proven.onSession(terms, askedAt);
  }

  /** Resolves when of all that was read until now is known whether it counts, or after a minute. */
  decided(): Promise<void> {
    return this.proven.decided(PATIENCE_MS);
  }

  handle(batch: Batch): void {
    for (const message of batch.messages) this.proven.onMessage(batch.topic, message);
  }

  private understand({ key, value, offset }: TopicMessage, proven: boolean): void {
    if (value === null) {
      if (!key.startsWith('command/')) this.messages.give(key, { key, message: null, proven });
      return;
    }
    const message = this.parse(value);
    if (!message || (message.kind === 'PodStatus' && message.podUid !== key)) {
      this.options.metrics
        .counter('eci_fleet_agent_messages_skipped_total', 'Messages of the control plane that were not understood')
        .inc();
      this.options.logger.warn('left out a message that this agent does not understand', { key, offset });
    } else {
      this.messages.give(key, { key, message, proven });
    }
  }

  private take({ key, message, proven }: Taken): void {
    const { writer, onCommand } = this.options;
    if (message === null) writer.onTombstone(key);
    else if (message.kind === 'PodStatus') writer.onMessage(message, proven);
    else onCommand(message);
  }

  private distrust(): void {
    const { writer, onLost, logger } = this.options;
    const forgotten = writer.distrust();
    if (forgotten === 0) return;
    logger.warn('believe nothing any more that carries no proof; what was said without one is asked for again', {
      statuses: forgotten,
    });
    onLost();
  }

  private parse(value: Uint8Array): ClusterMessage | undefined {
    try {
      return ClusterMessage.parse(JSON.parse(Buffer.from(value).toString('utf8')));
    } catch {
      return undefined;
    }
  }
}
