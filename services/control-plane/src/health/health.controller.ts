import type { AsideItem } from '#libs/observability';
import { Controller, Get, Header, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { OwnAuthentication } from '../http/admin.guard.ts';
import { AnyQuery } from '../http/request.guard.ts';
import { FleetMetrics } from './fleet-metrics.ts';
import { Readiness, type Check } from './readiness.ts';

@ApiTags('health')
@AnyQuery()
@Controller()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly fleetMetrics: FleetMetrics,
  ) {}

  @Get('health/live')
  @OwnAuthentication()
  @ApiOperation({ summary: 'The process runs', operationId: 'live' })
  @ApiResponse({ status: 200, description: 'Always, while it answers at all.' })
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  @Get('health/ready')
  @OwnAuthentication()
  @ApiOperation({ summary: 'The process can do its work', operationId: 'ready' })
  @ApiResponse({ status: 200, description: 'It can. `setAside`: items that fail while the others go on.' })
  @ApiResponse({ status: 503, description: 'It cannot; the checks say why.' })
  async ready(
    @Res({ passthrough: true }) response: Response,
  ): Promise<{ status: 'ready' | 'not-ready'; checks: readonly Check[]; setAside: readonly AsideItem[] }> {
    const checks = await this.readiness.checks();
    const ok = checks.every((check) => check.ok);
    response.status(ok ? 200 : 503);
    return { status: ok ? 'ready' : 'not-ready', checks, setAside: this.readiness.setAside() };
  }

  @Get('metrics')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Metrics in the text format of Prometheus', operationId: 'metrics' })
  @ApiResponse({ status: 200, description: 'Text.' })
  async metrics(@Res() response: Response): Promise<void> {
    const { text, contentType } = await this.fleetMetrics.read();
    response.type(contentType).send(text);
  }
}
