import type { Pool } from 'pg';
import type { OrphanFacts, OrphanId, OrphanPhase } from '#libs/domain';
import { OrphanCases, type OrphanCase } from './ports.ts';

interface IdRow {
  readonly account_id: string;
  readonly region: string;
  readonly container_group_id: string;
}

const idOf = (row: IdRow): OrphanId => ({
  accountId: row.account_id,
  region: row.region,
  containerGroupId: row.container_group_id,
});

export class PostgresOrphanCases extends OrphanCases {
  private readonly pool: Pool;

  constructor(pool: Pool) {
    super();
    this.pool = pool;
  }

  async open({ accountId, region }: { accountId: string; region: string }): Promise<readonly OrphanCase[]> {
    const { rows } = await this.pool.query<IdRow & { readonly phase: OrphanPhase; readonly facts: OrphanFacts }>(
      `select account_id, region, container_group_id, phase, facts from fleet.orphan_case
        where account_id = $1 and region = $2 and ended_at is null order by container_group_id`,
      [accountId, region],
    );
    return rows.map((row) => ({ ...idOf(row), phase: row.phase, facts: row.facts }));
  }

  async overdue(afterMs: number, limit: number): Promise<readonly OrphanId[]> {
    const { rows } = await this.pool.query<IdRow>(
      `select account_id, region, container_group_id from fleet.orphan_case
        where ended_at is null and phase = 'quarantined' and quarantined_at <= (select es.now()) - make_interval(secs => $1 / 1000.0)
        order by quarantined_at limit $2`,
      [afterMs, limit],
    );
    return rows.map(idOf);
  }
}
