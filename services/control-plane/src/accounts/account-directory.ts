import type { Pool } from 'pg';
import type { EciAccount } from '#libs/eci';
import type { EffectQueue } from '#libs/event-store';
import type { Clock } from '#libs/runtime';
import { conflict } from '../http/problem.ts';
import {
  AccountSettings,
  bucketOf,
  laneBucketOf,
  LANE_ACTIONS,
  laneOf,
  type CredentialReference,
  type Quotas,
} from './account-settings.ts';
import type { Credentials } from './credential.ts';

export interface AccountRow {
  readonly id: string;
  readonly name: string;
  readonly credential: CredentialReference;
  readonly regions: readonly string[];
  readonly endpoint: string | null;
  readonly quotas: Quotas;
  readonly source: 'configuration' | 'api';
  readonly auth_state: 'untried' | 'accepted' | 'refused';
  readonly auth_message: string | null;
  readonly auth_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const CACHE_MS = 5_000;
/** The same word of the cloud is written down again after this, so that people see how fresh it is. */
const AUTH_REFRESH_MS = 60_000;

/** Cloud accounts: who pays, with which key, where, and how fast. Accounts of the configuration win over those of the API. */
export class AccountDirectory {
  private readonly pool: Pool;
  private readonly clock: Clock;
  private readonly effects: EffectQueue;
  private readonly credentials: Credentials;
  private readonly endpoint: string | undefined;
  private readonly cache = new Map<
    string,
    { readonly readAt: number; readonly text: string; readonly account: EciAccount | undefined }
  >();
  private readonly lanes = new Set<string>();
  private readonly auth = new Map<string, { readonly state: string; readonly at: number }>();

  constructor(parts: {
    readonly pool: Pool;
    readonly clock: Clock;
    readonly effects: EffectQueue;
    readonly credentials: Credentials;
    /** Instead of every account's own endpoint. */
    readonly endpoint?: string;
  }) {
    this.pool = parts.pool;
    this.clock = parts.clock;
    this.effects = parts.effects;
    this.credentials = parts.credentials;
    this.endpoint = parts.endpoint;
  }

  /** Writes the accounts of the configuration, and the quota of every lane that is known. Accounts that left the configuration stay: clusters and history name them. */
  async configure(accounts: readonly AccountSettings[]): Promise<void> {
    for (const settings of accounts) {
      await this.pool.query(
        `insert into fleet.account as a (id, name, credential, regions, endpoint, quotas, source, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, 'configuration', $7, $7)
         on conflict (id) do update set name = excluded.name, credential = excluded.credential, regions = excluded.regions,
           endpoint = excluded.endpoint, quotas = excluded.quotas, source = excluded.source, updated_at = excluded.updated_at
         where (a.name, a.credential, a.regions, a.endpoint, a.quotas, a.source)
           is distinct from (excluded.name, excluded.credential, excluded.regions, excluded.endpoint, excluded.quotas, excluded.source)`,
        this.columns(settings),
      );
    }
    this.cache.clear();
    for (const row of await this.all()) for (const region of row.regions) await this.ensureLanes(row.id, region);
  }

  /** Adds an account; its key is tried by the first call that needs it. */
  async add(settings: AccountSettings): Promise<AccountRow> {
    const { rows } = await this.pool.query<AccountRow>(
      `insert into fleet.account (id, name, credential, regions, endpoint, quotas, source, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, 'api', $7, $7) on conflict (id) do nothing returning *`,
      this.columns(settings),
    );
    const [row] = rows;
    if (row === undefined) throw conflict(`there is an account ${settings.id} already`);
    this.cache.delete(settings.id);
    for (const region of settings.regions) await this.ensureLanes(settings.id, region);
    return row;
  }

  /** The account as the cloud's client needs it; the same object for as long as nothing changed. */
  async find(accountId: string): Promise<EciAccount | undefined> {
    const known = this.cache.get(accountId);
    if (known && this.clock.now() - known.readAt < CACHE_MS) return known.account;
    const { rows } = await this.pool.query<AccountRow>('select * from fleet.account where id = $1', [accountId]);
    const [row] = rows;
    const text = JSON.stringify(row && [row.credential, row.regions, row.endpoint]);
    const account = known?.text === text ? known.account : row && this.accountOf(row);
    this.cache.set(accountId, { readAt: this.clock.now(), text, account });
    return account;
  }

  /** Sets the quota of an account's lanes in a region, once; call it before work is put into a lane. */
  async ensureLanes(accountId: string, region: string): Promise<void> {
    const key = `${accountId}/${region}`;
    if (this.lanes.has(key)) return;
    const { rows } = await this.pool.query<Pick<AccountRow, 'quotas'>>(
      'select quotas from fleet.account where id = $1',
      [accountId],
    );
    const [row] = rows;
    if (row === undefined) return;
    for (const action of LANE_ACTIONS)
      await this.effects.configureLane(laneOf(accountId, region, action), laneBucketOf(bucketOf(action, row.quotas)));
    this.lanes.add(key);
  }

  async all(): Promise<readonly AccountRow[]> {
    const { rows } = await this.pool.query<AccountRow>('select * from fleet.account order by id');
    return rows;
  }

  /** What the cloud said to the account's key. `message` must hold no secret. */
  async recordAuth(accountId: string, state: 'accepted' | 'refused', message?: string): Promise<void> {
    const now = this.clock.now();
    const last = this.auth.get(accountId);
    if (last?.state === state && now - last.at < AUTH_REFRESH_MS) return;
    this.auth.set(accountId, { state, at: now });
    await this.pool.query('update fleet.account set auth_state = $2, auth_message = $3, auth_at = $4 where id = $1', [
      accountId,
      state,
      message ?? null,
      new Date(now),
    ]);
  }

  private accountOf(row: AccountRow): EciAccount {
    const endpoint = this.endpoint ?? row.endpoint ?? undefined;
    return {
      id: row.id,
      regions: row.regions,
      credential: () => this.credentials.read(row.credential),
      ...(endpoint === undefined ? {} : { endpoint }),
    };
  }

  private columns(settings: AccountSettings): unknown[] {
    return [
      settings.id,
      settings.name ?? settings.id,
      JSON.stringify(settings.credential),
      settings.regions,
      settings.endpoint ?? null,
      JSON.stringify(settings.quotas ?? {}),
      new Date(this.clock.now()),
    ];
  }
}
