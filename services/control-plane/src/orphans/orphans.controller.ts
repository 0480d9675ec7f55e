import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiHeader, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { IF_MATCH_HEADER, notModified, stateNotStated, statedTag } from '../http/etag.ts';
import { IDEMPOTENCY_HEADER } from '../http/idempotency.ts';
import { Actor } from '../operators/actor.ts';
import { KeepOrphan, RequestOrphanRemoval } from './decide.ts';
import { OrphanReader } from './orphan-reader.ts';
import { KeepOrphanBody, OrphanFilter, OrphanPage, OrphanView, RemoveOrphanBody } from './orphan-view.ts';

const ID = {
  name: 'id',
  description: '`<account>/<region>/<containerGroupId>` (URL-encoded), or the id that ECI gave the group',
} as const;

@ApiTags('orphans')
@Controller('api/v1/orphans')
export class OrphansController {
  constructor(
    private readonly reader: OrphanReader,
    private readonly commands: CommandBus,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Container groups with our tag that belong to no stream', operationId: 'listOrphans' })
  @ApiResponse({
    status: 200,
    description: 'Those that are open, unless a state is asked for.',
    standardSchema: OrphanPage,
  })
  list(@Query({ schema: OrphanFilter }) filter: OrphanFilter): Promise<OrphanPage> {
    return this.reader.page(filter);
  }

  @Get(':id')
  @ApiParam(ID)
  @ApiOperation({ summary: 'One orphan', operationId: 'getOrphan' })
  @ApiResponse({ status: 200, description: 'As it was seen last, and what was decided.', standardSchema: OrphanView })
  async get(
    @Param('id') id: string,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<OrphanView | undefined> {
    const orphan = await this.reader.get(id);
    return notModified(response, orphan.etag, ifNoneMatch) ? undefined : orphan;
  }

  @Post(':id/remove')
  @HttpCode(202)
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiHeader({ ...IF_MATCH_HEADER, required: true })
  @ApiParam(ID)
  @ApiOperation({ summary: 'Remove an orphan', operationId: 'removeOrphan' })
  @ApiResponse({
    status: 202,
    description: 'It is deleted soon, unless it is no orphan any more by then.',
    standardSchema: OrphanView,
  })
  @ApiResponse({ status: 412, description: 'It is not as it was any more; nothing was decided.' })
  @ApiResponse({ status: 428, description: 'Without `If-Match`; nothing was decided.' })
  remove(
    @Param('id') id: string,
    @Body({ schema: RemoveOrphanBody }) { by, reason }: RemoveOrphanBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Actor() actor: string,
  ): Promise<OrphanView> {
    const stated = statedTag(ifMatch);
    if (stated === undefined) throw stateNotStated(`GET /api/v1/orphans/${encodeURIComponent(id)}`);
    return this.commands.execute(new RequestOrphanRemoval(id, { said: by, stated }, { actor, reason }));
  }

  @Post(':id/keep')
  @HttpCode(200)
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiParam(ID)
  @ApiOperation({ summary: 'Let an orphan live, and ask nobody again', operationId: 'keepOrphan' })
  @ApiResponse({ status: 200, description: 'It stays listed as kept.', standardSchema: OrphanView })
  keep(
    @Param('id') id: string,
    @Body({ schema: KeepOrphanBody }) { by, reason }: KeepOrphanBody,
    @Actor() actor: string,
  ): Promise<OrphanView> {
    return this.commands.execute(new KeepOrphan(id, { said: by, reason }, { actor, reason }));
  }
}
