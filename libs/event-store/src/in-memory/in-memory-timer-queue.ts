import { TimerQueue, type JsonObject } from '../event-store.ts';
import type { InMemoryDatabase } from './in-memory-database.ts';
import { isDue, iso, rowKey, type Tables } from './tables.ts';

/** Timers in memory. A claimed timer stays until it is removed or put again, and falls due anew when the claim ends. */
export class InMemoryTimerQueue extends TimerQueue {
  private readonly tables: Tables;

  constructor(database: InMemoryDatabase) {
    super();
    this.tables = database.tables;
  }

  async claimDue(
    limit: number,
    leaseMs: number,
  ): Promise<
    readonly { readonly streamId: string; readonly name: string; readonly dueAt: string; readonly data: JsonObject }[]
  > {
    const now = this.tables.now();
    const due = [];
    for (const row of this.tables.timers.values()) if (isDue(row, now)) due.push(row);
    due.sort((a, b) => a.runAt - b.runAt);
    return due.slice(0, limit).map((row) => {
      row.runAt = now + leaseMs;
      return { streamId: row.streamId, name: row.name, dueAt: iso(row.dueAt), data: row.data };
    });
  }

  async remove(streamId: string, name: string, dueAt?: string): Promise<void> {
    const key = rowKey(streamId, name);
    const row = this.tables.timers.get(key);
    if (row && (dueAt === undefined || row.dueAt === Date.parse(dueAt))) this.tables.timers.delete(key);
  }
}
