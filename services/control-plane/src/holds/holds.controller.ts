import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { IDEMPOTENCY_HEADER } from '../http/idempotency.ts';
import { notFound } from '../http/problem.ts';
import { HoldDesk, type Decided } from './hold-desk.ts';
import { HoldReader } from './hold-reader.ts';
import { HeldStopFilter, HeldStopPage, HoldDecided, HoldDecisionBody, HoldsList } from './hold-view.ts';

@ApiTags('holds')
@Controller('api/v1/holds')
export class HoldsController {
  constructor(
    private readonly reader: HoldReader,
    private readonly desk: HoldDesk,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Clusters whose stops wait for an operator', operationId: 'listHolds' })
  @ApiResponse({ status: 200, description: 'Empty when nothing waits.', standardSchema: HoldsList })
  list(): Promise<HoldsList> {
    return this.reader.list();
  }

  @Get(':cluster')
  @ApiOperation({ summary: 'Held stops of one cluster, the longest held first', operationId: 'listHeldStops' })
  @ApiResponse({ status: 200, description: 'Who waits, why and since when.', standardSchema: HeldStopPage })
  stops(
    @Param('cluster') cluster: string,
    @Query({ schema: HeldStopFilter }) page: HeldStopFilter,
  ): Promise<HeldStopPage> {
    return this.reader.stops(cluster, page);
  }

  @Post(':cluster/release')
  @HttpCode(202)
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiOperation({ summary: 'Let held stops happen: all of a cluster, or those named', operationId: 'releaseHold' })
  @ApiResponse({ status: 202, description: 'Decided; carried out at the quota.', standardSchema: HoldDecided })
  release(@Param('cluster') cluster: string, @Body({ schema: HoldDecisionBody }) body: HoldDecisionBody) {
    return this.decide(cluster, 'release', body);
  }

  @Post(':cluster/deny')
  @HttpCode(202)
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiOperation({ summary: 'Keep pods running whose stops are held', operationId: 'denyHold' })
  @ApiResponse({ status: 202, description: 'They stay listed until they are released.', standardSchema: HoldDecided })
  deny(@Param('cluster') cluster: string, @Body({ schema: HoldDecisionBody }) body: HoldDecisionBody) {
    return this.decide(cluster, 'deny', body);
  }

  private async decide(
    clusterId: string,
    verdict: 'release' | 'deny',
    { only, by, reason }: HoldDecisionBody,
  ): Promise<Decided> {
    const decided = await this.desk.decide({
      clusterId,
      verdict,
      by,
      ...(only === undefined ? {} : { only }),
      ...(reason === undefined ? {} : { reason }),
    });
    if (decided.stops === 0 && decided.ended === undefined)
      throw notFound(
        `nothing that could be ${verdict === 'deny' ? 'denied' : 'released'} is held in ${clusterId.slice(0, 100)}`,
      );
    return decided;
  }
}
