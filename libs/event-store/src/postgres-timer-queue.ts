import type { Pool } from 'pg';
import { TimerQueue, type JsonObject } from './event-store.ts';
import { isStorable } from './storable.ts';

/** Timers on PostgreSQL. A claimed timer stays until it is removed or put again, and falls due anew when the claim ends. */
export class PostgresTimerQueue extends TimerQueue {
  private readonly pool: Pool;

  constructor(pool: Pool) {
    super();
    this.pool = pool;
  }

  async claimDue(
    limit: number,
    leaseMs: number,
  ): Promise<
    readonly { readonly streamId: string; readonly name: string; readonly dueAt: string; readonly data: JsonObject }[]
  > {
    const { rows } = await this.pool.query<{ stream_id: string; name: string; due_at: Date; data: JsonObject }>({
      name: 'es-claim-timers',
      text: 'select stream_id, name, due_at, data from es.claim_timers($1, $2)',
      values: [limit, leaseMs],
    });
    return rows.map((row) => ({
      streamId: row.stream_id,
      name: row.name,
      dueAt: row.due_at.toISOString(),
      data: row.data,
    }));
  }

  async remove(streamId: string, name: string, dueAt?: string): Promise<void> {
    if (!isStorable(streamId) || !isStorable(name)) return;
    await this.pool.query('select es.remove_timer($1, $2, $3)', [streamId, name, dueAt ?? null]);
  }
}
