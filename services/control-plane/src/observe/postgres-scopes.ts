import type { Pool } from 'pg';
import { asSqlClient, PostgresCatalogue } from '#libs/event-store';
import type { Clock } from '#libs/runtime';
import { aliasOf } from '../streams/alias.ts';
import { Scopes, type Observed, type Scope } from './ports.ts';

interface Row {
  readonly swept_at: Date | null;
  readonly listed_at: Date | null;
}

/** Leases run on the database's clock, so that replicas with different clocks agree on them. */
export class PostgresScopes extends Scopes {
  private readonly pool: Pool;
  private readonly clock: Clock;

  constructor(parts: { readonly pool: Pool; readonly clock: Clock }) {
    super();
    this.pool = parts.pool;
    this.clock = parts.clock;
  }

  async ensure(accountId: string, region: string): Promise<void> {
    await this.pool.query(
      'insert into fleet.scope (account_id, region, first_used_at) values ($1, $2, $3) on conflict do nothing',
      [accountId, region, new Date(this.clock.now())],
    );
  }

  async all(): Promise<readonly Scope[]> {
    const { rows } = await this.pool.query<{ account_id: string; region: string }>(
      'select account_id, region from fleet.scope order by account_id, region',
    );
    return rows.map((row) => ({ accountId: row.account_id, region: row.region }));
  }

  async hold({ accountId, region }: Scope, owner: string, leaseMs: number): Promise<Observed | undefined> {
    const { rows } = await this.pool.query<Row>(
      `update fleet.scope s set owner = $3, held_until = es.now() + make_interval(secs => $4 / 1000.0)
        where s.account_id = $1 and s.region = $2 and (s.owner = $3 or s.owner is null or s.held_until < (select es.now()))
       returning s.swept_at, s.listed_at`,
      [accountId, region, owner, leaseMs],
    );
    const row = rows[0];
    return (
      row && {
        ...(row.swept_at && { sweptAt: row.swept_at.getTime() }),
        ...(row.listed_at && { listedAt: row.listed_at.getTime() }),
      }
    );
  }

  async note({ accountId, region }: Scope, owner: string, { sweptAt, listedAt }: Observed): Promise<void> {
    await this.pool.query(
      `update fleet.scope set swept_at = coalesce($4, swept_at), listed_at = coalesce($5, listed_at)
        where account_id = $1 and region = $2 and owner = $3`,
      [accountId, region, owner, dateOrNull(sweptAt), dateOrNull(listedAt)],
    );
  }

  async leave({ accountId, region }: Scope, owner: string): Promise<void> {
    await this.pool.query(
      'update fleet.scope set owner = null, held_until = null where account_id = $1 and region = $2 and owner = $3',
      [accountId, region, owner],
    );
  }

  async knownGroups({ accountId, region }: Scope): Promise<ReadonlyMap<string, string>> {
    const prefix = aliasOf(accountId, region, '');
    const aliases = await new PostgresCatalogue(asSqlClient(this.pool)).openAliases(prefix);
    return new Map([...aliases].map(([alias, streamId]) => [alias.slice(prefix.length), streamId]));
  }
}

const dateOrNull = (at: number | undefined): Date | null => (at === undefined ? null : new Date(at));
