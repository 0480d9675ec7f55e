import type { AsideItem, Logger, Metrics } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { isNobodysFault } from '../clusters/whose-fault.ts';
import { SetAside } from '../streams/set-aside.ts';
import type { KnownClusters } from './ports.ts';

/** Where statuses go; one cluster that cannot be told is left out, and is told everything again. */
export interface Reachable {
  isOut(clusterId: string): boolean;
  leaveOut(clusterId: string, error: unknown): void;
}

/**
 * Clusters and their topics, one by one: a cluster whose topic cannot be made or written is set aside, and the others are told. A topic is the
 * newest status of every pod, so one that was left out is whole again once it is filled.
 */
export class PreparedClusters implements Reachable {
  private readonly clusters: KnownClusters;
  private readonly prepare: (clusterId: string) => Promise<void>;
  private readonly fill: (clusterId: string) => Promise<void>;
  private readonly aside: SetAside<string>;
  /** Something that they were to be told was left out. */
  private readonly unfilled = new Set<string>();

  constructor(parts: {
    /** Name of the loop that does it. */
    readonly loop: string;
    readonly clusters: KnownClusters;
    /** Makes the topic of a cluster when it is missing, and fills it then. */
    readonly prepare: (clusterId: string) => Promise<void>;
    /** Says everything once more. */
    readonly fill: (clusterId: string) => Promise<void>;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    this.clusters = parts.clusters;
    this.prepare = parts.prepare;
    this.fill = parts.fill;
    this.aside = new SetAside({ ...parts, isTrouble: isNobodysFault });
  }

  /** Every cluster that may be spoken to. Throws when the broker or the database is away. */
  async all(): Promise<void> {
    await this.each((await this.clusters.live()).map(({ id }) => id));
  }

  /** Those that were set aside, and are due. */
  async again(): Promise<void> {
    const due = this.aside.due();
    if (due.length === 0) return;
    const live = new Set((await this.clusters.live()).map(({ id }) => id));
    for (const id of due) {
      if (live.has(id)) continue;
      this.aside.forget(id);
      this.unfilled.delete(id);
    }
    await this.each(due.filter((id) => live.has(id)));
  }

  /** Milliseconds until one is tried again; undefined when none waits. */
  dueInMs(): number | undefined {
    return this.aside.dueInMs();
  }

  isOut(clusterId: string): boolean {
    return this.unfilled.has(clusterId);
  }

  leaveOut(clusterId: string, error: unknown): void {
    this.unfilled.add(clusterId);
    this.aside.put(clusterId, clusterId, error);
  }

  setAside(): readonly AsideItem[] {
    return this.aside.list();
  }

  private async each(ids: readonly string[]): Promise<void> {
    await this.aside.each(
      ids,
      (id) => id,
      async (id) => {
        await this.prepare(id);
        // First: what is published from now on reaches it, and what came before is in what it is filled with.
        if (this.unfilled.delete(id)) {
          try {
            await this.fill(id);
          } catch (error) {
            this.unfilled.add(id);
            throw error;
          }
        }
      },
    );
  }
}
