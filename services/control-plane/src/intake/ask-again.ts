import type { AsideItem, Logger, Metrics } from '#libs/observability';
import type { Clock, LoopStep, Random } from '#libs/runtime';
import { isNobodysFault } from '../clusters/whose-fault.ts';
import { SetAside } from '../streams/set-aside.ts';
import { SupervisedLoop } from '../supervised-loop.ts';
import type { ClusterBudgets } from './cluster-budgets.ts';
import { INVENTORY, type AgentCommands, type Deferrals } from './ports.ts';

/** UIDs of one Recheck. */
const PAGE = 500;
/** Between a message that was over its budget and the question for it, and between two rounds of questions. */
const ASK_AFTER_MS = 5_000;
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
  private readonly aside: SetAside<string>;
  private readonly loop: SupervisedLoop;

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
    const name = 'ask-again';
    this.aside = new SetAside({ ...parts, loop: name, isTrouble: isNobodysFault });
    this.loop = new SupervisedLoop({
      ...parts,
      name,
      idleMs: LOOK_EVERY_MS,
      step: (stopping) => this.step(stopping),
    });
  }

  start(): void {
    this.loop.start();
  }

  /** Something was deferred. */
  nudge(): void {
    this.loop.nudge();
  }

  /** Clusters that cannot be asked. */
  setAside(): readonly AsideItem[] {
    return this.aside.list();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async step(stopping: AbortSignal): Promise<LoopStep> {
    // However much is deferred meanwhile.
    await this.clock.sleep(ASK_AFTER_MS, stopping);
    if (stopping.aborted) return 'idle';
    return (await this.round()) ? 'busy' : 'idle';
  }

  /** Returns whether anything is left to ask for. */
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
