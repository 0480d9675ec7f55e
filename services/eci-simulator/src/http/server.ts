import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { basicPassword, bearerToken, isFromHere, type Token } from '#libs/callers';
import type { Logger } from '#libs/observability';
import type { Reply, WireRequest } from '../core/reply.ts';
import { WireError } from '../core/wire-error.ts';
import type { RunningCloud } from '../running-cloud.ts';
import { controlApi } from './control.ts';
import type { ControlAnswer } from './control-route.ts';
import { deliver, sendJson } from './deliver.ts';
import { Nonces } from './nonces.ts';
import { verify } from './signature.ts';
import { wireParameters } from './wire-parameters.ts';

/** All parameters of an action travel in the URL, files included: Node's own 16 KB would refuse real requests. */
const MAX_HEADER_BYTES = 8 * 1024 * 1024;
const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** Clients keep sockets; one that the server closes early costs the next call. */
const KEEP_ALIVE_MS = 75_000;

interface Door {
  /** Of the control API. */
  readonly token: Token;
  /** Whether only this machine reaches the server: then its names are known, and others are refused. */
  readonly loopback: boolean;
}

/** The wire API on `/`, the control API under `/control/v1`. No page in a browser has an answer of either. */
export function simulatorServer(running: RunningCloud, logger: Logger, door: Door): Server {
  const nonces = new Nonces();
  const control = controlApi(running);
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true },
    (request, response) => {
      const url = request.url ?? '/';
      const queryAt = url.indexOf('?');
      const path = queryAt < 0 ? url : url.slice(0, queryAt);
      const query = queryAt < 0 ? '' : url.slice(queryAt + 1);
      const refusal = refusalOf(request, path, door);
      if (refusal) {
        // For browsers, which show a URL with a password only after they were asked for it.
        if (refusal.status === 401) response.setHeader('www-authenticate', 'Basic realm="ECI simulator"');
        return sendJson(response, refusal.status, { message: refusal.message });
      }
      const work =
        path === '/'
          ? answerWire(running, nonces, request, response, query)
          : path.startsWith('/control/v1')
            ? answerControl(control, request, response, path, query)
            : Promise.resolve(
                sendJson(response, 404, { message: 'The wire API is at /, the control API at /control/v1.' }),
              );
      work.catch((error: unknown) => {
        // A caller that left in the middle of its request is no failure of ours.
        if (request.destroyed && !request.complete) return;
        // The URL holds every parameter of an action, so it stays out of the log.
        logger.error('a request failed inside the simulator', { path, error });
        if (!response.headersSent) sendJson(response, 500, { Code: 'InternalError', Message: 'The simulator failed.' });
        else response.destroy();
      });
    },
  );
  server.headersTimeout = KEEP_ALIVE_MS + 5_000;
  return server;
}

function refusalOf(
  { headers }: IncomingMessage,
  path: string,
  { token, loopback }: Door,
): { readonly status: number; readonly message: string } | undefined {
  if (loopback ? !isFromHere(headers) : headers.origin !== undefined)
    return {
      status: 403,
      message: 'The simulator answers no pages: call it by 127.0.0.1 or localhost, without Origin.',
    };
  if (!path.startsWith('/control/')) return undefined;
  const given = bearerToken(headers) ?? basicPassword(headers);
  return given !== undefined && token.equals(given)
    ? undefined
    : { status: 401, message: 'Send the token of the control API as `Authorization: Bearer <token>`.' };
}

async function answerWire(
  running: RunningCloud,
  nonces: Nonces,
  request: IncomingMessage,
  response: ServerResponse,
  query: string,
): Promise<void> {
  const body = await readBody(request);
  const header = (name: string): string => String(request.headers[name] ?? '');
  let parameters = new Map<string, string>();
  let wire: WireRequest = { account: '', action: header('x-acs-action'), version: header('x-acs-version'), parameters };
  try {
    if (request.method !== 'POST' && request.method !== 'GET')
      throw new WireError('UnsupportedHTTPMethod', 400, `The method ${request.method} is not supported.`);
    const signedQuery = decoded(() => wireParameters(query, '', ''));
    // The SDK sends everything in the query: then there is nothing else to read.
    parameters =
      body.length === 0
        ? signedQuery
        : decoded(() => wireParameters(query, body.toString('utf8'), header('content-type')));
    wire = {
      account: 'demo',
      action: header('x-acs-action') || (parameters.get('Action') ?? ''),
      version: header('x-acs-version') || (parameters.get('Version') ?? ''),
      parameters,
    };
    if (running.cloud.settings.signatures === 'verify') {
      const account = verify(
        { method: request.method, query: signedQuery, headers: request.headers, body },
        running.credentials,
        nonces,
        Date.now(),
      );
      wire = { ...wire, account };
    } else {
      const accessKeyId = /Credential=([^,]+)/.exec(header('authorization'))?.[1] ?? '';
      wire = { ...wire, account: running.credentials.get(accessKeyId)?.accountId ?? 'demo' };
    }
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return deliver(response, running.refuse(wire, error));
  }
  const { cloud } = running;
  const call = cloud.receive(wire, running.now());
  if (call.holdMs > 0) await sleep(call.holdMs);
  let reply: Reply;
  try {
    reply = await running.perform(cloud, call);
    if (reply.delayMs > 0) await sleep(reply.delayMs);
  } finally {
    cloud.settle(call);
  }
  await deliver(response, reply);
}

function decoded<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw new WireError('InvalidParameter', 400, 'The parameters are not rightly percent-encoded.');
  }
}

async function answerControl(
  control: (method: string, path: string, query: URLSearchParams, body: unknown) => Promise<ControlAnswer>,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: string,
): Promise<void> {
  const text = (await readBody(request)).toString('utf8');
  let body: unknown;
  try {
    body = text === '' ? undefined : JSON.parse(text);
  } catch {
    return sendJson(response, 400, { message: 'The body is no JSON.' });
  }
  const { status, body: answer } = await control(request.method ?? 'GET', path, new URLSearchParams(query), body);
  sendJson(response, status, answer);
}

const NOTHING = Buffer.alloc(0);

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (encoding === undefined && (length === undefined || length === '0')) {
    request.resume();
    return NOTHING;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error('The body is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
