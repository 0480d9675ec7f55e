import type { Pool } from 'pg';
import { CloudAccountUnusable, isCredentialMissing, type AccessKey, type EciAccount } from '#libs/eci';
import type { EffectQueue } from '#libs/event-store';
import { errorMessage, type Logger } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import { accountFacts, type AccountChanges } from './account-changes.ts';
import type { AccountEndpoints } from './account-endpoints.ts';
import { referenceOf, type AccountFault, type AccountRow } from './account-row.ts';
import { bucketOf, laneBucketOf, LANE_ACTIONS, type AccountSettings } from './account-settings.ts';
import { laneName } from '../streams/lanes.ts';
import type { CredentialReference } from './credential-sources.ts';
import type { Credentials } from './credentials.ts';

const ACTOR = 'control-plane:configuration';

const CACHE_MS = 5_000;
/** How often an unchanged result of authentication is written again, so that people see how fresh it is. */
const AUTH_REFRESH_MS = 60_000;

/**
 * Cloud accounts: who pays, with which key, where, and how fast. Accounts of the configuration win over those of the API, and are used as the
 * configuration has them, whatever the database says.
 */
export class AccountDirectory {
  private readonly pool: Pool;
  private readonly clock: Clock;
  private readonly effects: EffectQueue;
  private readonly credentials: Credentials;
  private readonly endpoints: AccountEndpoints;
  private readonly configured: ReadonlyMap<string, AccountSettings>;
  private readonly logger: Logger;
  private readonly cache = new Map<
    string,
    { readonly readAt: number; readonly text: string; readonly account: EciAccount | CloudAccountUnusable | undefined }
  >();
  private readonly lanes = new Set<string>();
  private readonly auth = new Map<string, { readonly state: string; readonly at: number }>();

  constructor(parts: {
    readonly pool: Pool;
    readonly clock: Clock;
    readonly effects: EffectQueue;
    readonly credentials: Credentials;
    readonly endpoints: AccountEndpoints;
    readonly configured: readonly AccountSettings[];
    readonly logger: Logger;
  }) {
    this.pool = parts.pool;
    this.clock = parts.clock;
    this.effects = parts.effects;
    this.credentials = parts.credentials;
    this.endpoints = parts.endpoints;
    this.configured = new Map(parts.configured.map((settings) => [settings.id, settings]));
    this.logger = parts.logger;
  }

  /**
   * Writes the accounts of the configuration, and the quota of every lane that is known. Accounts that left the configuration stay: clusters and
   * history name them. Replicas of the version before, which may serve beside this one, go by the row and know no names: it says where the key is.
   */
  async configure(changes: AccountChanges): Promise<void> {
    for (const settings of this.configured.values()) await this.write(settings, changes);
    this.cache.clear();
    for (const row of await this.all()) {
      for (const region of row.regions) await this.ensureLanes(row.id, region);
      const faults = this.faultsOf(row);
      if (faults.length > 0)
        this.logger.warn('a cloud account is not set up as it should be; the doctor says what to do', {
          accountId: row.id,
          faults,
        });
    }
  }

  private write(settings: AccountSettings, changes: AccountChanges): Promise<void> {
    const { id } = settings;
    const credential = this.credentials.asBefore(settings.credential) ?? settings.credential;
    const columns = columnsOf({ ...settings, credential }, this.clock.now());
    return changes.inTransaction(async (client, tell) => {
      const { rows: added } = await client.query<AccountRow>(
        `insert into fleet.account (id, name, credential, regions, endpoint, quotas, source, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, 'configuration', $7, $7) on conflict (id) do nothing returning *`,
        columns,
      );
      if (added[0]) return tell(id, undefined, [{ type: 'Add', facts: accountFacts(added[0]) }], ACTOR);
      const before = await changes.hold(client, id);
      const { rows: changed } = await client.query<AccountRow>(
        `update fleet.account set name = $2, credential = $3, regions = $4, endpoint = $5, quotas = $6, source = 'configuration', updated_at = $7
          where id = $1 and (name, credential, regions, endpoint, quotas, source) is distinct from ($2, $3::jsonb, $4, $5, $6::jsonb, 'configuration')
         returning *`,
        columns,
      );
      if (changed[0]) await tell(id, before, [{ type: 'Change', facts: accountFacts(changed[0]) }], ACTOR);
    });
  }

  isConfigured(accountId: string): boolean {
    return this.configured.has(accountId);
  }

