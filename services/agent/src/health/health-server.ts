import 'reflect-metadata';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { isFromHere, isLoopback } from '#libs/callers';
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

/** Serves `/healthz` and `/metrics`; on loopback for this machine's programs alone, and no page that a browser shows. Resolves when it listens. */
export async function serveHealth(
  health: AgentHealth,
  host: string,
  port: number,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const app = await NestFactory.create<NestExpressApplication>(HealthModule.of(health), {
    logger: false,
    abortOnError: false,
  });
  if (isLoopback(host))
    app.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
      if (isFromHere(request.headers)) return next();
      response
        .writeHead(403, { 'content-type': 'text/plain' })
        .end('call it by 127.0.0.1 or localhost, without Origin');
    });
  await app.listen(port, host);
  const address = (app.getHttpServer() as { address(): AddressInfo }).address();
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    stop: () => app.close(),
  };
}
