import type { Pool } from 'pg';
import { eventually } from '../eventually.ts';

/**
 * Waits until every transaction that is open now, in any database of the server, has ended: readers of the log see all that was committed before.
 * Until then anybody's open transaction hides what came after its beginning, and a reader that is asked once finds nothing.
 */
export async function untilSettled(pool: Pick<Pool, 'query'>): Promise<void> {
  const { rows } = await pool.query<{ id: string }>('select pg_current_xact_id()::text as id');
  await eventually(
    async () => {
      const now = await pool.query<{ settled: boolean }>(
        'select pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 as settled',
        [rows[0]!.id],
      );
      return now.rows[0]!.settled;
    },
    { what: 'the transactions that were open have ended', deadlineMs: 60_000 },
  );
}
