import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AgentHealth } from './agent-health.ts';
import { HealthController } from './health.controller.ts';

@Module({})
class HealthModule {
  static of(health: AgentHealth): DynamicModule {
    return {
      module: HealthModule,
      controllers: [HealthController],
      providers: [{ provide: AgentHealth, useValue: health }],
    };
  }
}

/** Serves `/healthz` and `/metrics`. Resolves when it listens. */
export async function serveHealth(
  health: AgentHealth,
  host: string,
  port: number,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const app = await NestFactory.create(HealthModule.of(health), { logger: false, abortOnError: false });
  await app.listen(port, host);
  const address = (app.getHttpServer() as { address(): AddressInfo }).address();
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    stop: () => app.close(),
  };
}
