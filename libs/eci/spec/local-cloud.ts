/** For tests: an HTTP server that remembers what came and answers what it is told to. It knows nothing of the cloud. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly query: ReadonlyMap<string, string>;
}

export type Reply = (response: ServerResponse, request: IncomingMessage) => void;

export const json =
  (body: unknown, status = 200): Reply =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json;charset=utf-8' }).end(JSON.stringify(body));

export async function localCloud() {
  const seen: SeenRequest[] = [];
  const replies: Reply[] = [];
  const server = createServer({ maxHeaderSize: 1 << 20, keepAliveTimeout: 75_000 }, (request, response) => {
    seen.push({
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      query: new Map(new URL(request.url ?? '', 'http://local').searchParams),
    });
    const reply = replies.shift();
    if (reply) reply(response, request);
    else response.writeHead(500).end('{"Code":"NotScripted"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    /** Answers the next requests, one reply each. */
    will: (...next: Reply[]): void => void replies.push(...next),
    close: (): Promise<void> => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
