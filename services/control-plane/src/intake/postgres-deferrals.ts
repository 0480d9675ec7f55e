import type { Pool } from 'pg';
import type { Clock } from '#libs/runtime';
import { Deferrals, INVENTORY, MAX_DEFERRED } from './ports.ts';

/** A question that was claimed, and whose process then died, is asked by another after this. */
const CLAIM_MS = 60_000;

/** How long the number of a cluster's deferred is believed, with what was added here since: counting costs by what is there, deferring by what comes. */
const COUNTED_FOR_MS = 1_000;
/** Clusters whose number is remembered. */
const REMEMBERED = 1_000;

export class PostgresDeferrals extends Deferrals {
  private readonly pool: Pool;
  private readonly clock: Clock;
  private readonly counted = new Map<string, { readonly at: number; here: number }>();

  constructor(parts: { readonly pool: Pool; readonly clock: Clock }) {
    super();
    this.pool = parts.pool;
    this.clock = parts.clock;
  }

  async defer(clusterId: string, subjects: readonly string[]): Promise<void> {
    const counted = await this.count(clusterId);
    const kept = withinBounds(subjects, counted.here);
    counted.here += kept.length;
    await this.pool.query({
      name: 'defer-intents',
      text: `insert into fleet.deferred_intent (cluster_id, subject, deferred_at)
             select $1, subject, $3 from unnest($2::text[]) subject order by subject
             on conflict (cluster_id, subject) do update set asked_at = null`,
      values: [clusterId, kept, this.now()],
    });
  }

  async clusters(): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ cluster_id: string }>(
      'select distinct cluster_id from fleet.deferred_intent order by 1',
    );
    return rows.map((row) => row.cluster_id);
  }

  async claim(clusterId: string, most: number): Promise<readonly string[]> {
    const now = this.now();
    const { rows } = await this.pool.query<{ subject: string }>(
      `update fleet.deferred_intent d set asked_at = $3
         from (select subject from fleet.deferred_intent where cluster_id = $1 and (asked_at is null or asked_at < $4)
                order by deferred_at limit $2 for update skip locked) t
        where d.cluster_id = $1 and d.subject = t.subject returning d.subject`,
      [clusterId, most, now, new Date(now.getTime() - CLAIM_MS)],
    );
    return rows.map((row) => row.subject);
  }

  async release(clusterId: string, subjects: readonly string[]): Promise<void> {
    await this.pool.query(
      'update fleet.deferred_intent set asked_at = null where cluster_id = $1 and subject = any ($2)',
      [clusterId, subjects],
    );
  }

  async settle(clusterId: string, subjects: readonly string[]): Promise<void> {
    await this.pool.query(
      'delete from fleet.deferred_intent where cluster_id = $1 and subject = any ($2) and asked_at is not null',
      [clusterId, subjects],
    );
  }

  private async count(clusterId: string): Promise<{ here: number }> {
    const at = this.clock.now();
    const known = this.counted.get(clusterId);
    if (known && Math.abs(at - known.at) < COUNTED_FOR_MS) return known;
    const { rows } = await this.pool.query<{ here: number }>(
      'select count(*)::integer as here from fleet.deferred_intent where cluster_id = $1',
      [clusterId],
    );
    const now = { at, here: rows[0]?.here ?? 0 };
    this.counted.delete(clusterId);
    this.counted.set(clusterId, now);
    if (this.counted.size > REMEMBERED) this.counted.delete(this.counted.keys().next().value!);
    return now;
  }

  private now(): Date {
    return new Date(this.clock.now());
  }
}

/** What is too much to be remembered one by one is in the cluster's inventory. */
export function withinBounds(subjects: readonly string[], here: number): readonly string[] {
  const room = Math.max(0, MAX_DEFERRED - here);
  const unique = [...new Set(subjects)];
  return unique.length <= room ? unique : [...new Set([...unique.slice(0, room), INVENTORY])];
}
