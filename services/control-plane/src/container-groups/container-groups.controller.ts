import { Controller, Get, Headers, Param, Query, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { PageQuery } from '../answers/page.ts';
import { notModified } from '../http/etag.ts';
import { ContainerGroupDetail, GetContainerGroup } from './get-container-group.ts';
import { GetHistory, HistoryPage } from './get-history.ts';
import { GetOverview, Overview } from './get-overview.ts';
import { ContainerGroupFilter, ContainerGroupPage, ListContainerGroups } from './list-container-groups.ts';
import { EventsPage, EventsQuery, ReadEvents } from './read-events.ts';

const ID = {
  name: 'id',
  description:
    '`container_group:<clusterId>:<podUid>`, `<clusterId>/<podUid>` (URL-encoded), or the id that ECI gave the group',
} as const;

@ApiTags('container groups')
@Controller('api/v1')
export class ContainerGroupsController {
  constructor(private readonly queries: QueryBus) {}

  @Get('container-groups')
  @ApiOperation({ summary: 'List container groups, newest first', operationId: 'listContainerGroups' })
  @ApiResponse({
    status: 200,
    description: 'A page; `nextCursor` is absent on the last one.',
    standardSchema: ContainerGroupPage,
  })
  list(@Query({ schema: ContainerGroupFilter }) filter: ContainerGroupFilter): Promise<ContainerGroupPage> {
    return this.queries.execute(new ListContainerGroups(filter));
  }

  @Get('container-groups/:id')
  @ApiOperation({ summary: 'One container group as it stands now', operationId: 'getContainerGroup' })
  @ApiParam(ID)
  @ApiResponse({
    status: 200,
    description: 'With an ETag that changes with every event.',
    standardSchema: ContainerGroupDetail,
  })
  @ApiResponse({ status: 304, description: 'Not changed since `If-None-Match`.' })
  async get(
    @Param('id') id: string,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ContainerGroupDetail | undefined> {
    const group = await this.queries.execute(new GetContainerGroup(id));
    // What was erased changes no version.
    const erased = group.hidden?.erasedAt === undefined ? '' : '-erased';
    return notModified(response, `"${group.version}${erased}"`, ifNoneMatch) ? undefined : group;
  }

  @Get('container-groups/:id/history')
  @ApiOperation({ summary: 'Every event of a container group, oldest first', operationId: 'getContainerGroupHistory' })
  @ApiParam(ID)
  @ApiResponse({ status: 200, description: 'With time, actor and cause of each.', standardSchema: HistoryPage })
  history(@Param('id') id: string, @Query({ schema: PageQuery }) page: typeof PageQuery._output): Promise<HistoryPage> {
    return this.queries.execute(new GetHistory(id, page));
  }

  @Get('overview')
  @ApiOperation({ summary: 'Counts by life, cluster and zone, and the newest events', operationId: 'getOverview' })
  @ApiResponse({ status: 200, description: 'As far as the read model has come.', standardSchema: Overview })
  overview(): Promise<Overview> {
    return this.queries.execute(new GetOverview());
  }

  @Get('events')
  @ApiOperation({ summary: 'Events of the whole fleet after a cursor', operationId: 'readEvents' })
  @ApiResponse({
    status: 200,
    description: 'In the order of the log; ask again with `next`.',
    standardSchema: EventsPage,
  })
  events(@Query({ schema: EventsQuery }) query: typeof EventsQuery._output): Promise<EventsPage> {
    return this.queries.execute(new ReadEvents(query));
  }
}
