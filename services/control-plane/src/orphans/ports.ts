import type { OrphanFacts, OrphanId, OrphanPhase } from '#libs/domain';

/** One orphan in quarantine, kept, or being removed. */
export interface OrphanCase extends OrphanId {
  readonly phase: OrphanPhase;
  readonly facts: OrphanFacts;
}

/** Orphans that were quarantined, as their streams say. */
export abstract class OrphanCases {
  /** Those of a place that are open: quarantined, kept, or being removed. */
  abstract open(place: { readonly accountId: string; readonly region: string }): Promise<readonly OrphanCase[]>;
  /** Those in quarantine, which nobody kept, for longer than this by the database's time; the longest first. */
  abstract overdue(afterMs: number, limit: number): Promise<readonly OrphanId[]>;
}
