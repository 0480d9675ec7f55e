import { parseStreamId } from '#libs/domain';
import type { EciClient, TagFilter } from '#libs/eci';
import { backoffMs, type Random } from '#libs/runtime';
import { OrderedEciClient, type Asking } from '../accounts/ordered-eci.ts';
import { ApplySights, INVENTORY_EVERY_MS } from './apply-sights.ts';
import { CloudInventory, type CloudInventoryParts } from './cloud-inventory.ts';
import type { Observed } from './ports.ts';
import { windowSeconds } from './window.ts';

interface ScopeObserverParts extends CloudInventoryParts {
  readonly random: Random;
  readonly asking: Asking;
}

/** Between sweeps while something is on its way, and while nothing is. */
const SWEEP_BUSY_MS = 1_000;
const SWEEP_QUIET_MS = 2_000;
const BUSY_FOR_MS = 30_000;
/** A chain of pages that takes longer is split by cluster; whether that is still needed is tried after a while. */
const LONG_CHAIN_MS = 2_000;
const SHARDED_FOR_MS = 300_000;
const CLUSTERS_FRESH_MS = 10_000;
/** A second list follows soon when the first one missed something. */
const INVENTORY_AGAIN_MS = 65_000;
/** A group without a stream may be one whose create has not been recorded yet. */
const STRANGER_AFTER_MS = 20_000;
const STRANGERS_A_SWEEP = 20;
/** Groups; ten calls. */
const READS_A_STEP = 200;
/** Details of groups that have landed are read in rounds, so that calls are full: at most 300 calls a minute, of the 2,000 that ECI takes. */
const ROUND_MS = 2_000;
const READS_A_ROUND = 200;
/** After the cloud refused a read for want of quota: groups that are starting or stopping need the reads more than those that run. */
const ROUND_AFTER_REFUSAL_MS = 30_000;
/** A clock that was set makes a sweep look long, or the next one far away: no wait that it explains is longer than this. */
const LONGEST_PAUSE_MS = 30_000;
const LONGEST_WAIT_MS = 2_000;
const THROTTLED = { baseMs: 2_000, capMs: 60_000 };

/** Watches one place of the cloud: sweeps for changes, reads groups on their way by id, and takes full inventories. */
export class ScopeObserver {
  private readonly parts: ScopeObserverParts;
  /** As it was given. */
  readonly client: EciClient;
  private readonly apply: ApplySights;
  private readonly inventory: CloudInventory;
  private readonly strangers = new Map<string, number>();
  private sweptAt: number | undefined;
  private listedAt: number | undefined;
  private nextSweepAt = 0;
  private nextInventoryAt = 0;
  private nextRoundAt = 0;
  private busyUntil = 0;
  private throttledInARow = 0;
  private sweepMs = 0;
  private shardedUntil = 0;
  private clusters: { readonly readAt: number; readonly ids: readonly string[] } | undefined;
  private inventorying: Promise<void> | undefined;

  constructor(given: ScopeObserverParts, observed: Observed) {
    this.client = given.client;
    const parts = { ...given, client: new OrderedEciClient(given.client, given.asking) };
    this.parts = parts;
    this.apply = new ApplySights(parts);
    this.inventory = new CloudInventory(parts, this.apply);
    this.sweptAt = observed.sweptAt;
    this.listedAt = observed.listedAt;
  }

  get observed(): Observed {
    return {
      ...(this.sweptAt !== undefined && { sweptAt: this.sweptAt }),
      ...(this.listedAt !== undefined && { listedAt: this.listedAt }),
    };
  }

  /** Does what is due; returns the milliseconds until something is due again. */
  async step(stopping: AbortSignal): Promise<number> {
    const { clock, sights } = this.parts;
    this.doubtFarTimes(clock.now());
    if (clock.now() >= this.nextSweepAt) await this.sweep(stopping);
    if (stopping.aborted) return 0;
    await this.readOnTheirWay();
    await this.readAgain();
    await this.apply.again();
    if (clock.now() >= this.nextInventoryAt) this.beginInventory(stopping);
    const now = clock.now();
    sights.forgetOld(now);
    const next = Math.min(this.nextSweepAt, this.nextInventoryAt > now ? this.nextInventoryAt : Infinity);
    return Math.max(50, Math.min(next - now, LONGEST_WAIT_MS));
  }

  /** The clock was set back: what was planned by the time before is due now. */
  private doubtFarTimes(now: number): void {
    if (this.nextSweepAt - now > THROTTLED.capMs + LONGEST_PAUSE_MS) this.nextSweepAt = now;
    if (this.nextRoundAt - now > ROUND_AFTER_REFUSAL_MS) this.nextRoundAt = now;
    const inventoryIn = this.nextInventoryAt - now;
    if (inventoryIn !== Infinity && inventoryIn > INVENTORY_EVERY_MS + LONGEST_PAUSE_MS) this.nextInventoryAt = now;
    if (this.sweptAt !== undefined && this.sweptAt > now) this.sweptAt = undefined;
  }

  async finish(): Promise<void> {
    await this.inventorying;
  }

