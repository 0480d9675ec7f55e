import { ClusterMessage } from '#libs/contracts';
import type { Batch } from '#libs/messaging';
import type { Logger, Metrics } from '#libs/observability';
import type { Commands } from '../inventory/commands.ts';
import type { StatusWriter } from './status-writer.ts';

export interface ClusterTopicReaderOptions {
  readonly writer: Pick<StatusWriter, 'onMessage' | 'onTombstone'>;
  readonly commands: Pick<Commands, 'onCommand'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Reads the topic of this cluster. It only takes note: writing happens elsewhere, so the reader never falls behind a slow API server. What it
 * does not understand it leaves out; a newer control plane may say things that an older agent cannot know.
 */
export class ClusterTopicReader {
  private readonly options: ClusterTopicReaderOptions;

  constructor(options: ClusterTopicReaderOptions) {
    this.options = options;
  }

  handle(batch: Batch): void {
    const { writer, commands } = this.options;
    for (const { key, value, offset } of batch.messages) {
      if (value === null) {
        if (!key.startsWith('command/')) writer.onTombstone(key);
        continue;
      }
      const message = this.parse(value);
      if (!message || (message.kind === 'PodStatus' && message.podUid !== key)) {
        this.options.metrics
          .counter('eci_fleet_agent_messages_skipped_total', 'Messages of the control plane that were not understood')
          .inc();
        this.options.logger.warn('left out a message that this agent does not understand', { key, offset });
      } else if (message.kind === 'PodStatus') {
        writer.onMessage(message);
      } else {
        commands.onCommand(message);
      }
    }
  }

  private parse(value: Uint8Array): ClusterMessage | undefined {
    try {
      return ClusterMessage.parse(JSON.parse(Buffer.from(value).toString('utf8')));
    } catch {
      return undefined;
    }
  }
}
