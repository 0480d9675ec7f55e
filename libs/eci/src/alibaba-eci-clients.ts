import { CloudAccountUnusable } from './account-errors.ts';
import type { AccessKey } from './access-key.ts';
import { AlibabaEciClient } from './alibaba-eci-client.ts';
import type { FileModes } from './create-fields.ts';
import { EciClients, type EciClient } from './eci.ts';
import { endpointOf } from './endpoint.ts';
import { isKnownRegion } from './regions.ts';

export interface EciAccount {
  readonly id: string;
  /** Rejects with {@link CloudAccountUnusable} where the reference leads nowhere; with anything else for a moment's trouble. */
  readonly credential: () => Promise<AccessKey>;
  /** Instead of `https://eci.<region>.aliyuncs.com`, for every region of the account; `http://…` for a simulator. */
  readonly endpoint?: string;
  /** Regions in which the account may be used; empty = any that ECI is known to have (any at all with an endpoint of its own). */
  readonly regions: readonly string[];
}

/** Clients of the accounts that `find` knows at the time of asking, so that accounts may come while the process runs. */
export class AlibabaEciClients extends EciClients {
  private readonly find: (accountId: string) => Promise<EciAccount | undefined>;
  private readonly fileModes: FileModes;
  private readonly caFile: string | undefined;
  private readonly clients = new Map<string, { readonly account: EciAccount; readonly client: EciClient }>();

  constructor(
    accounts: readonly EciAccount[] | ((accountId: string) => Promise<EciAccount | undefined>),
    options: { readonly fileModes?: FileModes; readonly caFile?: string | undefined } = {},
  ) {
    super();
    this.find =
      typeof accounts === 'function'
        ? accounts
        : (id) => Promise.resolve(accounts.find((account) => account.id === id));
    this.fileModes = options.fileModes ?? 'number';
    this.caFile = options.caFile;
  }

  /** Rejects with {@link CloudAccountUnusable} for an account that is not known or whose endpoint makes no sense, and for a region that is not its, or that nobody knows. */
  async for(accountId: string, region: string): Promise<EciClient> {
    const account = await this.find(accountId);
    if (!account) throw new CloudAccountUnusable('unknown-account', `cloud account ${accountId} is not configured`);
    if (account.regions.length > 0 && !account.regions.includes(region)) {
      throw new CloudAccountUnusable(
        'region',
        `cloud account ${accountId} is not for region ${region} (it has ${account.regions.join(', ')})`,
      );
    }
    if (account.regions.length === 0 && !account.endpoint && !isKnownRegion(region)) {
      throw new CloudAccountUnusable(
        'region',
        `ECI has no region ${region} that we know of: correct ECI_REGION or the profile's region, or name a new one in the account's regions`,
      );
    }
    const key = JSON.stringify([accountId, region]);
    const known = this.clients.get(key);
    if (known?.account === account) return known.client;
    const client = new AlibabaEciClient({
      accountId,
      region,
      endpoint: endpointOf(region, account.endpoint),
      credential: account.credential,
      fileModes: this.fileModes,
      caFile: this.caFile,
    });
    this.clients.set(key, { account, client });
    return client;
  }
}
