/** After an answer its cluster waits nine times as long as it took: others share its partition, and have nine tenths of its time at least. */
const REST_FACTOR = 9;
const LONGEST_REST_MS = 60_000;

/** Whose inventory may be answered now. All times are epoch milliseconds. */
export class InventoryTurns {
  private readonly restsUntil = new Map<string, number>();

  /** Whether this cluster's answer may begin; if not, its inventory is to be asked for again. */
  mayBegin(clusterId: string, now: number): boolean {
    const until = this.restsUntil.get(clusterId);
    // A rest that is longer than any was set by another clock.
    return until === undefined || now >= until || until - now > LONGEST_REST_MS;
  }

  ended(clusterId: string, { began, now }: { readonly began: number; readonly now: number }): void {
    const tookMs = Math.max(0, now - began);
    this.restsUntil.set(clusterId, now + Math.min(LONGEST_REST_MS, REST_FACTOR * tookMs));
  }
}