  private async sweep(stopping: AbortSignal): Promise<void> {
    const { clock, metrics, sights } = this.parts;
    const began = clock.now();
    const since = windowSeconds(began, this.sweptAt);
    const chains = await Promise.all((await this.filters(began)).map((filter) => this.chain(filter, since, stopping)));
    const ended = clock.now();
    this.sweepMs = ended - began;
    if (stopping.aborted) return;
    if (chains.includes('unfinished')) {
      // What was applied stays; the next sweep begins at the same place.
      this.throttledInARow += 1;
      this.nextSweepAt = ended + 1_000 + backoffMs(this.throttledInARow, THROTTLED, this.parts.random);
      return;
    }
    this.throttledInARow = 0;
    // What was not taken is shown by the next sweep once more: it looks back as far as this one.
    if (!chains.includes('overtaken')) this.sweptAt = began;
    await this.meetStrangers();
    metrics.sweepSeconds.observe(this.sweepMs / 1000);
    if (sights.expecting || this.strangers.size > 0) this.busyUntil = ended + BUSY_FOR_MS;
    const pause = ended < this.busyUntil ? SWEEP_BUSY_MS : SWEEP_QUIET_MS;
    // A sweep that takes long must not follow itself without a pause.
    this.nextSweepAt = Math.max(began + pause, clock.now() + Math.min(this.sweepMs / 2, LONGEST_PAUSE_MS));
  }

  /** One page after another. `overtaken`: of some group its stream holds a sight that may be newer. */
  private async chain(
    filter: TagFilter,
    since: number | undefined,
    stopping: AbortSignal,
  ): Promise<'unfinished' | 'overtaken' | 'taken'> {
    const { client, clock } = this.parts;
    let isOvertaken = false;
    const answer = await client.changesEach(
      filter,
      since,
      async (groups) => {
        const { strangers, taken } = await this.apply.byStatus(groups);
        if (!taken) isOvertaken = true;
        for (const id of strangers) if (!this.strangers.has(id)) this.strangers.set(id, clock.now());
      },
      stopping,
    );
    if (answer.kind !== 'done') return 'unfinished';
    return isOvertaken ? 'overtaken' : 'taken';
  }

  /** One chain for the place; once that takes too long, one for each cluster, beside each other. */
  private async filters(now: number): Promise<readonly TagFilter[]> {
    const { fleet, scopes, scope } = this.parts;
    if (this.sweepMs > LONG_CHAIN_MS) this.shardedUntil = now + SHARDED_FOR_MS;
    if (now >= this.shardedUntil) {
      this.clusters = undefined;
      return [{ fleet }];
    }
    if (!this.clusters || now - this.clusters.readAt > CLUSTERS_FRESH_MS) {
      const streams = (await scopes.knownGroups(scope)).values();
      const ids = new Set([...streams].flatMap((streamId) => parseStreamId(streamId)?.clusterId ?? []));
      this.clusters = { readAt: now, ids: [...ids] };
    }
    // A cluster that is newer than this list is seen by the inventories, and by its groups' reads by id.
    return this.clusters.ids.length > 1 ? this.clusters.ids.map((clusterId) => ({ fleet, clusterId })) : [{ fleet }];
  }

  private async readOnTheirWay(): Promise<void> {
    const { sights, clock } = this.parts;
    const due = sights.dueForReading(clock.now(), READS_A_STEP);
    if (due.length === 0) return;
    const { found } = await this.apply.read(due);
    await this.apply.byDetails([...found.values()]);
  }

  /** Init containers and the cloud's events of groups that have landed. */
  private async readAgain(): Promise<void> {
    const { sights, clock } = this.parts;
    const now = clock.now();
    if (now < this.nextRoundAt) return;
    const due = sights.details.due(now, READS_A_ROUND);
    this.nextRoundAt = now + ROUND_MS;
    if (due.length === 0) return;
    const { found, answered } = await this.apply.read(due);
    if (!answered) this.nextRoundAt = clock.now() + ROUND_AFTER_REFUSAL_MS;
    await this.apply.byDetails([...found.values()]);
  }

  /** Ids that the status action showed, and that still have no stream: their tags tell what they are. */
  private async meetStrangers(): Promise<void> {
    const { client, clock, sights, fleet } = this.parts;
    const now = clock.now();
    const due: string[] = [];
    for (const [id, at] of this.strangers) {
      if (sights.get(id)) this.strangers.delete(id);
      else if (now - at >= STRANGER_AFTER_MS && due.length < STRANGERS_A_SWEEP) due.push(id);
    }
    if (due.length === 0) return;
    const stillStrange = await this.apply.resolve(due);
    for (const id of due) this.strangers.delete(id);
    if (stillStrange.length === 0) return;
    const answer = await client.describe(stillStrange);
    if (answer.kind === 'done') {
      const nobodys = await this.inventory.strangers(answer.value.filter(({ identity }) => identity?.fleet === fleet));
      // What belongs to nobody is judged from a complete list only; one should follow soon.
      if (nobodys.length > 0) this.nextInventoryAt = Math.min(this.nextInventoryAt, now + INVENTORY_AGAIN_MS);
    }
  }

  /** Beside the sweeps, for a list of many pages takes long. */
  private beginInventory(stopping: AbortSignal): void {
    if (this.inventorying) return;
    const { clock, logger, random, scope } = this.parts;
    const began = clock.now();
    this.nextInventoryAt = Infinity;
    this.inventorying = this.inventory
      .take(stopping)
      .then((listed) => {
        if (listed === 'complete') {
          this.listedAt = began;
          this.nextInventoryAt = this.inventory.suspicious
            ? clock.now() + INVENTORY_AGAIN_MS
            : began + INVENTORY_EVERY_MS;
        } else {
          this.nextInventoryAt = clock.now() + 5_000 + backoffMs(3, THROTTLED, random);
        }
      })
      .catch((error: unknown) => {
        logger.error('could not take the inventory of a place', { ...scope, error });
        this.nextInventoryAt = clock.now() + 30_000;
      })
      .finally(() => (this.inventorying = undefined));
  }
}
