import { Controller, Get, Header, Res } from '@nestjs/common';
import type { Response } from 'express';
import { AgentHealth, type HealthReport } from './agent-health.ts';

/** `/healthz` always answers 200 while the process works: a restart cures neither an absent control plane nor a superseded session. */
@Controller()
export class HealthController {
  constructor(private readonly health: AgentHealth) {}

  @Get('healthz')
  @Header('cache-control', 'no-store')
  healthz(): HealthReport {
    return this.health.report();
  }

  @Get('metrics')
  async metrics(@Res() response: Response): Promise<void> {
    response.setHeader('content-type', this.health.metricsContentType);
    response.send(await this.health.metricsText());
  }
}
