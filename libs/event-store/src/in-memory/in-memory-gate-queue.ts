import { GateQueue } from '../event-store.ts';
import type { GateState } from '../postgres-gate-queue.ts';
import type { InMemoryDatabase } from './in-memory-database.ts';
import { iso, type GateRecord, type Tables } from './tables.ts';

/** Gates in memory: the rules of `es.due_gates` and `es.report_gate`, one for one. */
export class InMemoryGateQueue extends GateQueue {
  private readonly tables: Tables;
  private readonly jitter: () => number;

  /** `jitter`: uniform in [0, 1); default none. */
  constructor(database: InMemoryDatabase, { jitter = () => 0.5 }: { readonly jitter?: () => number } = {}) {
    super();
    this.tables = database.tables;
    this.jitter = jitter;
  }

  async dueGates(
    limit: number,
    leaseMs: number,
  ): Promise<readonly { readonly gate: string; readonly budget: number; readonly parked: number }[]> {
    const now = this.tables.now();
    return [...this.tables.gates]
      .filter(([, row]) => row.nextProbeAt <= now)
      .map(([gate, row]) => ({ gate, row, parked: this.tables.parkedAt(gate) }))
      .filter(({ parked }) => parked > 0)
      .sort((a, b) => a.row.nextProbeAt - b.row.nextProbeAt)
      .slice(0, limit)
      .map(({ gate, row, parked }) => {
        const budget = row.state === 'open' ? 200 : Math.max(1, row.credit);
        Object.assign(row, { nextProbeAt: now + leaseMs, probing: true, credit: 0 });
        return { gate, budget, parked };
      });
  }

  async peek(gate: string, count: number): Promise<readonly string[]> {
    return [...this.tables.parked]
      .filter(([, row]) => row.gate === gate)
      .sort(([, a], [, b]) => b.priority - a.priority || soonerOf(a.deadline, b.deadline) || a.since - b.since)
      .slice(0, count)
      .map(([streamId]) => streamId);
  }

  async look(gates: readonly string[]): Promise<ReadonlyMap<string, GateState>> {
    const found = new Map<string, GateState>();
    for (const gate of gates) {
      const row = this.tables.gates.get(gate);
      if (row) {
        found.set(gate, { state: row.state, parked: this.tables.parkedAt(gate), nextProbeAt: iso(row.nextProbeAt) });
      }
    }
    return found;
  }

  async report(gate: string, outcome: 'accepted' | 'refused'): Promise<void> {
    const row = this.tables.gates.get(gate);
    if (!row) return;
    const now = this.tables.now();
    const changed = outcome === 'accepted' ? accepted(row, now) : refused(row);
    if (!changed) return;
    row.probing = false;
    if (row.state === 'shut') row.nextProbeAt = now + row.intervalMs * (0.8 + 0.4 * this.jitter());
  }
}

function accepted(row: GateRecord, now: number): boolean {
  switch (row.state) {
    case 'shut':
      Object.assign(row, { state: 'slow', budget: 2, credit: 2, intervalMs: 4_000, nextProbeAt: now });
      return true;
    case 'slow':
      row.budget += 1;
      row.credit += 2;
      row.nextProbeAt = now;
      if (row.budget >= 32) row.state = 'open';
      return true;
    case 'open':
      // Ordinary traffic through an open gate leaves its row alone.
      if (row.streak === 0) return false;
      row.streak = 0;
      return true;
  }
}

function refused(row: GateRecord): boolean {
  if (row.state === 'shut') {
    // Refusals of calls that were on the way when it shut say nothing new.
    if (!row.probing) return false;
    row.intervalMs = Math.min(60_000, row.intervalMs * 2);
  } else if (row.state === 'open' && row.streak === 0) {
    row.streak = 1;
  } else {
    Object.assign(row, { state: 'shut', budget: 0, credit: 0, streak: 0, intervalMs: 4_000 });
  }
  return true;
}

/** Without a deadline last. */
function soonerOf(a: number | undefined, b: number | undefined): number {
  if (a === b) return 0;
  return (a ?? Infinity) - (b ?? Infinity);
}
