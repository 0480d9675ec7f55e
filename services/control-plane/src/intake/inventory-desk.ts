import type { Inventory } from '#libs/contracts';
import { streamIdOf } from '#libs/domain';
import { AsideItems, type AsideItem, type Logger, type Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import type { StopGuard } from '../holds/ports.ts';
import { whoseFault } from '../clusters/whose-fault.ts';
import type { StreamCommands } from '../streams/stream-commands.ts';
import { answerInventory } from './answer-inventory.ts';
import { InventoryTurns } from './inventory-turns.ts';
import {
  INVENTORY,
  MAX_INVENTORY_BYTES,
  type AgentCommands,
  type Deferrals,
  type Inventories,
  type InventoryPod,
  type StatusPublisher,
} from './ports.ts';

/** UIDs of one Recheck, and streams of one load or publication. */
const PAGE = 500;
const DAY_MS = 86_400_000;
/** Agents send one every few minutes. */
const NEXT_INVENTORY_MS = 600_000;

/** Takes the parts of inventories, and answers each set once it is complete. */
export class InventoryDesk {
  private readonly inventories: Inventories;
  private readonly streams: StreamCommands;
  private readonly agents: AgentCommands;
  private readonly statuses: StatusPublisher;
  private readonly guard: Pick<StopGuard, 'heldPods'>;
  private readonly deferrals: Deferrals;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly turns = new InventoryTurns();
  private readonly aside: AsideItems;

  constructor(parts: {
    readonly inventories: Inventories;
    readonly streams: StreamCommands;
    readonly agents: AgentCommands;
    readonly statuses: StatusPublisher;
    readonly guard: Pick<StopGuard, 'heldPods'>;
    readonly deferrals: Deferrals;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    this.inventories = parts.inventories;
    this.streams = parts.streams;
    this.agents = parts.agents;
    this.statuses = parts.statuses;
    this.guard = parts.guard;
    this.deferrals = parts.deferrals;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.aside = new AsideItems({ ...parts, loop: 'inventories' });
  }

  /** Streams that an inventory could not be compared with, and clusters that could not be answered. */
  setAside(): readonly AsideItem[] {
    return this.aside.list();
  }

  async take(clusterId: string, part: Inventory): Promise<void> {
    const { inventoryId, chunk, chunks, pods } = part;
    const kept = await this.inventories.keep({ clusterId, inventoryId, chunk, chunks, pods });
    if (kept.state === 'too-large') {
      const problem = 'an inventory is too large to be kept; it is not answered';
      this.logger.warn(problem, { clusterId, inventoryId, chunk, chunks, limit: MAX_INVENTORY_BYTES });
    }
    try {
      if (kept.state === 'complete') await this.answerInTurn(clusterId, inventoryId, kept.pods);
      if (part.leftovers) await this.clear(clusterId, part.leftovers);
      this.aside.done(clusterId);
    } catch (error) {
      if (whoseFault(error) !== 'cluster') throw error;
      // Whoever shares its partition is not to wait for its topic, and its next inventory asks for the same.
      this.aside.put(clusterId, error, NEXT_INVENTORY_MS);
    }
  }

  /**
   * A writer that was stopped between reading a stream and publishing it (of whatever kind, and killed right after it) may have left a status
   * behind the tombstone. Nobody who writes can rule that out; the agent, which reads what the topic really holds, says so, and the tombstone is
   * published once more.
   */
  private async clear(clusterId: string, uids: readonly string[]): Promise<void> {
    const openStreams = await this.inventories.openStreams(clusterId);
    const past = uids.filter((uid) => !openStreams.has(uid)).map((uid) => streamIdOf(clusterId, uid));
    const known = await this.inventories.existing(past);
    for (const page of pages(past.filter((id) => known.has(id)))) await this.statuses.publish(page);
  }

  private async answerInTurn(clusterId: string, inventoryId: string, pods: readonly InventoryPod[]): Promise<void> {
    const began = this.clock.now();
    if (!this.turns.mayBegin(clusterId, began)) return this.deferrals.defer(clusterId, [INVENTORY]);
    try {
      await this.answer(clusterId, inventoryId, pods);
    } finally {
      this.turns.ended(clusterId, { began, now: this.clock.now() });
    }
  }

  private async answer(clusterId: string, inventoryId: string, pods: readonly InventoryPod[]): Promise<void> {
    const idOf = (uid: string): string => streamIdOf(clusterId, uid);
    const before = await this.inventories.last(clusterId);
    if (before?.inventoryId === inventoryId) return;
    const keyGeneration = await this.inventories.keyGeneration(clusterId);
    const openStreams = await this.inventories.openStreams(clusterId);
    const here = new Set(pods.map((pod) => pod.uid));
    const strangers = pods.filter((pod) => !openStreams.has(pod.uid)).map((pod) => pod.uid);
    const past = await this.inventories.existing(strangers.map(idOf));
    const wanted = [
      ...[...openStreams.keys()].filter((uid) => !here.has(uid)),
      ...pods.filter((pod) => pod.deletionTimestamp !== undefined && openStreams.has(pod.uid)).map((pod) => pod.uid),
    ];
    const states = new Map();
    for (const page of pages(wanted)) {
      const { states: loaded, failed } = await this.streams.loadEach(page.map(idOf));
      for (const uid of page) states.set(uid, loaded.get(idOf(uid)));
      for (const streamId of loaded.keys()) this.aside.done(streamId);
      // Nothing is known of it here: the agent is asked about its pod, which changes nothing by itself.
      for (const [streamId, error] of failed) this.aside.put(streamId, error, NEXT_INVENTORY_MS);
    }
    const now = this.clock.now();
    const answer = answerInventory({
      pods,
      openStreams,
      pastStreams: new Map(
        strangers.flatMap((uid) => (past.has(idOf(uid)) ? [[uid, past.get(idOf(uid)) as number]] : [])),
      ),
      states,
      quarantined: await this.inventories.quarantined(clusterId, before?.completedAt ?? now - DAY_MS),
      held: await this.guard.heldPods(clusterId),
      before: before ?? { unknownPods: [], missingPods: [] },
      keyEnded: keyGeneration !== (before?.keyGeneration ?? 0),
    });

    let page = 0;
    for (const uids of pages(answer.recheck)) {
      // Agents take a command of a time that they have seen for one that they have done.
      const at = new Date(now + page++).toISOString();
      await this.agents.sendCommand(clusterId, { kind: 'Command', name: 'Recheck', at, uids: [...uids] });
    }
    for (const uids of pages(answer.republish)) await this.statuses.publish(uids.map(idOf), { objectIsThere: true });
    const { unknownPods, missingPods } = answer;
    await this.inventories.remember(clusterId, {
      inventoryId,
      completedAt: now,
      unknownPods,
      missingPods,
      keyGeneration,
    });
    this.logger.info('answered an inventory', {
      clusterId,
      inventoryId,
      pods: pods.length,
      streams: openStreams.size,
      rechecked: answer.recheck.length,
      republished: answer.republish.length,
    });
  }
}

function* pages<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += PAGE) yield items.slice(start, start + PAGE);
}
