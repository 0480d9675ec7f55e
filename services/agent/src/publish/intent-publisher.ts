import { intentKey, inventoryKey, topics, type IntentBody } from '#libs/contracts';
import { MessagingError, sealEnvelope, type Messaging, type OutgoingMessage } from '#libs/messaging';
import type { Logger, Metrics } from '#libs/observability';
import { backoffMs, type Clock, type Random } from '#libs/runtime';
import type { Session } from '../session/session.ts';
import { withPodSealed } from './seal-pod.ts';

interface IntentPublisherOptions {
  readonly messaging: Messaging;
  readonly session: Session;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

interface Waiting {
  readonly body: IntentBody;
  readonly sealed: unknown;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The agent was stopped, or another one took over, before the broker had the message. */
export class NotSent extends Error {
  constructor() {
    super('the agent stopped before the broker took the message');
    this.name = 'NotSent';
  }
}

const BATCH = 200;
const BATCH_BYTES = 8 * 1024 * 1024;
const PUBLISH_TIMEOUT_MS = 15_000;
/** A reason that exists already: without one every wake-up would make an exception with a stack, a tenth of what sending costs. */
const WOKEN = new Error('there is something to send');

/**
 * Seals intents and puts them on the log, in the order given, again and again until the broker has them. Whatever waits while one batch is on
 * its way goes with the next, so nothing waits for company. It keeps no spool: callers wait, and they are few; the API server is the spool.
 */
export class IntentPublisher {
  private readonly options: IntentPublisherOptions;
  private readonly waiting: Waiting[] = [];
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private wake = new AbortController();
  private epoch = 0;
  private sequence = 0;
  private trouble_: string | undefined;

  constructor(options: IntentPublisherOptions) {
    this.options = options;
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Gives up what was not sent: those who wait get `NotSent`. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake.abort(WOKEN);
    await this.running;
    for (const { reject } of this.waiting.splice(0)) reject(new NotSent());
  }

  /** Why nothing goes out at the moment, if so. */
  get trouble(): string | undefined {
    return this.trouble_;
  }

  /**
   * Resolves when the broker has it durably. Rejects with `EnvelopeTooLarge`, which no repeat can help, with `NotSent`, or with what is wrong with
   * this very message.
   */
  send(body: IntentBody, sealed: unknown = {}): Promise<void> {
    if (this.stopping.signal.aborted) return Promise.reject(new NotSent());
    return new Promise((resolve, reject) => {
      this.waiting.push({ body, sealed, resolve, reject });
      this.wake.abort(WOKEN);
    });
  }

  /** Looks again now: the session has changed. */
  nudge(): void {
    this.wake.abort(WOKEN);
  }

  private async run(): Promise<void> {
    const { clock, random, logger, metrics } = this.options;
    const failed = metrics.counter(
      'eci_fleet_agent_publish_failures_total',
      'Batches of intents that the broker did not take',
    );
    let failures = 0;
    while (!this.stopping.signal.aborted) {
      if (this.waiting.length === 0 || !this.options.session.speaking) {
        await this.pause(1_000);
        continue;
      }
      try {
        const sent = await this.publishBatch();
        if (!sent) await this.pause(500);
        failures = 0;
        if (sent) this.trouble_ = undefined;
      } catch (error) {
        failures += 1;
        failed.inc();
        this.trouble_ = error instanceof Error ? error.message : String(error);
        if (failures === 1 || failures % 10 === 0)
          logger.warn('intents cannot be published; trying on', { error, failures });
        await clock.sleep(100 + backoffMs(failures, { baseMs: 250, capMs: 10_000 }, random), this.stopping.signal);
      }
    }
  }

  private async publishBatch(): Promise<boolean> {
    const { session, clock } = this.options;
    const current = session.session;
    const key = session.envelopeKey();
    if (!current || !key) {
      this.trouble_ = 'the session has no envelope key that may be used now';
      return false;
    }
    if (current.agentEpoch !== this.epoch) {
      this.epoch = current.agentEpoch;
      this.sequence = 0;
    }
    const taken: Waiting[] = [];
    const messages: OutgoingMessage[] = [];
    let bytes = 0;
    for (const item of [...this.waiting.slice(0, BATCH)]) {
      if (bytes > BATCH_BYTES) break;
      const messageKey = keyOf(current.clusterId, item.body);
      try {
        const { schemaVersion, body, sealed } = current.sealsPods
          ? withPodSealed(item)
          : { schemaVersion: 1 as const, ...item };
        const value = await sealEnvelope({
          clear: {
            schemaVersion,
            clusterId: current.clusterId,
            agentEpoch: this.epoch,
            sequence: ++this.sequence,
            sentAt: new Date(clock.now()).toISOString(),
            body,
          },
          sealed,
          messageKey,
          key,
        });
        bytes += value.byteLength;
        messages.push({ key: messageKey, value });
        taken.push(item);
      } catch (error) {
        // Whatever it is, it is this one's: who sent it hears of it, and the others go.
        this.drop(item);
        item.reject(error);
      }
    }
    if (messages.length === 0) return true;
    await this.put(topics(current.fleet).intents, taken, messages);
    return true;
  }

  /** All at once; when the broker takes offence at one of them, one after the other. */
  private async put(topic: string, items: readonly Waiting[], messages: readonly OutgoingMessage[]): Promise<void> {
    try {
      await this.options.messaging.publish(topic, messages, PUBLISH_TIMEOUT_MS);
    } catch (error) {
      if (isOfTheBroker(error)) throw error;
      if (items.length > 1) {
        for (const [index, item] of items.entries()) await this.put(topic, [item], messages.slice(index, index + 1));
        return;
      }
      for (const item of items) {
        this.drop(item);
        item.reject(error);
      }
      return;
    }
    const sent = this.options.metrics.counter('eci_fleet_agent_intents_total', 'Intents that the broker has taken', [
      'kind',
    ]);
    for (const item of items) {
      this.drop(item);
      sent.inc({ kind: item.body.kind });
      item.resolve();
    }
  }

  private drop(item: Waiting): void {
    const at = this.waiting.indexOf(item);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  private async pause(ms: number): Promise<void> {
    if (this.wake.signal.aborted) {
      this.wake = new AbortController();
      if (this.waiting.length > 0 && this.options.session.speaking) return;
    }
    await this.options.clock.sleep(ms, AbortSignal.any([this.wake.signal, this.stopping.signal]));
  }
}

/** It would say the same to every message. */
export const isOfTheBroker = (error: unknown): boolean => error instanceof MessagingError && error.code !== 'too-large';

function keyOf(clusterId: string, body: IntentBody): string {
  switch (body.kind) {
    case 'RunPod':
      return intentKey(clusterId, body.pod.uid);
    case 'StopPod':
      return intentKey(clusterId, body.uid);
    case 'Inventory':
      return inventoryKey(clusterId);
  }
}
