import { agentGroup, topics, type SessionResponse } from '#libs/contracts';
import type { Consumer, Messaging } from '#libs/messaging';
import type { Logger, Metrics } from '#libs/observability';
import { backoffMs, type Clock, type Random } from '#libs/runtime';
import type { InsecureTransport } from '#libs/transport';
import type { AgentConfig } from './config.ts';
import type { Commands } from './inventory/commands.ts';
import type { Inventories } from './inventory/inventories.ts';
import type { PodIntents } from './pods/pod-intents.ts';
import type { Session } from './session/session.ts';
import type { ClusterTopicReader } from './status/cluster-topic-reader.ts';
import { connectMessaging, insecureKafka } from './publish/connect-messaging.ts';
import type { IntentPublisher } from './publish/intent-publisher.ts';

/** Everything that exists only once there is a session. */
export interface LinkedParts {
  readonly publisher: IntentPublisher;
  readonly intents: PodIntents;
  readonly inventories: Inventories;
  readonly commands: Commands;
  readonly reader: ClusterTopicReader;
}

interface FleetLinkOptions {
  readonly config: AgentConfig;
  readonly session: Session;
  readonly first: SessionResponse;
  readonly given: Messaging | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The log can be reached again, or no longer. */
  readonly onReach: () => void;
  /** The cluster's topic is known up to its end (as it was when it was assigned), or only a part of it any more. */
  readonly onTopic: (known: 'whole' | 'part') => void;
  readonly parts: (messaging: Messaging, caughtUp: Promise<void>) => LinkedParts;
}

/** The agent's two ways over the log: intents out, statuses and commands in. A broker that is away is waited for, and said. */
export class FleetLink {
  readonly publisher: IntentPublisher;
  readonly intents: PodIntents;
  /** What of the way to Kafka is not secure, as allowed. */
  readonly insecureTransports: readonly InsecureTransport[];
  private readonly options: FleetLinkOptions;
  private readonly messaging: Messaging;
  private readonly parts: LinkedParts;
  private readonly stopping = new AbortController();
  private readonly caughtUp = Promise.withResolvers<void>();
  private consumer: Consumer | undefined;
  private consuming: Promise<void> | undefined;
  /** Counts how often the topic was known as a part only. */
  private turn = 0;

  constructor(options: FleetLinkOptions) {
    this.options = options;
    this.messaging = options.given ?? connectMessaging(options);
    this.insecureTransports = options.given ? [] : insecureKafka(options.config, options.first);
    this.parts = options.parts(this.messaging, this.caughtUp.promise);
    this.publisher = this.parts.publisher;
    this.intents = this.parts.intents;
  }

  /** The log cannot be reached at the moment. */
  get away(): boolean {
    return !this.messaging.healthy() || this.consumer === undefined;
  }

  /** Whether what carries no proof on the topic counts at the moment. */
  get believesUnproven(): boolean {
    return this.parts.reader.believesUnproven;
  }

  /** The control plane has answered: the keys that prove its messages are these from now on. */
  onAnswer(session: SessionResponse, askedAt: number): void {
    this.parts.reader.onSession(session, askedAt);
  }

  /** Why, when something is known of it. */
  get trouble(): string | undefined {
    return this.messaging.trouble();
  }

  /** Begins to read. */
  start(): void {
    this.publisher.start();
    this.consuming = this.consume();
  }

  /** Begins to speak: the pods of the cluster are known. */
  begin(): void {
    this.parts.commands.resume();
    this.intents.resume();
    this.parts.inventories.start();
  }

  /** The session began anew, perhaps after a time in which nothing of ours was taken. */
  newEpoch(): void {
    this.publisher.nudge();
    this.parts.inventories.sendNow();
  }

  /** Gives what is on its way `graceMs` milliseconds to arrive. */
  async stop(graceMs: number): Promise<void> {
    const { clock } = this.options;
    this.stopping.abort();
    this.intents.pause();
    this.parts.commands.pause();
    await this.consuming;
    await this.consumer?.stop();
    const publisher = this.publisher.stop();
    await Promise.race([publisher, clock.sleep(graceMs)]);
    if (!this.options.given) await this.messaging.close();
    await publisher;
    const { inventories, commands, reader } = this.parts;
    await Promise.all([inventories.stop(), commands.stop(), this.intents.stop(), reader.stop()]);
  }

  private onBehind(): void {
    this.turn += 1;
    this.options.onTopic('part');
  }

  /** All is read; it is known once it is clear what of it counts. */
  private async onCaughtUp(): Promise<void> {
    const { turn } = this;
    await this.parts.reader.decided();
    if (turn !== this.turn) return;
    this.options.onTopic('whole');
    this.caughtUp.resolve();
  }

  private async consume(): Promise<void> {
    const { clock, random, logger, first } = this.options;
    for (let failures = 1; !this.stopping.signal.aborted; failures++) {
      try {
        const consumer = await this.messaging.consume({
          topics: [topics(first.fleet).cluster(first.clusterId)],
          group: agentGroup(first.fleet, first.clusterId),
          handle: (batch) => {
            this.parts.reader.handle(batch);
            return Promise.resolve();
          },
          onEvent: (event) => {
            if (event.kind === 'broker-away' || event.kind === 'broker-back') this.options.onReach();
            if (event.kind === 'behind') this.onBehind();
            if (event.kind === 'caught-up') void this.onCaughtUp();
            // A broker that is away is told by messaging itself.
            if (event.kind === 'batch-failed')
              logger.error('a batch of statuses was not handled', { error: event.error });
          },
        });
        this.consumer = consumer;
        this.options.onReach();
        return;
      } catch (error) {
        if (failures === 1 || failures % 10 === 0)
          logger.warn('the topic of this cluster cannot be read; trying on', { error });
        await clock.sleep(500 + backoffMs(failures, { baseMs: 500, capMs: 15_000 }, random), this.stopping.signal);
      }
    }
  }
}
