import { errorMessage, type AsideItem, type Logger, type Metrics } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { isNobodysFault } from '../publish/prepared-clusters.ts';
import { SetAside } from '../streams/set-aside.ts';
import type { ClusterBudgets } from './cluster-budgets.ts';
import { INVENTORY, type AgentCommands, type Deferrals } from './ports.ts';

/** UIDs of one Recheck. */
const PAGE = 500;
/** Between a message that was over its budget and the question for it, and between two rounds of questions. */
export const ASK_AFTER_MS = 5_000;
/** What another process was over, or could not ask for. */
const LOOK_EVERY_MS = 60_000;

/**
 * Asks clusters for what was over their budgets. Half of what a cluster may send now is asked for at most, so that the answers fit beside what it
 * sends by itself; one that uses up its budget is not asked until it has some left. Clusters are asked side by side, and
 * one that cannot be asked is set aside.
 */
export class AskAgain {
  private readonly deferrals: Deferrals;
  private readonly budgets: ClusterBudgets;
  private readonly agents: AgentCommands;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly aside: SetAside<string>;
  private readonly stopping = new AbortController();
  private waiting = new AbortController();
  private running: Promise<void> | undefined;

  constructor(parts: {
    readonly deferrals: Deferrals;
    readonly budgets: ClusterBudgets;
    readonly agents: AgentCommands;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    this.deferrals = parts.deferrals;
    this.budgets = parts.budgets;
    this.agents = parts.agents;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.aside = new SetAside({ ...parts, loop: 'ask-again', isTrouble: isNobodysFault });
  }

  start(): void {
    this.running = this.run();
  }

  /** Something was deferred. */
  nudge(): void {
    this.waiting.abort();
  }

  /** Clusters that cannot be asked. */
  setAside(): readonly AsideItem[] {
    return this.aside.list();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.waiting.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const left = await this.round().catch((error: unknown) => {
        this.logger.warn('could not ask for what was over a budget; trying on', { error: errorMessage(error) });
        return true;
      });
      if (!left) await this.clock.sleep(LOOK_EVERY_MS, this.waiting.signal);
      if (signal.aborted) break;
      this.waiting = new AbortController();
      await this.clock.sleep(ASK_AFTER_MS, signal);
    }
  }

  /** Answers whether anything is left to ask for. */
  private async round(): Promise<boolean> {
    const clusters = await this.deferrals.clusters();
    // Another process has asked it meanwhile.
    for (const clusterId of this.aside.due()) if (!clusters.includes(clusterId)) this.aside.forget(clusterId);
    await this.aside.each(
      clusters,
      (clusterId) => clusterId,
      (clusterId) => this.ask(clusterId),
    );
    return clusters.length > 0;
  }

  private async ask(clusterId: string): Promise<void> {
    const now = this.clock.now();
    const most = Math.min(PAGE, Math.floor(this.budgets.room(clusterId, now) / 2));
    if (most === 0) return;
    const subjects = await this.deferrals.claim(clusterId, most);
    const uids = subjects.filter((subject) => subject !== INVENTORY);
    const at = new Date(now).toISOString();
    try {
      if (uids.length > 0) await this.agents.sendCommand(clusterId, { kind: 'Command', name: 'Recheck', at, uids });
      if (uids.length < subjects.length)
        await this.agents.sendCommand(clusterId, { kind: 'Command', name: 'SendInventory', at });
      await this.deferrals.settle(clusterId, subjects);
    } catch (error) {
      // Else the next try would find nothing to ask for, and take the cluster for one that can be asked.
      await this.deferrals.release(clusterId, subjects).catch(() => undefined);
      throw error;
    }
  }
}
