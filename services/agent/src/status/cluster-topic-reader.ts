import { ClusterMessage } from '#libs/contracts';
import type { Batch } from '#libs/messaging';
import type { AsideItems, Logger, Metrics } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { HandOver } from '../hand-over.ts';
import type { Commands } from '../inventory/commands.ts';
import type { StatusWriter } from './status-writer.ts';

export interface ClusterTopicReaderOptions {
  readonly writer: Pick<StatusWriter, 'onMessage' | 'onTombstone'>;
  readonly commands: Pick<Commands, 'onCommand'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  /** Messages that are understood and cannot be taken. */
  readonly aside: AsideItems;
}

type Taken = { readonly key: string; readonly message: ClusterMessage | null };

/**
 * Reads the topic of this cluster. It only takes note: writing happens elsewhere, so the reader never falls behind a slow API server. What it
 * does not understand it leaves out; a newer control plane may say things that an older agent cannot know. One that cannot be taken keeps nothing
 * back that comes after it.
 */
export class ClusterTopicReader {
  private readonly options: ClusterTopicReaderOptions;
  private readonly messages: HandOver<Taken>;

  constructor(options: ClusterTopicReaderOptions) {
    this.options = options;
    this.messages = new HandOver({ ...options, take: (taken) => this.take(taken) });
  }

  stop(): Promise<void> {
    return this.messages.stop();
  }

  handle(batch: Batch): void {
    for (const { key, value, offset } of batch.messages) {
      if (value === null) {
        if (!key.startsWith('command/')) this.messages.give(key, { key, message: null });
        continue;
      }
      const message = this.parse(value);
      if (!message || (message.kind === 'PodStatus' && message.podUid !== key)) {
        this.options.metrics
          .counter('eci_fleet_agent_messages_skipped_total', 'Messages of the control plane that were not understood')
          .inc();
        this.options.logger.warn('left out a message that this agent does not understand', { key, offset });
      } else {
        this.messages.give(key, { key, message });
      }
    }
  }

  private take({ key, message }: Taken): void {
    const { writer, commands } = this.options;
    if (message === null) writer.onTombstone(key);
    else if (message.kind === 'PodStatus') writer.onMessage(message);
    else commands.onCommand(message);
  }

  private parse(value: Uint8Array): ClusterMessage | undefined {
    try {
      return ClusterMessage.parse(JSON.parse(Buffer.from(value).toString('utf8')));
    } catch {
      return undefined;
    }
  }
}
