import type { Logger } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import type { MessagingEvent } from '../messaging.ts';

const SAY_AGAIN_MS = 60_000;

/** Remembers whether the broker can be reached, and says so: at once when it changes, then once a minute, however often it is tried. */
export class BrokerWatch {
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly onEvent: (event: MessagingEvent) => void;
  private readonly onDemand: boolean;
  private saidAt: number | undefined;
  private lostAt = 0;
  private away: boolean;

  constructor(
    clock: Clock,
    logger: Logger,
    options: {
      readonly onEvent?: ((event: MessagingEvent) => void) | undefined;
      /** The part calls Kafka only when it is asked to: it starts out well, and old trouble says nothing about today. */
      readonly onDemand: boolean;
    },
  ) {
    this.clock = clock;
    this.logger = logger;
    this.onEvent = options.onEvent ?? (() => undefined);
    this.onDemand = options.onDemand;
    this.away = !options.onDemand;
  }

  /** False before the first contact of a part that keeps calling. */
  get reached(): boolean {
    return !this.away || (this.onDemand && this.clock.now() - this.lostAt > SAY_AGAIN_MS);
  }

  lost(reason: string): void {
    const now = this.clock.now();
    const again = this.saidAt !== undefined;
    this.away = true;
    this.lostAt = now;
    if (this.saidAt !== undefined && now - this.saidAt < SAY_AGAIN_MS) return;
    this.saidAt = now;
    this.logger.warn(again ? 'wait for Kafka, still away' : 'wait for Kafka, it is away', { reason });
    this.onEvent({ kind: 'broker-away', reason });
  }

  found(): void {
    this.away = false;
    if (this.saidAt === undefined) return;
    this.saidAt = undefined;
    this.logger.info('reached Kafka again');
    this.onEvent({ kind: 'broker-back' });
  }
}
