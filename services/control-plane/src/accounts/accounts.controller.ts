import { Body, Controller, Get, Headers, Param, Post, Put, Query, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { accountStreamId } from '#libs/domain';
import { GetStreamHistory, HistoryPage } from '../container-groups/get-history.ts';
import { entityTag } from '../answers/entity-tag.ts';
import { notModified } from '../http/etag.ts';
import { IDEMPOTENCY_HEADER } from '../http/idempotency.ts';
import { PageQuery } from '../answers/page.ts';
import { Actor } from '../operators/actor.ts';
import { AddAccountBody, ChangeCredentialBody } from './account-settings.ts';
import { AccountPage, AccountView, AddAccount, ChangeCredential, GetAccount, ListAccounts } from './accounts.ts';

@ApiTags('accounts')
@Controller('api/v1/accounts')
export class AccountsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @ApiOperation({ summary: 'List cloud accounts; where their keys are, never the keys', operationId: 'listAccounts' })
  @ApiResponse({ status: 200, description: 'By id.', standardSchema: AccountPage })
  list(@Query({ schema: PageQuery }) page: typeof PageQuery._output): Promise<AccountPage> {
    return this.queries.execute(new ListAccounts(page));
  }

  @Get(':id')
  @ApiOperation({ summary: 'One cloud account', operationId: 'getAccount' })
  @ApiResponse({ status: 200, description: 'The account.', standardSchema: AccountView })
  async get(
    @Param('id') id: string,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AccountView | undefined> {
    const account = await this.queries.execute(new GetAccount(id));
    return notModified(response, entityTag(account), ifNoneMatch) ? undefined : account;
  }

  @Get(':id/history')
  @ApiOperation({
    summary: 'What was done to a cloud account, by whom and why, oldest first',
    operationId: 'getAccountHistory',
  })
  @ApiResponse({ status: 200, description: 'With time, actor and reason of each.', standardSchema: HistoryPage })
  history(@Param('id') id: string, @Query({ schema: PageQuery }) page: typeof PageQuery._output): Promise<HistoryPage> {
    return this.queries.execute(new GetStreamHistory(accountStreamId(id), page));
  }

  @Post()
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiOperation({ summary: 'Add a cloud account by the name of its credential', operationId: 'addAccount' })
  @ApiResponse({
    status: 201,
    description: 'Added; its key is tried by the first call that needs it.',
    standardSchema: AccountView,
  })
  @ApiResponse({ status: 400, description: 'No such credential or endpoint may be used; nothing was done.' })
  add(
    @Body({ schema: AddAccountBody }) { reason, ...settings }: AddAccountBody,
    @Actor() actor: string,
  ): Promise<AccountView> {
    return this.commands.execute(new AddAccount(settings, { actor, reason }));
  }

  @Put(':id/credential')
  @ApiOperation({
    summary: 'Call a cloud account with another credential, and at which endpoint',
    operationId: 'changeCredential',
  })
  @ApiResponse({ status: 200, description: 'Every call from now on has the new key.', standardSchema: AccountView })
  @ApiResponse({
    status: 400,
    description:
      "No such credential or endpoint may be used, or its key does not see the account's groups; nothing was done.",
  })
  @ApiResponse({ status: 409, description: 'It is an account of the configuration.' })
  changeCredential(
    @Param('id') id: string,
    @Body({ schema: ChangeCredentialBody }) { reason, ...change }: ChangeCredentialBody,
    @Actor() actor: string,
  ): Promise<AccountView> {
    return this.commands.execute(new ChangeCredential(id, change, { actor, reason }));
  }
}
