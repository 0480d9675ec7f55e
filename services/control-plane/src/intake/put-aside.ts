import { topics } from '#libs/contracts';
import {
  deadLetter,
  MessagingError,
  type Batch,
  type IncomingMessage,
  type Messaging,
  type OutgoingMessage,
} from '#libs/messaging';
import type { Logger } from '#libs/observability';
import type { IntakeMetrics } from './metrics.ts';
import type { QuarantineDesk, Sender } from './ports.ts';

/** A message that was not understood or cannot be applied. `reason` must hold no secret. */
export interface Aside {
  readonly message: IncomingMessage;
  readonly reason: string;
  readonly sender: Sender;
  readonly clear?: string | undefined;
}

/** Puts messages into the quarantine and, each when it comes first, among the dead letters; all of a batch at once. */
export class PutAside {
  private readonly fleet: string;
  private readonly messaging: Messaging;
  private readonly quarantine: QuarantineDesk;
  private readonly metrics: IntakeMetrics;
  private readonly logger: Logger;

  constructor(parts: {
    readonly fleet: string;
    readonly messaging: Messaging;
    readonly quarantine: QuarantineDesk;
    readonly metrics: IntakeMetrics;
    readonly logger: Logger;
  }) {
    this.fleet = parts.fleet;
    this.messaging = parts.messaging;
    this.quarantine = parts.quarantine;
    this.metrics = parts.metrics;
    this.logger = parts.logger;
  }

  async put({ topic, epoch, partition }: Batch, asides: readonly Aside[]): Promise<void> {
    if (asides.length === 0) return;
    const news = await this.quarantine.add(
      asides.map(({ message: { offset, key, value, headers }, reason, sender, clear }) => {
        const place = { topic, epoch, partition, offset };
        return { ...place, key, reason, sender, ...(clear !== undefined && { clear }), original: value, headers };
      }),
    );
    const isNew = new Set(news.map(({ offset }) => offset));
    const letters = asides
      .filter(({ message }) => isNew.has(message.offset))
      .map(({ message, reason }) => deadLetter({ ...message, topic, partition }, reason));
    await this.send(letters);
    this.metrics.quarantined.inc(asides.length);
    for (const { offset, reason, sender } of news)
      this.logger.warn('put a message into quarantine', { topic, partition, offset, ...sender, reason });
  }

  private async send(letters: readonly OutgoingMessage[]): Promise<void> {
    const { deadLetter: topic } = topics(this.fleet);
    try {
      await this.messaging.publish(topic, letters);
    } catch (error) {
      // Another broker's limit than ours: what does not fit goes without its bytes.
      if (!(error instanceof MessagingError) || error.code !== 'too-large') throw error;
      for (const letter of letters)
        await this.messaging.publish(topic, [letter]).catch((single: unknown) => {
          if (!(single instanceof MessagingError) || single.code !== 'too-large') throw single;
          return this.messaging.publish(topic, [{ ...letter, value: null }]);
        });
    }
  }
}
