import 'reflect-metadata';
import type { Server } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { DynamicModule, LoggerService } from '@nestjs/common';
import type { HttpsOptions } from '@nestjs/common/interfaces/external/https-options.interface.js';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import { readTlsFiles } from '#libs/transport';
import type { ControlPlaneConfig } from '../config.ts';
import { limitConnections, lookEveryMs } from './connections.ts';
import { AdminGuard } from './admin.guard.ts';
import { requireStrictSchemas } from './declared.ts';
import type { IdempotencyInterceptor } from './idempotency.ts';
import type { Operators } from './operators.ts';
import { ProblemFilter } from './problem-filter.ts';
import { JSON_BODY, readableRequest } from './readable-request.ts';
import { renewCertificate, type CertificateFiles } from './renew-certificate.ts';
import { RequestGuard } from './request.guard.ts';
import { DOCS_PATH, responseHeaders } from './response-headers.ts';
import type { SignedCursors } from './signed-cursors.ts';
import type { ShedReads } from './shed-reads.ts';
import { RequestValidationPipe } from './validation.ts';

interface RunningServer {
  readonly url: string;
  /** Answers what is being answered, then closes. */
  close(): Promise<void>;
}

interface ServerOptions {
  readonly module: DynamicModule;
  readonly http: ControlPlaneConfig['http'];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly operators: Operators;
  readonly idempotency: IdempotencyInterceptor;
  readonly shedReads: ShedReads;
  readonly signedCursors: SignedCursors;
}

/** Listens; resolves with the address that was taken. Rejects when it cannot, naming the address. */
export async function startServer({
  module,
  http,
  clock,
  logger,
  metrics,
  operators,
  idempotency,
  shedReads,
  signedCursors,
}: ServerOptions): Promise<RunningServer> {
  requireStrictSchemas(module.controllers ?? []);
  const app = await NestFactory.create<NestExpressApplication>(module, {
    logger: nestLogger(logger),
    abortOnError: false,
    bodyParser: false,
    forceCloseConnections: true,
    ...(http.tls === undefined ? {} : { httpsOptions: httpsOptions(http.tls, http.requestMs) }),
  });
  if (http.tls !== undefined) renewCertificate(app.getHttpServer() as HttpsServer, http.tls, logger);
  limitConnections(app.getHttpServer() as Server, http, { clock, logger, metrics });
  app.disable('x-powered-by');
  // Entity tags are ours, or none: Express's own would make every list look cacheable.
  app.disable('etag');
  app.use(responseHeaders({ tls: http.tls !== undefined }));
  app.use(operators.guardDocs);
  app.use(readableRequest);
  app.useBodyParser('json', JSON_BODY);
  app.useGlobalGuards(new AdminGuard(operators), new RequestGuard());
  app.useGlobalPipes(new RequestValidationPipe());
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalInterceptors(shedReads, idempotency, signedCursors);
  documentApi(app, http.adminToken !== undefined);
  try {
    await app.listen(http.port, http.host);
  } catch (error) {
    await app.close();
    const code = (error as NodeJS.ErrnoException).code;
    throw new Error(
      `cannot listen on ${http.host}:${http.port} (${code ?? 'error'}): choose another HTTP_PORT, or end what listens there`,
      { cause: error },
    );
  }
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  const host = http.host.includes(':') ? `[${http.host}]` : http.host;
  return { url: `${http.tls === undefined ? 'http' : 'https'}://${host}:${port}`, close: () => app.close() };
}

/** The handshake is a part of the first request. */
function httpsOptions(files: CertificateFiles, requestMs: number): HttpsOptions {
  const options = { ...readTlsFiles(files), handshakeTimeout: requestMs - lookEveryMs(requestMs) };
  return options;
}

function documentApi(app: NestExpressApplication, secured: boolean): void {
  const builder = new DocumentBuilder()
    .setTitle('ECI Fleet')
    .setDescription(
      'Container groups of many clusters: what runs where, what happened and why. Errors are problem details (RFC 9457).',
    )
    .setVersion('1')
    .setOpenAPIVersion('3.0.3');
  if (secured)
    builder.addBearerAuth({ type: 'http', description: 'The admin token' }).addSecurityRequirements('bearer');
  SwaggerModule.setup(DOCS_PATH, app, () => SwaggerModule.createDocument(app, builder.build()));
}

/** Nest tells a start in twenty lines; only what is wrong is worth one. */
function nestLogger(logger: Logger): LoggerService {
  const words = (message: unknown): string => (message instanceof Error ? message.message : String(message));
  return {
    log: (message: unknown) => logger.debug(words(message)),
    debug: (message: unknown) => logger.debug(words(message)),
    verbose: (message: unknown) => logger.debug(words(message)),
    warn: (message: unknown) => logger.warn(words(message)),
    error: (message: unknown) => logger.error(words(message), message instanceof Error ? { error: message } : {}),
  };
}
