import type { Logger } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import type { MessagingEvent } from '../messaging.ts';

const SAY_AGAIN_MS = 60_000;

/**
 * Says for all parts of one process that the broker is away: at once, then once a minute with how often it was tried, and when the last part has
 * found it again.
 */
export class BrokerVoice {
  private readonly clock: Clock;
  private readonly logger: Logger;
  /** Parts that miss it. */
  private readonly missing = new Set<BrokerWatch>();
  private since = 0;
  private saidAt: number | undefined;
  private tries = 0;
  /** It was said that it is away, and not yet that it is back. */
  private owed = false;

  constructor(clock: Clock, logger: Logger) {
    this.clock = clock;
    this.logger = logger;
  }

  lost(part: BrokerWatch, reason: string): void {
    const now = this.clock.now();
    if (this.missing.size === 0) {
      this.since = now;
      this.tries = 0;
    }
    this.missing.add(part);
    this.tries += 1;
    // A broker that comes and goes is not said more often than one that is away.
    if (this.saidAt !== undefined && now - this.saidAt < SAY_AGAIN_MS) return;
    this.saidAt = now;
    this.owed = true;
    const forSeconds = Math.round((now - this.since) / 1000);
    this.logger.warn(forSeconds > 0 ? 'wait for Kafka, still away' : 'wait for Kafka, it is away', {
      reason,
      part: part.name,
      ...(forSeconds > 0 ? { forSeconds, tries: this.tries } : {}),
    });
  }

  found(part: BrokerWatch): void {
    if (!this.missing.delete(part) || this.missing.size > 0 || !this.owed) return;
    this.owed = false;
    this.logger.info('reached Kafka again', {
      awaySeconds: Math.round((this.clock.now() - this.since) / 1000),
      tries: this.tries,
    });
  }
}

/** Remembers whether one part reaches the broker, and tells who listens: at once when it changes, then once a minute, however often it is tried. */
export class BrokerWatch {
  readonly name: string;
  private readonly clock: Clock;
  private readonly voice: BrokerVoice;
  private readonly onEvent: (event: MessagingEvent) => void;
  private readonly onDemand: boolean;
  private toldAt: number | undefined;
  private lostAt = 0;
  private awaySince: number | undefined;
  private reason = 'not reached yet';

  constructor(
    name: string,
    clock: Clock,
    voice: BrokerVoice,
    options: {
      readonly onEvent?: ((event: MessagingEvent) => void) | undefined;
      /** The part calls Kafka only when it is asked to: it starts out well, and old trouble says nothing about today. */
      readonly onDemand: boolean;
    },
  ) {
    this.name = name;
    this.clock = clock;
    this.voice = voice;
    this.onEvent = options.onEvent ?? (() => undefined);
    this.onDemand = options.onDemand;
    this.awaySince = options.onDemand ? undefined : clock.now();
  }

  /** False before the first contact of a part that keeps calling. */
  get reached(): boolean {
    return this.awaySince === undefined || (this.onDemand && this.clock.now() - this.lostAt > SAY_AGAIN_MS);
  }

  /** What is wrong, and since when; undefined when nothing is. */
  get trouble(): string | undefined {
    if (this.reached) return undefined;
    return `${this.name}: ${this.reason} (since ${new Date(this.awaySince!).toISOString()})`;
  }

  lost(reason: string): void {
    const now = this.clock.now();
    this.awaySince ??= now;
    this.lostAt = now;
    this.reason = reason;
    this.voice.lost(this, reason);
    if (this.toldAt !== undefined && now - this.toldAt < SAY_AGAIN_MS) return;
    this.toldAt = now;
    this.onEvent({ kind: 'broker-away', reason });
  }

  found(): void {
    this.awaySince = undefined;
    this.voice.found(this);
    if (this.toldAt === undefined) return;
    this.toldAt = undefined;
    this.onEvent({ kind: 'broker-back' });
  }
}
