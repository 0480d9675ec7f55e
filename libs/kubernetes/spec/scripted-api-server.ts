import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SystemClock } from '#libs/runtime';
import { Connection } from '../src/api/connection.ts';
import { KubernetesApi } from '../src/api/kubernetes-api.ts';
import { plainAccess } from '../src/api/plain-access.ts';

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly response: ServerResponse;
}

/** For specs: an HTTP server whose answers are written by the test, and an API client that believes it is an API server. */
export class ScriptedApiServer {
  readonly requests: ScriptedRequest[] = [];
  private readonly server: Server;
  private api_: KubernetesApi | undefined;

  constructor(answer: (request: ScriptedRequest) => void) {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const url = new URL(request.url ?? '/', 'http://x');
        const seen = {
          method: request.method ?? '',
          path: url.pathname,
          query: url.searchParams,
          headers: request.headers,
          body: Buffer.concat(chunks).toString('utf8'),
          response,
        };
        this.requests.push(seen);
        answer(seen);
      });
    });
  }

  async start(): Promise<KubernetesApi> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const access = plainAccess({
      cluster: { server: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}` },
      user: { token: 'canary-token' },
      folder: '.',
    })!;
    this.api_ = new KubernetesApi({ connection: new Connection(access), clock: new SystemClock(), qps: 1_000 });
    return this.api_;
  }

  async stop(): Promise<void> {
    await this.api_?.close();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
