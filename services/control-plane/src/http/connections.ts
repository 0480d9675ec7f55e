import type { Server } from 'node:http';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import { countedAddress } from './caller-address.ts';
import { FailureLimit } from './failure-limit.ts';

/** Longer than the balancers in front of it wait, so that none sends a request on a connection that is just being closed. */
const KEEP_ALIVE_MS = 65_000;

interface ConnectionLimits {
  /** A request that has not come whole by then is not waited for. */
  readonly requestMs: number;
  /** Connections at a time, half of them of one address at most. */
  readonly connections: number;
}

/** Node looks for late requests only so often; what it waits and how often it looks make up the limit. */
export function lookEveryMs(requestMs: number): number {
  return Math.min(5_000, Math.ceil(requestMs / 4));
}

/** Connections are few and requests short, whoever opens them and however slowly they speak. Call it before the server listens. */
export function limitConnections(
  server: Server,
  { requestMs, connections }: ConnectionLimits,
  { clock, logger, metrics }: { readonly clock: Clock; readonly logger: Logger; readonly metrics: Metrics },
): void {
  const every = lookEveryMs(requestMs);
  server.requestTimeout = requestMs - every;
  server.headersTimeout = requestMs - every;
  // An option of `createServer`, which Nest calls; it is read when the server begins to listen.
  Object.assign(server, { connectionsCheckingInterval: every });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxConnections = connections;

  const dropped = metrics.counter(
    'eci_fleet_connections_dropped_total',
    'Connections to the API that were closed at once, because there are too many at all or of their address',
    ['too_many'],
  );
  const said = new FailureLimit({ perMinute: 1, clock });
  const drop = (tooMany: 'all' | 'address', address: string): void => {
    dropped.inc({ too_many: tooMany });
    if (said.mustWait(tooMany) !== undefined) return;
    said.failed(tooMany);
    logger.warn('drop connections to the API, there are too many', { tooMany, address, connections });
  };

  const most = Math.ceil(connections / 2);
  const open = new Map<string, number>();
  server.on('connection', (socket) => {
    const address = countedAddress(socket.remoteAddress ?? 'unknown');
    const others = open.get(address) ?? 0;
    if (others >= most) {
      socket.destroy();
      drop('address', address);
      return;
    }
    open.set(address, others + 1);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
  server.on('drop', (data) => drop('all', countedAddress(data?.remoteAddress ?? 'unknown')));
}
