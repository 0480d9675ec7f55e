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
import type { Clock } from '#libs/runtime';
import { TokenBuckets } from './cluster-budgets.ts';
import type { IntakeMetrics } from './metrics.ts';
import type { QuarantineDesk, QuarantinedMessage, Sender } from './ports.ts';

/** A message that was not understood or cannot be applied. `reason` must hold no secret. */
export interface Aside {
  readonly message: IncomingMessage;
  readonly reason: string;
  readonly sender: Sender;
  readonly clear?: string | undefined;
}

/** Messages of one sender that are kept one by one in a second, and fifty at once: each costs a row, a letter, and the time of those behind it. */
const KEPT_PER_SECOND = 5;
const SAVED_UP_SECONDS = 10;
const TOO_MANY = 'more messages of one sender than are kept one by one: of these the number is known, and the first';

/** Puts messages into the quarantine and, each when it comes first, among the dead letters; all of a batch at once. */
export class PutAside {
  private readonly fleet: string;
  private readonly messaging: Messaging;
  private readonly quarantine: QuarantineDesk;
  private readonly metrics: IntakeMetrics;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly room = new TokenBuckets(KEPT_PER_SECOND, SAVED_UP_SECONDS);

  constructor(parts: {
    readonly fleet: string;
    readonly messaging: Messaging;
    readonly quarantine: QuarantineDesk;
    readonly metrics: IntakeMetrics;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.fleet = parts.fleet;
    this.messaging = parts.messaging;
    this.quarantine = parts.quarantine;
    this.metrics = parts.metrics;
    this.clock = parts.clock;
    this.logger = parts.logger;
  }

  async put({ topic, epoch, partition }: Batch, asides: readonly Aside[]): Promise<void> {
    if (asides.length === 0) return;
    const taken = new Map<string, number>();
    const rows = asides.map((aside) => this.row({ topic, epoch, partition }, aside, taken));
    const news = await this.quarantine.add(rows);
    for (const [bucket, count] of taken) this.room.take(bucket, count, this.clock.now());
    const isNew = new Set(news.map(({ offset }) => offset));
    const letters = asides
      .filter(({ message }) => isNew.has(message.offset))
      .map(({ message, reason }) => deadLetter({ ...message, topic, partition }, reason));
    await this.send(letters);
    this.metrics.quarantined.inc(asides.length);
    for (const { offset, reason, sender } of news)
      this.logger.warn('put a message into quarantine', { topic, partition, offset, ...sender, reason });
  }

  /** Beyond the limit of a sender, one row counts all further messages: a row each would cost others time, and push out the sender's own rows. */
  private row(
    log: Pick<Batch, 'topic' | 'epoch' | 'partition'>,
    { message, reason, sender, clear }: Aside,
    taken: Map<string, number>,
  ): QuarantinedMessage {
    const { offset, key, value, headers } = message;
    const bucket = sender.proven ? sender.clusterId : '';
    const before = taken.get(bucket) ?? 0;
    if (this.room.left(bucket, this.clock.now()) - before < 1) {
      const whose: Sender = sender.proven ? sender : { proven: false };
      return { ...log, offset, key: '', reason: TOO_MANY, sender: whose, original: null, headers: {} };
    }
    taken.set(bucket, before + 1);
    return { ...log, offset, key, reason, sender, ...(clear !== undefined && { clear }), original: value, headers };
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
