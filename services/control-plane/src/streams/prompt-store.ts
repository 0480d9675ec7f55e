import {
  EventStoreAround,
  type AppendResult,
  type EventStore,
  type InboxMove,
  type SqlClient,
  type StreamAppend,
  type TransactionRunner,
} from '#libs/event-store';
import type { Logger } from '#libs/observability';
import { streamsToldBy, type Projection } from './projection.ts';

interface PromptStoreParts {
  readonly inner: EventStore;
  readonly projections: readonly Projection[];
  readonly transactions: TransactionRunner;
  readonly logger?: Logger;
}

/**
 * Applies prompt projections beside each append, before whoever appended goes on: he reads what he has decided. What cannot be applied now comes with
 * role `project`, a moment later; the append stands all the same.
 */
export class PromptEventStore extends EventStoreAround {
  private readonly prompt: readonly Projection[];
  private readonly transactions: TransactionRunner;
  private readonly logger: Logger | undefined;

  constructor({ inner, projections, transactions, logger }: PromptStoreParts) {
    super(inner);
    this.prompt = projections.filter(({ isPrompt }) => isPrompt);
    this.transactions = transactions;
    this.logger = logger;
  }

  override async append(streams: readonly StreamAppend[], inbox?: InboxMove): Promise<readonly AppendResult[]> {
    const results = await super.append(streams, inbox);
    const appended = new Set(results.flatMap(({ ok, streamId }) => (ok ? streamId : [])));
    const told = streams.flatMap(({ streamId, events }) =>
      appended.has(streamId) ? events.map(({ type }) => ({ streamId, type })) : [],
    );
    for (const projection of this.prompt) {
      const streamIds = streamsToldBy(projection, told);
      if (streamIds.length > 0) await this.apply(projection, streamIds);
    }
    return results;
  }

  private async apply(projection: Projection, streamIds: readonly string[]): Promise<void> {
    try {
      await this.transactions.run((transaction: SqlClient) => projection.apply(streamIds, transaction, this.inner));
    } catch (error) {
      const streams = streamIds.length;
      this.logger?.warn('rows lag behind an append until role project writes them', {
        projection: projection.name,
        streams,
        error,
      });
    }
  }
}
