import type { Pool } from 'pg';
import { AlibabaEciClients, type EciAccount, type EciClients } from '#libs/eci';
import { errorMessage, type Logger } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import { conflict, notFound, Refusal } from '../answers/refusal.ts';
import { columnsOf, type AccountDirectory } from './account-directory.ts';
import type { AccountEndpoints } from './account-endpoints.ts';
import type { AccountRow } from './account-row.ts';
import { because, type Acting } from '../operators/acting.ts';
import { accountFacts, type AccountChanges } from './account-changes.ts';
import type { AccountSettings, CredentialChange } from './account-settings.ts';
import type { Credentials } from './credentials.ts';

/** Groups of a region that a new key is asked for (ECI docs: 20 ids a call). */
const GROUPS = 20;

/**
 * Takes what callers of the API ask of accounts. They choose among the names and endpoints of the configuration; whatever else they ask for is
 * refused with one and the same answer, so that nothing can be learned of files, variables and hosts by trying.
 */
export class AccountDesk {
  private readonly pool: Pool;
  private readonly changes: AccountChanges;
  private readonly clock: Clock;
  private readonly accounts: AccountDirectory;
  private readonly credentials: Credentials;
  private readonly endpoints: AccountEndpoints;
  private readonly logger: Logger;
  private readonly clientsOf: (account: EciAccount) => EciClients;

  constructor(parts: {
    readonly pool: Pool;
    readonly changes: AccountChanges;
    readonly clock: Clock;
    readonly accounts: AccountDirectory;
    readonly credentials: Credentials;
    readonly endpoints: AccountEndpoints;
    readonly logger: Logger;
    readonly clientsOf?: (account: EciAccount) => EciClients;
  }) {
    this.pool = parts.pool;
    this.changes = parts.changes;
    this.clock = parts.clock;
    this.accounts = parts.accounts;
    this.credentials = parts.credentials;
    this.endpoints = parts.endpoints;
    this.logger = parts.logger;
    this.clientsOf = parts.clientsOf ?? ((account) => new AlibabaEciClients([account]));
  }

  /** Adds an account; its key is tried by the first call that needs it. */
  async add(settings: AccountSettings, by: Acting): Promise<AccountRow> {
    await this.check(settings.id, settings, settings.regions);
    const { id } = settings;
    const added = await this.changes.inTransaction(async (client, tell) => {
      const { rows } = await client.query<AccountRow>(
        `insert into fleet.account (id, name, credential, regions, endpoint, quotas, source, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, 'api', $7, $7) on conflict (id) do nothing returning *`,
        columnsOf(settings, this.clock.now()),
      );
      const [row] = rows;
      if (row === undefined) throw conflict(`there is an account ${id} already`);
      await tell(id, undefined, [{ type: 'Add', facts: accountFacts(row), ...because(by) }], by.actor);
      return row;
    });
    this.accounts.forget(id);
    for (const region of settings.regions) await this.accounts.ensureLanes(id, region);
    return added;
  }

  /** From now on the account is called with this credential and there. A key that does not see the account's groups is refused: they would be taken for gone. */
  async changeCredential(id: string, change: CredentialChange, by: Acting): Promise<AccountRow> {
    if (this.accounts.isConfigured(id))
      throw conflict(`account ${id} is one of the configuration (FLEET_ACCOUNTS): change it there`);
    const row = (await this.accounts.all()).find((account) => account.id === id);
    if (row === undefined) throw notFound(`there is no account ${id.slice(0, 100)}`);
    await this.check(id, change, row.regions);
    const blind = await this.whyBlind(this.accounts.called(row, change.credential, change.endpoint));
    if (blind !== undefined) throw this.refused(id, change.credential, blind);
    const changed = await this.changes.inTransaction(async (client, tell) => {
      const before = await this.changes.hold(client, id);
      const { rows } = await client.query<AccountRow>(
        `update fleet.account set credential = $2, endpoint = $3, source = 'api', auth_state = 'untried', auth_message = null, auth_at = null, updated_at = $4
          where id = $1 returning *`,
        [id, JSON.stringify(change.credential), change.endpoint ?? null, new Date(this.clock.now())],
      );
      if (rows[0] === undefined) return row;
      await tell(id, before, [{ type: 'Change', facts: accountFacts(rows[0]), ...because(by) }], by.actor);
      return rows[0];
    });
    this.accounts.forget(id);
    this.logger.info('the credential of a cloud account was changed', { accountId: id, named: change.credential });
    return changed;
  }

  private async check(
    id: string,
    { credential, endpoint }: CredentialChange,
    regions: readonly string[],
  ): Promise<void> {
    if (!this.endpoints.mayBeNamed(endpoint, regions))
      throw this.refused(id, credential, "the endpoint is neither the cloud's own nor in FLEET_ACCOUNT_ENDPOINTS");
    if (!(await this.credentials.knows(credential)))
      throw this.refused(id, credential, 'no credential of this name is in FLEET_CREDENTIALS or FLEET_CREDENTIALS_DIR');
  }

  /** Why a key cannot take over the account's groups; undefined when it sees some in each region, or there are none. */
  private async whyBlind(account: EciAccount): Promise<string | undefined> {
    const { rows } = await this.pool.query<{ region: string; ids: string[] }>(
      `select region, (array_agg(container_group_id order by landed_at desc nulls last))[1:${GROUPS}] as ids from fleet.container_group
        where account_id = $1 and region is not null and container_group_id is not null and ended_at is null and not closed group by region`,
      [account.id],
    );
    const clients = this.clientsOf(account);
    for (const { region, ids } of rows) {
      try {
        const client = await clients.for(account.id, region);
        const answer = await client.describe(ids);
        if (answer.kind === 'unknown') return `${region}: ${answer.reason}`;
        if (answer.kind === 'refused') return `${region}: ${answer.code}: ${answer.message}`;
        if (answer.value.length === 0) return `${region}: it sees none of ${ids.length} groups that run`;
      } catch (error) {
        return `${region}: ${errorMessage(error)}`;
      }
    }
    return undefined;
  }

  /** Why is for operators, in the log; the caller is told what to do. */
  private refused(accountId: string, credential: string, reason: string): Refusal {
    this.logger.warn('a cloud account was not set up as asked', { accountId, named: credential, reason });
    return new Refusal(
      'account-refused',
      'nothing was done: name a credential that operators have configured, and no endpoint, one of ECI, or one that they have listed; its key must see the groups that run in the account. The log of the control plane says what it was',
    );
  }
}
