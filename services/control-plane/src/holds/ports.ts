/** Decides whether stops that nobody was seen asking for may happen. */
export abstract class StopGuard {
  /**
   * Counts these stops of one cluster; returns those that must wait, with the hold they wait in. In a transaction of its own, before the append
   * of the caller: one that dies in between has counted a stop early, never one too few. A pod that is asked about again gets the same answer.
   */
  abstract admit(clusterId: string, podUids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** UIDs of the cluster's pods whose stop is held. */
  abstract heldPods(clusterId: string): Promise<ReadonlySet<string>>;
}

/** What an operator decided of one held stop, and nobody carried out yet. */
export interface DueDecision {
  readonly streamId: string;
  readonly verdict: 'release' | 'deny';
  /** `operator:<name>`, as he calls himself. */
  readonly by: string;
  /** Who let him in. */
  readonly actor: string;
  readonly reason?: string;
}

export abstract class HeldStops {
  /** The longest held first. */
  abstract due(limit: number): Promise<readonly DueDecision[]>;
  /** Ends holds that nobody decided, once nothing is held in them and nothing was for a window; answers them. */
  abstract endIdle(): Promise<readonly string[]>;
  /** How many are held, by cluster; clusters without are absent. */
  abstract counts(): Promise<ReadonlyMap<string, number>>;
}
