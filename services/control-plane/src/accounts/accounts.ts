import { Command, CommandHandler, Query, QueryHandler, type ICommandHandler, type IQueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { idPosition, PageCursor, pageOf, type PageQuery } from '../http/page.ts';
import { notFound } from '../http/problem.ts';
import { AccountDirectory, type AccountRow } from './account-directory.ts';
import { bucketOf, CredentialReference, LANE_ACTIONS, type AccountSettings } from './account-settings.ts';

const CURSOR = new PageCursor('accounts', z.tuple([idPosition]));

export const AccountView = z
  .object({
    id: z.string(),
    name: z.string(),
    credential: CredentialReference,
    regions: z.array(z.string()),
    endpoint: z.string().optional(),
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
    const page = pageOf(rows, limit, accountView, (row) => CURSOR.encode([row.id]));
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
    return accountView(row);
  }
}

export class AddAccount extends Command<AccountView> {
  readonly settings: AccountSettings;

  constructor(settings: AccountSettings) {
    super();
    this.settings = settings;
  }
}

@CommandHandler(AddAccount)
export class AddAccountHandler implements ICommandHandler<AddAccount> {
  constructor(private readonly directory: AccountDirectory) {}

  async execute({ settings }: AddAccount): Promise<AccountView> {
    return accountView(await this.directory.add(settings));
  }
}

function accountView(row: AccountRow): AccountView {
  return {
    id: row.id,
    name: row.name,
    credential: row.credential,
    regions: [...row.regions],
    ...(row.endpoint === null ? {} : { endpoint: row.endpoint }),
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
