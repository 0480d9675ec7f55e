import type { Pool } from 'pg';
import { GateQueue } from './event-store.ts';
import { isStorable } from './storable.ts';

export interface GateState {
  /** shut: one stream at a time probes. slow: each success lets two more through. open: all may pass. */
  readonly state: 'open' | 'slow' | 'shut';
  readonly parked: number;
  /** ISO. */
  readonly nextProbeAt: string;
}

/**
 * Gates on PostgreSQL. A gate is made by the first stream that parks at it, shut, with its first probe after 4 s. A refused probe doubles the
 * interval up to 60 s, each ± 20 %. The first success makes it slow: two may leave, then two more for each success, and with a budget of 32 it
 * is open. Two refusals in a row, or a stream that parks, shut an open gate.
 */
export class PostgresGateQueue extends GateQueue {
  private readonly pool: Pool;
  private readonly jitter: () => number;

  /** `jitter`: uniform in [0, 1); default none. */
  constructor(pool: Pool, { jitter = () => 0.5 }: { readonly jitter?: () => number } = {}) {
    super();
    this.pool = pool;
    this.jitter = jitter;
  }

  async dueGates(
    limit: number,
    leaseMs: number,
  ): Promise<readonly { readonly gate: string; readonly budget: number; readonly parked: number }[]> {
    const { rows } = await this.pool.query<{ gate: string; budget: number; parked: number }>(
      'select gate, budget, parked::int from es.due_gates($1, $2)',
      [limit, leaseMs],
    );
    return rows;
  }

  async peek(gate: string, count: number): Promise<readonly string[]> {
    if (!isStorable(gate)) return [];
    const { rows } = await this.pool.query<{ stream_id: string }>(
      'select stream_id from es.parked where gate = $1 order by priority desc, deadline, since limit $2',
      [gate, count],
    );
    return rows.map((row) => row.stream_id);
  }

  async report(gate: string, outcome: 'accepted' | 'refused'): Promise<void> {
    if (!isStorable(gate)) return;
    await this.pool.query('select es.report_gate($1, $2, $3)', [gate, outcome === 'accepted', this.jitter()]);
  }

  /** Gates that exist, of those asked for; a gate that does not exist is open. */
  async look(gates: readonly string[]): Promise<ReadonlyMap<string, GateState>> {
    const { rows } = await this.pool.query<{
      gate: string;
      state: GateState['state'];
      parked: number;
      next_probe_at: Date;
    }>(
      `select g.gate, g.state, g.next_probe_at, (select count(*)::int from es.parked p where p.gate = g.gate) as parked
         from es.gate g where g.gate = any($1)`,
      [gates.filter(isStorable)],
    );
    return new Map(
      rows.map((row) => [
        row.gate,
        { state: row.state, parked: row.parked, nextProbeAt: row.next_probe_at.toISOString() },
      ]),
    );
  }
}
