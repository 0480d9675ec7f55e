import { topics } from '#libs/contracts';
import type { EventStore } from '#libs/event-store';
import type { Consumer, Messaging } from '#libs/messaging';
import { errorMessage, type AsideItem, type Logger, type Metrics } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { StopGuard } from '../holds/ports.ts';
import type { StreamVault } from '../keys/stream-vault.ts';
import type { StreamCommands } from '../streams/stream-commands.ts';
import { AskAgain } from './ask-again.ts';
import { ClusterBudgets, type ClusterBudget } from './cluster-budgets.ts';
import { InboxOffsets } from './inbox-offsets.ts';
import { IntakeHandler } from './intake-handler.ts';
import { InventoryDesk } from './inventory-desk.ts';
import { StubbornBatches } from './stubborn-batches.ts';
import type {
  AgentCommands,
  ClusterSource,
  Deferrals,
  EnvelopeKeySource,
  Inventories,
  QuarantineDesk,
  StatusPublisher,
} from './ports.ts';

export interface IntakeParts {
  readonly fleet: string;
  readonly messaging: Messaging;
  readonly store: EventStore;
  readonly streams: StreamCommands;
  readonly vault: StreamVault;
  readonly keys: EnvelopeKeySource;
  readonly clusters: ClusterSource;
  readonly agents: AgentCommands;
  readonly statuses: StatusPublisher;
  readonly quarantine: QuarantineDesk;
  readonly inventories: Inventories;
  /** What one cluster may send. */
  readonly budget: ClusterBudget;
  readonly deferrals: Deferrals;
  /** Holds stops that come in masses and that nobody was seen asking for. */
  readonly guard: StopGuard;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Partitions begin a new epoch together; their agents are asked once. */
const ASK_TOGETHER_MS = 1_000;
/** A batch that failed so often in a row is no blip. */
const TROUBLE_AFTER = 3;

/** Reads what agents say. Any number of replicas share the partitions. */
export class Intake {
  private readonly parts: IntakeParts;
  private readonly handler: StubbornBatches;
  private readonly askAgain: AskAgain;
  private readonly group: string;
  private readonly inventories: InventoryDesk;
  private readonly stopping = new AbortController();
  private consumer: Consumer | undefined;
  private asking: Promise<void> | undefined;
  /** Partitions that wait, and for what. */
  private readonly failing = new Map<number, string>();

  constructor(parts: IntakeParts) {
    this.parts = parts;
    this.group = `${parts.fleet}.intake`;
    const budgets = new ClusterBudgets(parts.budget);
    this.askAgain = new AskAgain({ ...parts, budgets });
    this.inventories = new InventoryDesk(parts);
    const handler = new IntakeHandler({
      ...parts,
      group: this.group,
      inventories: this.inventories,
      budgets,
      onDeferred: () => this.askAgain.nudge(),
    });
    this.handler = new StubbornBatches(handler, parts.logger);
  }

  async start(): Promise<void> {
    const { fleet, messaging, store, logger } = this.parts;
    this.askAgain.start();
    this.consumer = await messaging.consume({
      topics: [topics(fleet).intents],
      group: this.group,
      offsets: new InboxOffsets(store, this.group),
      handle: (batch) => this.handler.handle(batch),
      onEvent: (event) => {
        // A broker that is away is told by messaging itself.
        if (event.kind === 'batch-failed') {
          const { topic, partition, failures, error } = event;
          if (failures >= TROUBLE_AFTER) this.failing.set(partition, errorMessage(error));
          logger.error('could not handle a batch; the partition waits', { topic, partition, failures, error });
        }
        if (event.kind === 'goes-on' && this.failing.delete(event.partition))
          logger.info('a partition goes on', { partition: event.partition });
      },
      onNewEpoch: (topic, partition, epoch) => {
        logger.warn('a log begins anew; asking every agent for an inventory', { topic, partition, epoch });
        this.asking ??= this.askForInventories();
      },
    });
  }

  /** Finishes the batches in progress. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.consumer?.stop();
    await this.askAgain.stop();
    await this.asking;
  }

  /** What inventories passed over; messages that fail go to the quarantine. */
  setAside(): readonly AsideItem[] {
    return [...this.inventories.setAside(), ...this.askAgain.setAside()];
  }

  /** What keeps partitions waiting; a broker that is away is told by messaging itself. */
  trouble(): string | undefined {
    const [first] = this.failing;
    return first && `intake: partition ${first[0]} waits: ${first[1]}`;
  }

  /** What a log lost is in the clusters themselves. Agents that cannot be reached now send an inventory by themselves within minutes. */
  private async askForInventories(): Promise<void> {
    const { agents, clock, logger } = this.parts;
    await clock.sleep(ASK_TOGETHER_MS, this.stopping.signal);
    this.asking = undefined;
    if (this.stopping.signal.aborted) return;
    try {
      const at = new Date(clock.now()).toISOString();
      await agents.sendToAll({ kind: 'Command', name: 'SendInventory', at });
    } catch (error) {
      logger.warn('could not ask for inventories; agents send them by themselves', { error });
    }
  }
}
