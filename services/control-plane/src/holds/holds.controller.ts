import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { IF_MATCH_HEADER, stateNotStated, statedTag } from '../http/etag.ts';
import { IDEMPOTENCY_HEADER } from '../http/idempotency.ts';
import { Actor } from '../operators/actor.ts';
import { DecideHold } from './decide-hold.ts';
import type { Decided } from './hold-desk.ts';
import { HoldReader } from './hold-reader.ts';
import { HeldStopFilter, HeldStopPage, HoldDecided, HoldDecisionBody, HoldsList } from './hold-view.ts';

@ApiTags('holds')
@Controller('api/v1/holds')
export class HoldsController {
  constructor(
    private readonly reader: HoldReader,
    private readonly commands: CommandBus,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Clusters whose stops wait for an operator', operationId: 'listHolds' })
  @ApiResponse({ status: 200, description: 'Empty when nothing waits.', standardSchema: HoldsList })
  list(): Promise<HoldsList> {
    return this.reader.list();
  }

  @Get(':cluster')
  @ApiOperation({ summary: 'Held stops of one cluster, the longest held first', operationId: 'listHeldStops' })
  @ApiResponse({
    status: 200,
    description:
      'Who waits, why and since when. The ETag is of all that is held, not of the page: decide with that of the first page.',
    standardSchema: HeldStopPage,
  })
  async stops(
    @Param('cluster') cluster: string,
    @Query({ schema: HeldStopFilter }) page: HeldStopFilter,
    @Res({ passthrough: true }) response: Response,
  ): Promise<HeldStopPage> {
    // Before the rows: a tag may be older than what is shown under it, never newer.
    response.setHeader('ETag', await this.reader.tag(cluster));
    return this.reader.stops(cluster, page);
  }

  @Post(':cluster/release')
  @HttpCode(202)
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiHeader({ ...IF_MATCH_HEADER, required: false })
  @ApiOperation({
    summary: 'Let held stops happen: all of a cluster, which needs `If-Match`, or those named',
    operationId: 'releaseHold',
  })
  @ApiResponse({ status: 202, description: 'Decided; carried out at the quota.', standardSchema: HoldDecided })
  @ApiResponse({ status: 412, description: 'Other stops are held by now; nothing was decided.' })
  @ApiResponse({ status: 428, description: '`all` without `If-Match`; nothing was decided.' })
  release(
    @Param('cluster') cluster: string,
    @Body({ schema: HoldDecisionBody }) body: HoldDecisionBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Actor() actor: string,
  ): Promise<Decided> {
    return this.decide(cluster, 'release', body, { ifMatch, actor });
  }

  @Post(':cluster/deny')
  @HttpCode(202)
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiHeader({ ...IF_MATCH_HEADER, required: false })
  @ApiOperation({ summary: 'Keep pods running whose stops are held', operationId: 'denyHold' })
  @ApiResponse({ status: 202, description: 'They stay listed until they are released.', standardSchema: HoldDecided })
  @ApiResponse({ status: 412, description: 'Other stops are held by now; nothing was decided.' })
  deny(
    @Param('cluster') cluster: string,
    @Body({ schema: HoldDecisionBody }) body: HoldDecisionBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Actor() actor: string,
  ): Promise<Decided> {
    return this.decide(cluster, 'deny', body, { ifMatch, actor });
  }

  private async decide(
    clusterId: string,
    verdict: 'release' | 'deny',
    { only, by, reason }: HoldDecisionBody,
    { ifMatch, actor }: { readonly ifMatch: string | undefined; readonly actor: string },
  ): Promise<Decided> {
    const stated = statedTag(ifMatch);
    // A denied stop can still be released; a released one has deleted its workload.
    if (only === undefined && verdict === 'release' && stated === undefined)
      throw stateNotStated(`GET /api/v1/holds/${encodeURIComponent(clusterId)}`);
    const tag = stated === undefined ? {} : { stated };
    const which = only === undefined ? { all: true as const, ...tag } : { only, ...tag };
    return this.commands.execute(new DecideHold({ clusterId, verdict, which, by }, { actor, reason }));
  }
}
