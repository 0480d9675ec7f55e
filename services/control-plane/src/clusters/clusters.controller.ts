import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { clusterStreamId } from '#libs/domain';
import { GetStreamHistory, HistoryPage } from '../container-groups/get-history.ts';
import { IF_MATCH_HEADER, notModified, stateNotStated, statedTag } from '../http/etag.ts';
import { IDEMPOTENCY_HEADER } from '../http/idempotency.ts';
import { PageQuery } from '../answers/page.ts';
import { Actor } from '../operators/actor.ts';
import { ReasonQuery } from '../operators/reason.ts';
import { clusterTag, ClusterView, JoinTokenView, RegisteredCluster } from './cluster-view.ts';
import {
  ClusterFilter,
  ClusterPage,
  GetCluster,
  IssueJoinToken,
  ListClusters,
  RegisterCluster,
  RotateAgentKey,
  UnregisterCluster,
} from './clusters.ts';
import { RegisterClusterBody, type JoinToken } from './registration.ts';

@ApiTags('clusters')
@Controller('api/v1/clusters')
export class ClustersController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @ApiOperation({ summary: 'List clusters', operationId: 'listClusters' })
  @ApiResponse({ status: 200, description: 'By id.', standardSchema: ClusterPage })
  list(@Query({ schema: ClusterFilter }) filter: ClusterFilter): Promise<ClusterPage> {
    return this.queries.execute(new ListClusters(filter));
  }

  @Get(':id')
  @ApiOperation({ summary: 'One cluster', operationId: 'getCluster' })
  @ApiResponse({ status: 200, description: 'The cluster and its session.', standardSchema: ClusterView })
  async get(
    @Param('id') id: string,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ClusterView | undefined> {
    const cluster = await this.queries.execute(new GetCluster(id));
    return notModified(response, clusterTag(cluster), ifNoneMatch) ? undefined : cluster;
  }

  @Get(':id/history')
  @ApiOperation({
    summary: 'What was done to a cluster, by whom and why, oldest first',
    operationId: 'getClusterHistory',
  })
  @ApiResponse({ status: 200, description: 'With time, actor and reason of each.', standardSchema: HistoryPage })
  history(@Param('id') id: string, @Query({ schema: PageQuery }) page: typeof PageQuery._output): Promise<HistoryPage> {
    return this.queries.execute(new GetStreamHistory(clusterStreamId(id), page));
  }

  @Post()
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiOperation({ summary: 'Register a cluster', operationId: 'registerCluster' })
  @ApiResponse({
    status: 201,
    description: "Registered; the join token is the agent's, good once and for an hour.",
    standardSchema: RegisteredCluster,
  })
  register(
    @Body({ schema: RegisterClusterBody }) { reason, ...body }: RegisterClusterBody,
    @Actor() actor: string,
  ): Promise<RegisteredCluster> {
    return this.commands.execute(new RegisterCluster(body, { actor, reason }));
  }

  @Post(':id/join-token')
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiOperation({ summary: 'A new join token; one that was not used yet ends', operationId: 'issueJoinToken' })
  @ApiResponse({ status: 201, description: 'Shown once.', standardSchema: JoinTokenView })
  joinToken(
    @Param('id') id: string,
    @Query({ schema: ReasonQuery }) { reason }: ReasonQuery,
    @Actor() actor: string,
  ): Promise<JoinToken> {
    return this.commands.execute(new IssueJoinToken(id, { actor, reason }));
  }

  @Post(':id/rotate-key')
  @ApiHeader({ ...IF_MATCH_HEADER, required: true })
  @ApiOperation({
    summary: "Take the agent's key away: its session, tokens, rights and keys end at once, and it joins with a new key",
    operationId: 'rotateAgentKey',
  })
  @ApiResponse({
    status: 201,
    description: 'Done; the token is for a new key of the agent. Pods go on running.',
    standardSchema: JoinTokenView,
  })
  @ApiResponse({ status: 412, description: 'It is another registration, or has joined since; nothing was done.' })
  @ApiResponse({ status: 428, description: 'Without `If-Match`; nothing was done.' })
  rotateKey(
    @Param('id') id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Query({ schema: ReasonQuery }) { reason }: ReasonQuery,
    @Actor() actor: string,
  ): Promise<JoinToken> {
    return this.commands.execute(new RotateAgentKey(id, statedState(id, ifMatch), { actor, reason }));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiHeader({ ...IF_MATCH_HEADER, required: true })
  @ApiOperation({
    summary: "Unregister a cluster: its agent's session, tokens, rights and keys end at once",
    operationId: 'unregisterCluster',
  })
  @ApiResponse({ status: 204, description: 'Done. Its container groups and their history stay.' })
  @ApiResponse({ status: 412, description: 'It is another registration, or has joined since; nothing was done.' })
  @ApiResponse({ status: 428, description: 'Without `If-Match`; nothing was done.' })
  async unregister(
    @Param('id') id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Query({ schema: ReasonQuery }) { reason }: ReasonQuery,
    @Actor() actor: string,
  ): Promise<void> {
    await this.commands.execute(new UnregisterCluster(id, statedState(id, ifMatch), { actor, reason }));
  }
}

function statedState(id: string, ifMatch: string | undefined): string {
  const stated = statedTag(ifMatch);
  if (stated === undefined) throw stateNotStated(`GET /api/v1/clusters/${encodeURIComponent(id)}`);
  return stated;
}
