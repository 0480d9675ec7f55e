import { InboxMoved, isBadData } from '#libs/event-store';
import { MessagingError, type Batch, type IncomingMessage } from '#libs/messaging';
import { causeOf, isInTheWay, isStatementRefused, isTransactionState, type Logger } from '#libs/observability';

/** Tries of a whole batch: an error that nobody foresaw may pass, and while it is tried other clusters wait behind it. */
const TRIES = 3;

interface Handler {
  /** All of a batch and its offset, or nothing. */
  handle(batch: Batch): Promise<void>;
  /** Puts the only message of a batch aside and moves the offset over it. */
  giveUpOn(batch: Batch, error: unknown): Promise<void>;
}

/**
 * A batch that fails again and again, while nothing is away, holds a message that nobody foresaw: it is handled message by message, and those that
 * still fail are put aside, so that one pod waits for people and not a partition of them. Data that can never be stored is told apart at once.
 */
export class StubbornBatches {
  private readonly handler: Handler;
  private readonly logger: Logger;
  private readonly failed = new Map<number, { readonly from: string; readonly times: number }>();

  constructor(handler: Handler, logger: Logger) {
    this.handler = handler;
    this.logger = logger;
  }

  async handle(batch: Batch): Promise<void> {
    const { topic, partition, from } = batch;
    try {
      await this.handler.handle(batch);
    } catch (error) {
      if (batch.signal.aborted || !isOfTheMessage(error)) throw error;
      const before = this.failed.get(partition);
      const times = before?.from === from ? before.times + 1 : 1;
      this.failed.set(partition, { from, times });
      if (times < TRIES && !isBadData(error)) throw error;
      this.logger.error('a batch fails for ever; going through it message by message', {
        topic,
        partition,
        from,
        error,
      });
      for (const single of singles(batch)) await this.one(single);
    }
    this.failed.delete(partition);
  }

  private async one(single: Batch): Promise<void> {
    try {
      await this.handler.handle(single);
    } catch (error) {
      if (single.signal.aborted || !isOfTheMessage(error)) throw error;
      await this.handler.giveUpOn(single, error);
    }
  }
}

/** Whether another message might fare better: nothing is away, nobody else moved on, and the database has all that it should have. */
function isOfTheMessage(error: unknown): boolean {
  if (error instanceof InboxMoved || error instanceof MessagingError || causeOf(error) !== undefined) return false;
  return ![isTransactionState, isInTheWay, isStatementRefused].some((says) => says(error));
}

/** The same span of the log in batches of one message. */
function singles(batch: Batch): Batch[] {
  const { messages, from, next } = batch;
  return messages.map((message: IncomingMessage, index) => ({
    ...batch,
    messages: [message],
    from: index === 0 ? from : message.offset,
    next: messages[index + 1]?.offset ?? next,
  }));
}
