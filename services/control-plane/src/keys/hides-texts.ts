import type { Pool } from 'pg';

/** `auto`: on in a fleet that began with a release that knows display keys. */
export type DisplayKeysSetting = 'auto' | 'on' | 'off';

/**
 * Whether what is not for ever is hidden from now on, and agents are told to. Older releases cannot read it, and refuse streams that have any: in a
 * fleet that one of them began it waits for the operator's word that none is left.
 */
export async function hidesTexts(setting: DisplayKeysSetting, pool: Pool): Promise<boolean> {
  if (setting !== 'auto') return setting === 'on';
  const { rows } = await pool.query(`select 1 from fleet.begun_with where ability = 'display-keys'`);
  return rows.length > 0;
}
