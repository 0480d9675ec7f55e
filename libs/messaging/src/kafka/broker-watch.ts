import type { Logger } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import type { MessagingEvent } from '../messaging.ts';

const SAY_AGAIN_MS = 60_000;

/** Remembers whether the broker can be reached, and says so: at once when it changes, then once a minute, however often it is tried. */
export class BrokerWatch {
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly onEvent: (event: MessagingEvent) => void;
  private saidAt: number | undefined;
  private away: boolean;

  constructor(
    clock: Clock,
    logger: Logger,
    options: { readonly onEvent?: ((event: MessagingEvent) => void) | undefined; readonly reached: boolean },
  ) {
    this.clock = clock;
    this.logger = logger;
    this.onEvent = options.onEvent ?? (() => undefined);
    this.away = !options.reached;
  }

  /** False before the first contact. */
  get reached(): boolean {
    return !this.away;
  }

  lost(reason: string): void {
    const now = this.clock.now();
    const again = this.saidAt !== undefined;
    this.away = true;
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
