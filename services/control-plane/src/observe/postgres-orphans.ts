import type { Pool } from 'pg';
import type { Clock } from '#libs/runtime';
import { Orphans, type Orphan, type Scope } from './ports.ts';

export class PostgresOrphans extends Orphans {
  private readonly pool: Pool;
  private readonly clock: Clock;

  constructor(parts: { readonly pool: Pool; readonly clock: Clock }) {
    super();
    this.pool = parts.pool;
    this.clock = parts.clock;
  }

  async seen(orphan: Orphan): Promise<void> {
    const { accountId, region, containerGroupId, status, identity, createdAt } = orphan;
    await this.pool.query(
      `insert into fleet.orphan (account_id, region, container_group_id, status, cluster_id, pod_uid, namespace, name, attempt, created_at,
                                 first_seen_at, last_seen_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
       on conflict (account_id, region, container_group_id) do update set status = excluded.status, last_seen_at = excluded.last_seen_at`,
      [
        accountId,
        region,
        containerGroupId,
        status,
        identity.clusterId ?? null,
        identity.podUid ?? null,
        identity.namespace ?? null,
        identity.name ?? null,
        identity.attempt ?? null,
        createdAt !== undefined && !Number.isNaN(Date.parse(createdAt)) ? new Date(createdAt) : null,
        new Date(this.clock.now()),
      ],
    );
  }

  async keepOnly({ accountId, region }: Scope, containerGroupIds: readonly string[]): Promise<void> {
    await this.pool.query(
      'delete from fleet.orphan where account_id = $1 and region = $2 and not (container_group_id = any ($3))',
      [accountId, region, containerGroupIds],
    );
  }
}
