import type pg from 'pg';
import { REGION } from './fleet.ts';

const CREATES = `default/${REGION}/create`;

/** Leaves the creates of the fleet without quota, as if all of a minute's were used up. Needs one create before, which makes the lane. */
export async function exhaustCreates(database: pg.Pool): Promise<void> {
  const { rowCount } = await database.query(
    'update es.lane set rate = 1e-6, burst = 1, tokens = 0, refilled_at = clock_timestamp() where lane = $1',
    [CREATES],
  );
  if (rowCount !== 1) throw new Error(`there is no lane ${CREATES} yet`);
}

/** The quota is there again. */
export async function restoreCreates(database: pg.Pool): Promise<void> {
  await database.query(
    'update es.lane set rate = 16, burst = 100, tokens = 100, refilled_at = clock_timestamp() where lane = $1',
    [CREATES],
  );
}
