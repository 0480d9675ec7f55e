import type { LedgerGroup } from './group.ts';

/** One request as it came; secrets among its parameters are digests, unless they were asked for at the start. */
export interface LedgerRequest {
  readonly number: number;
  /** Real time, then the simulated time. */
  readonly at: string;
  readonly simulatedAt: string;
  readonly account: string;
  readonly action: string;
  readonly region: string;
  readonly clientToken: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly requestId: string;
  /** Filled in when the request has been worked on; absent while it is held back. */
  outcome?: {
    /** HTTP status of the honest answer, whatever a fault made of it. */
    readonly status: number;
    readonly code: string | null;
    readonly containerGroupId: string | null;
    /** Whether the request took effect. */
    readonly executed: boolean;
    /** Kind of the fault it met. */
    readonly fault: string | null;
  };
}

/** Every group ever made and every request received, for tests to compare with. */
export class Ledger {
  private readonly groupEntries = new Map<string, LedgerGroup>();
  private requestEntries: LedgerRequest[] = [];
  private received = 0;
  private dropped = 0;

  addGroup(group: LedgerGroup): void {
    this.groupEntries.set(group.containerGroupId, group);
  }

  addRequest(request: Omit<LedgerRequest, 'number'>, keep: number): LedgerRequest {
    const entry: LedgerRequest = { number: ++this.received, ...request };
    this.requestEntries.push(entry);
    if (this.requestEntries.length > 2 * keep) {
      this.dropped += this.requestEntries.length - keep;
      this.requestEntries = this.requestEntries.slice(-keep);
    }
    return entry;
  }

  groups(): IterableIterator<LedgerGroup> {
    return this.groupEntries.values();
  }

  requests(): readonly LedgerRequest[] {
    return this.requestEntries;
  }

  summary(): Record<string, unknown> {
    const groupsByStatus: Record<string, number> = {};
    const perTokenIds = new Map<string, number>();
    for (const group of this.groupEntries.values()) {
      groupsByStatus[group.status] = (groupsByStatus[group.status] ?? 0) + 1;
      if (group.clientToken) {
        const key = `${group.account}/${group.region}/${group.clientToken}`;
        perTokenIds.set(key, (perTokenIds.get(key) ?? 0) + 1);
      }
    }
    const requestsByAction: Record<string, Record<string, number>> = {};
    for (const { action, outcome } of this.requestEntries) {
      const of = (requestsByAction[action] ??= {});
      const name = outcome ? (outcome.code ?? 'ok') : 'in progress';
      of[name] = (of[name] ?? 0) + 1;
    }
    return {
      groups: this.groupEntries.size,
      groupsByStatus,
      tokensWithSeveralGroups: [...perTokenIds.values()].filter((count) => count > 1).length,
      requests: this.received,
      requestsDropped: this.dropped,
      requestsByAction,
    };
  }
}
