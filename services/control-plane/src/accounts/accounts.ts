import { CommandHandler, Query, QueryHandler, type ICommandHandler, type IQueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { idPosition, PageCursor, pageOf, type PageQuery } from '../answers/page.ts';
import { notFound } from '../answers/refusal.ts';
import { AccountDesk } from './account-desk.ts';
import { AccountDirectory } from './account-directory.ts';
import { WHAT_TO_CHANGE, type AccountRow } from './account-row.ts';
import { ActingCommand } from '../operators/acting-command.ts';
import type { Acting } from '../operators/acting.ts';
import { bucketOf, LANE_ACTIONS, type AccountSettings, type CredentialChange } from './account-settings.ts';
import { CredentialName, OldReference } from './credential-sources.ts';

const CURSOR = new PageCursor('accounts', z.tuple([idPosition]));

export const AccountView = z
  .object({
    id: z.string(),
    name: z.string(),
    /** Name of a credential of the configuration. Accounts of before 0.3.0 may still say where their key is. */
    credential: z.union([CredentialName, OldReference]).optional(),
    regions: z.array(z.string()),
    endpoint: z.string().optional(),
    /** What should be changed about it, when it is set up in a way that is not accepted any more. */
    change: z.array(z.string()).optional(),
    /** Calls that the cloud grants in each region. */
    quotas: z.record(z.string(), z.object({ perMinute: z.number(), burst: z.number() })),
    source: z.enum(['configuration', 'api']),
    /** What the cloud said last to its key. */
    auth: z.object({
      state: z.enum(['untried', 'accepted', 'refused']),
      message: z.string().optional(),
      at: z.iso.datetime().optional(),
    }),
  })
  .meta({ id: 'Account' });
export type AccountView = z.infer<typeof AccountView>;

export const AccountPage = z
  .object({ items: z.array(AccountView), nextCursor: z.string().optional() })
  .meta({ id: 'AccountPage' });
export type AccountPage = z.infer<typeof AccountPage>;

export class ListAccounts extends Query<AccountPage> {
  readonly page: z.infer<typeof PageQuery>;

  constructor(page: z.infer<typeof PageQuery>) {
    super();
    this.page = page;
  }
}

@QueryHandler(ListAccounts)
export class ListAccountsHandler implements IQueryHandler<ListAccounts> {
  constructor(private readonly directory: AccountDirectory) {}

  async execute({ page: { limit, cursor } }: ListAccounts): Promise<AccountPage> {
    const after = cursor === undefined ? '' : CURSOR.decode(cursor)[0];
    const rows = (await this.directory.all()).filter((row) => row.id > after);
    const page = pageOf(
      rows,
      limit,
      (row) => accountView(row, this.directory),
      (row) => CURSOR.encode([row.id]),
    );
    return { ...page, items: [...page.items] };
  }
}

export class GetAccount extends Query<AccountView> {
  readonly id: string;

  constructor(id: string) {
    super();
    this.id = id;
  }
}

@QueryHandler(GetAccount)
export class GetAccountHandler implements IQueryHandler<GetAccount> {
  constructor(private readonly directory: AccountDirectory) {}

  async execute({ id }: GetAccount): Promise<AccountView> {
    const row = (await this.directory.all()).find((account) => account.id === id);
    if (row === undefined) throw notFound(`there is no account ${id.slice(0, 100)}`);
    return accountView(row, this.directory);
  }
}

export class AddAccount extends ActingCommand<AccountView> {
  readonly settings: AccountSettings;

  constructor(settings: AccountSettings, by: Acting) {
    super(by);
    this.settings = settings;
  }
}

@CommandHandler(AddAccount)
export class AddAccountHandler implements ICommandHandler<AddAccount> {
  constructor(
    private readonly desk: AccountDesk,
    private readonly directory: AccountDirectory,
  ) {}

  async execute({ settings, by }: AddAccount): Promise<AccountView> {
    return accountView(await this.desk.add(settings, by), this.directory);
  }
}

export class ChangeCredential extends ActingCommand<AccountView> {
  readonly id: string;
  readonly change: CredentialChange;

  constructor(id: string, change: CredentialChange, by: Acting) {
    super(by);
    this.id = id;
    this.change = change;
  }
}

@CommandHandler(ChangeCredential)
export class ChangeCredentialHandler implements ICommandHandler<ChangeCredential> {
  constructor(
    private readonly desk: AccountDesk,
    private readonly directory: AccountDirectory,
  ) {}

  async execute({ id, change, by }: ChangeCredential): Promise<AccountView> {
    return accountView(await this.desk.changeCredential(id, change, by), this.directory);
  }
}

function accountView(row: AccountRow, directory: AccountDirectory): AccountView {
  const credential = directory.credentialOf(row);
  const faults = directory.faultsOf(row);
  return {
    id: row.id,
    name: row.name,
    ...(credential === undefined ? {} : { credential }),
    regions: [...row.regions],
    ...(row.endpoint === null ? {} : { endpoint: row.endpoint }),
    ...(faults.length === 0 ? {} : { change: faults.map((fault) => WHAT_TO_CHANGE[fault]) }),
    quotas: Object.fromEntries(
      LANE_ACTIONS.map((action) => {
        const { rate, burst } = bucketOf(action, row.quotas);
        return [action, { perMinute: Math.round(rate * 60), burst }];
      }),
    ),
    source: row.source,
    auth: {
      state: row.auth_state,
      ...(row.auth_message === null ? {} : { message: row.auth_message }),
      ...(row.auth_at === null ? {} : { at: row.auth_at.toISOString() }),
    },
  };
}
