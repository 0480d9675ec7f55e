import type { AsideItem } from '#libs/observability';
import type { InsecureTransport } from '#libs/transport';
import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { OwnAuthentication } from '../http/admin.guard.ts';
import { Operators } from '../http/operators.ts';
import { AnyQuery } from '../http/request.guard.ts';
import { FleetMetrics } from './fleet-metrics.ts';
import { Readiness, type Check } from './readiness.ts';

interface ReadyStatus {
  readonly status: 'ready' | 'not-ready';
}

interface ReadyDetails extends ReadyStatus {
  readonly checks: readonly Check[];
  readonly setAside: readonly AsideItem[];
  readonly insecureTransports: readonly InsecureTransport[];
}

@ApiTags('health')
@AnyQuery()
@Controller()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly fleetMetrics: FleetMetrics,
    private readonly operators: Operators,
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
  @ApiResponse({
    status: 200,
    description:
      'It can. Whoever does not show the admin token, where there is one, is told no more than `status`. `setAside`: items that fail while the others go on. `insecureTransports`: what an exception lets leave this machine in clear or without authentication.',
  })
  @ApiResponse({ status: 503, description: 'It cannot; the checks say why.' })
  @ApiResponse({ status: 401, description: 'A wrong admin token; a probe sends none.' })
  async ready(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ReadyStatus | ReadyDetails> {
    const toldAll = this.operators.recognises(request);
    const checks = await this.readiness.checks();
    const ok = checks.every((check) => check.ok);
    response.status(ok ? 200 : 503);
    const status = ok ? 'ready' : 'not-ready';
    const { insecureTransports } = this.readiness;
    return toldAll ? { status, checks, setAside: this.readiness.setAside(), insecureTransports } : { status };
  }

  @Get('metrics')
  @ApiOperation({ summary: 'Metrics in the text format of Prometheus', operationId: 'metrics' })
  @ApiResponse({ status: 200, description: 'Text.' })
  async metrics(@Res() response: Response): Promise<void> {
    const { text, contentType } = await this.fleetMetrics.read();
    response.type(contentType).send(text);
  }
}