  /** The account as the cloud's client needs it; the same object for as long as nothing changed. Rejects with {@link CloudAccountUnusable} when it must not be used as it is set up. */
  async find(accountId: string): Promise<EciAccount | undefined> {
    const known = this.cache.get(accountId);
    if (known && this.clock.now() - known.readAt < CACHE_MS) return usable(known.account);
    const { rows } = await this.pool.query<AccountRow>('select * from fleet.account where id = $1', [accountId]);
    const [row] = rows;
    const text = JSON.stringify(row && [row.credential, row.regions, row.endpoint]);
    const account = known?.text === text ? known.account : row && this.accountOf(row);
    this.cache.set(accountId, { readAt: this.clock.now(), text, account });
    return usable(account);
  }

  /** What an account is called with. Undefined: nothing that could be used. */
  credentialOf(row: AccountRow): CredentialReference | undefined {
    return this.configured.get(row.id)?.credential ?? referenceOf(row);
  }

  /** What keeps an account from being set up as is accepted today; accounts of the configuration are as operators want them. */
  faultsOf(row: AccountRow): readonly AccountFault[] {
    if (this.configured.has(row.id)) return [];
    const reference = referenceOf(row);
    const faults: AccountFault[] = [];
    if (reference === undefined) faults.push('no-reference');
    else if (typeof reference !== 'string') faults.push('old-reference');
    // With an endpoint for all accounts, nobody asks for this one.
    if (this.endpoints.override === undefined && !this.endpoints.mayBeNamed(row.endpoint, row.regions))
      faults.push('endpoint-not-allowed');
    return faults;
  }

  /** How an account is called with this credential, at this endpoint or each region's own. */
  called(
    account: { readonly id: string; readonly regions: readonly string[] },
    reference: CredentialReference,
    endpoint: string | null | undefined,
  ): EciAccount {
    const where = this.endpoints.override ?? endpoint ?? undefined;
    return {
      id: account.id,
      regions: account.regions,
      credential: () => this.key(account.id, reference),
      ...(where === undefined ? {} : { endpoint: where }),
    };
  }

  /** Drops what is cached of an account that was just changed, so that the next call reads it. */
  forget(accountId: string): void {
    this.cache.delete(accountId);
    this.auth.delete(accountId);
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
      await this.effects.configureLane(
        laneName({ accountId, region, action }),
        laneBucketOf(bucketOf(action, row.quotas)),
      );
    this.lanes.add(key);
  }

  async all(): Promise<readonly AccountRow[]> {
    const { rows } = await this.pool.query<AccountRow>('select * from fleet.account order by id');
    return rows;
  }

  /** What the cloud said to the account's key. `message` is shown: our own words only. */
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

  private accountOf(row: AccountRow): EciAccount | CloudAccountUnusable {
    const configured = this.configured.get(row.id);
    if (configured) return this.called(configured, configured.credential, configured.endpoint);
    const reference = referenceOf(row);
    const mayBeUsed = this.faultsOf(row).every((fault) => fault === 'old-reference');
    // Pods show it: which of the faults it is, operators find in the API, the log and the doctor.
    if (reference === undefined || !mayBeUsed)
      return new CloudAccountUnusable(
        'set-up',
        `cloud account ${row.id} may not be used as it is set up; operators can change it`,
      );
    return this.called(row, reference, row.endpoint);
  }

  /** Answers never say which variable or file is at fault, so it is said here, to operators. */
  private async key(accountId: string, reference: CredentialReference): Promise<AccessKey> {
    try {
      return await this.credentials.read(reference);
    } catch (error) {
      const level = isCredentialMissing(error) ? 'error' : 'warn';
      this.logger[level]('the key of a cloud account cannot be read', { accountId, reason: errorMessage(error) });
      throw error;
    }
  }
}

function usable(account: EciAccount | CloudAccountUnusable | undefined): EciAccount | undefined {
  if (account instanceof CloudAccountUnusable) throw account;
  return account;
}

/** Columns of an account in the order id, name, credential, regions, endpoint, quotas, now. */
export function columnsOf(
  settings: Omit<AccountSettings, 'credential'> & { readonly credential: CredentialReference },
  now: number,
): unknown[] {
  return [
    settings.id,
    settings.name ?? settings.id,
    JSON.stringify(settings.credential),
    settings.regions,
    settings.endpoint ?? null,
    JSON.stringify(settings.quotas ?? {}),
    new Date(now),
  ];
}
