import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import type { ServingCertificate } from './webhook-certificate.ts';

/** Twice what the largest pod has by far: etcd takes objects of 1.5 MiB, most of them far smaller. */
export const MAX_BODY = 1024 * 1024;
/** Below the 5 s after which the API server goes on without us. */
const ANSWER_WITHIN_MS = 3_500;
const RECEIVE_WITHIN_MS = 4_000;
const CHECK_CONNECTIONS_MS = 1_000;
const MOST_CONNECTIONS = 1_024;
/** Of one address: a stranger's cannot take the place of the API server's. */
const MOST_OF_ONE_ADDRESS = 256;
const SAY_EVERY_MS = 60_000;

export interface AdmissionRequest {
  readonly uid?: string;
  readonly namespace?: string;
  readonly object?: unknown;
}

/** Whose certificate callers must show. */
interface AdmissionClients {
  /** PEM. */
  readonly ca: string;
  /** Common names that are let in; empty: all that the CA signed. */
  readonly names: readonly string[];
}

export interface AdmissionServerOptions {
  readonly host: string;
  readonly port: number;
  readonly certificate: ServingCertificate;
  readonly clients?: AdmissionClients | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly count: (outcome: string) => void;
  /** What is answered beside "allowed". */
  readonly review: (request: AdmissionRequest) => Promise<Record<string, unknown>>;
  readonly receiveWithinMs?: number;
}

/**
 * Answers `POST /mutate`, always "allowed" and in time: a webhook that refuses or is slow stops a cluster. Everybody in the cluster may reach it, so
 * what one caller can take is bounded: bodies, time to send them, connections.
 */
export class AdmissionServer {
  readonly port: number;
  private readonly options: AdmissionServerOptions;
  private readonly server: Server;
  private saidAt = -Infinity;

  private constructor(options: AdmissionServerOptions, server: Server) {
    this.options = options;
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.serve(request, response));
    server.on('error', (error) => options.logger.warn('the webhook server failed', { error }));
  }

  static async listen(options: AdmissionServerOptions): Promise<AdmissionServer> {
    const { host, port, clients, receiveWithinMs = RECEIVE_WITHIN_MS } = options;
    const server = createServer({
      ...contextOf(options.certificate, clients?.ca),
      ...(clients === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
      handshakeTimeout: receiveWithinMs,
      headersTimeout: receiveWithinMs,
      requestTimeout: receiveWithinMs,
      connectionsCheckingInterval: Math.min(CHECK_CONNECTIONS_MS, receiveWithinMs),
    });
    server.maxConnections = MOST_CONNECTIONS;
    boundConnectionsOfOneAddress(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    return new AdmissionServer(options, server);
  }

  /** Serves with another certificate, and lets in clients of another CA, from the next connection on. */
  renew(certificate: ServingCertificate, clientCa = this.options.clients?.ca): void {
    this.server.setSecureContext(contextOf(certificate, clientCa));
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = (status: number, body: unknown): void => {
      // The rest of a body that nobody reads is not waited for.
      if (!request.complete) response.setHeader('connection', 'close');
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    try {
      if (!this.isKnown(request.socket as TLSSocket)) return answer(403, { message: 'this is for the API server' });
      if (request.method !== 'POST' || request.url?.split('?')[0] !== '/mutate')
        return answer(404, { message: 'only POST /mutate' });
      const body = await readBody(request);
      if (body === undefined) {
        this.count('too-large');
        return answer(413, { message: `a review has at most ${MAX_BODY} bytes` });
      }
      const review = JSON.parse(body) as { request?: AdmissionRequest } | null;
      if (typeof review?.request?.uid !== 'string') return answer(400, { message: 'no AdmissionReview' });
      const verdict = await this.within(review.request);
      answer(200, {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid: review.request.uid, allowed: true, ...verdict },
      });
    } catch (error) {
      this.count('failed');
      this.say('an admission review was not understood', { error });
      if (!response.headersSent) answer(400, { message: 'the request cannot be read' });
    }
  }

  private isKnown(socket: TLSSocket): boolean {
    const names = this.options.clients?.names ?? [];
    if (names.length === 0) return true;
    // A name that stands twice is a list.
    const given: string | readonly string[] = socket.getPeerCertificate().subject?.CN ?? [];
    return [given].flat().some((name) => names.includes(name));
  }

  private async within(request: AdmissionRequest): Promise<Record<string, unknown>> {
    const late = new AbortController();
    try {
      return await Promise.race([
        this.options.review(request),
        this.options.clock.sleep(ANSWER_WITHIN_MS, late.signal).then(() => {
          if (late.signal.aborted) return {};
          this.count('late');
          return { warnings: ['eci-fleet: the virtual node was not considered in time'] };
        }),
      ]);
    } catch (error) {
      this.count('failed');
      this.say('a pod was not steered', { namespace: String(request.namespace ?? '').slice(0, 63), error });
      return { warnings: ['eci-fleet: the virtual node could not be considered'] };
    } finally {
      late.abort();
    }
  }

  private count(outcome: string): void {
    this.options.count(outcome);
  }

  /** Once a minute: callers, and not we, decide how often there is cause. The counter has them all. */
  private say(what: string, fields: Record<string, unknown>): void {
    const now = this.options.clock.now();
    if (now - this.saidAt < SAY_EVERY_MS) return;
    this.saidAt = now;
    this.options.logger.warn(`${what}; more are counted and said once a minute`, fields);
  }
}

function contextOf(
  { cert, key }: ServingCertificate,
  clientCa: string | undefined,
): { cert: string; key: string; ca?: string } {
  return { cert, key, ...(clientCa === undefined ? {} : { ca: clientCa }) };
}

function boundConnectionsOfOneAddress(server: Server): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (open.get(address) ?? 0) + 1;
    if (count > MOST_OF_ONE_ADDRESS) return void socket.destroy();
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}

/** Undefined: it is too large, and the rest of it was not read. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY) return undefined;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > MAX_BODY) {
        request.pause();
        resolve(undefined);
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.on('error', reject);
    request.on('close', () => reject(new Error('the caller left')));
  });
}
