/**
 * A simulator of Alibaba Cloud ECI that the real SDK talks to over HTTP.
 *
 * Hides: state, clock, journal and wire format. Guarantees: signatures are checked unless switched off; with a data folder nothing is answered before it is on the
 * disk; the same seed draws the same latencies and choices. Does not: run containers, or simulate spot release, restart, update, logs, exec and metrics.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { isLoopback, Token } from '#libs/callers';
import { type Logger, silentLogger } from '#libs/observability';
import type { Change, Settings } from './core/settings.ts';
import { simulatorServer } from './http/server.ts';
import { DEMO_CREDENTIAL, RunningCloud } from './running-cloud.ts';
import { parseScenario, type ScenarioInput } from './scenario.ts';

export { DEMO_CREDENTIAL };
export type { ScenarioInput };

interface SimulatorConfig {
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default 0: any free port. */
  readonly port?: number | undefined;
  /** As in a scenario file. Default: the demo world. */
  readonly scenario?: ScenarioInput | undefined;
  /** Keeps groups and token memory between runs. Default: in memory. */
  readonly dataDir?: string | undefined;
  /** A further key of account `demo`, beside the demo key and those of the scenario. */
  readonly accessKeyId?: string | undefined;
  readonly accessKeySecret?: string | undefined;
  /** What callers of the control API show. Default: a random one, of {@link Simulator.controlToken}. */
  readonly controlToken?: string | undefined;
  /** Whether the ledger keeps values of secrets (variables, files, passwords) as they are, and not as digests. Default false. */
  readonly ledgerSecrets?: boolean | undefined;
}

export interface Simulator {
  /** `http://host:port`, for the wire API and the control API. */
  readonly url: string;
  /** `url` + `/control/v1`, with the token as a password: a browser and curl take it as it is. */
  readonly controlUrl: string;
  /** Sent as `Authorization: Bearer <token>`. */
  readonly controlToken: string;
  /** Calls the control API; returns the parsed answer, throws on any status but 200. */
  control<T = unknown>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T>;
  /** Changes settings without a request. */
  change(settings: Change<Settings>): void;
  /** Ends every connection; what was answered is on the disk. */
  stop(): Promise<void>;
}

/** Throws when the scenario is wrong, the port is taken or the data folder cannot be read. */
export async function startSimulator(
  config: SimulatorConfig = {},
  { logger = silentLogger }: { readonly logger?: Logger } = {},
): Promise<Simulator> {
  const scenario = parseScenario(config.scenario);
  const { accessKeyId, accessKeySecret } = config;
  const running = await RunningCloud.start({
    scenario,
    credentials: accessKeyId && accessKeySecret ? [{ accountId: 'demo', accessKeyId, accessKeySecret }] : [],
    dataDir: config.dataDir,
    keepSecrets: config.ledgerSecrets ?? false,
    logger,
  });
  const host = config.host ?? '127.0.0.1';
  const controlToken = config.controlToken ?? Token.random();
  const server = simulatorServer(running, logger, { token: new Token(controlToken), loopback: isLoopback(host) });
  server.listen(config.port ?? 0, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    await running.stop();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  logger.info('listening', { url, durable: running.durable });
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await running.stop();
    logger.info('stopped');
  };
  return {
    url,
    controlUrl: controlUrlOf(url, controlToken),
    controlToken,
    control: (method, path, body) => control(`${url}/control/v1${path}`, controlToken, method, body),
    change: (settings) => running.cloud.change(settings),
    stop: () => (stopping ??= stop()),
  };
}

function controlUrlOf(url: string, token: string): string {
  return `${url.replace('://', `://control:${token}@`)}/control/v1`;
}

async function control<T>(url: string, token: string, method: string, body: unknown): Promise<T> {
  const response = await fetch(url, {
    method,
    redirect: 'error',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as T & { message?: string };
  if (!response.ok) throw new Error(`${method} ${url.split('?')[0]}: ${response.status} ${answer.message ?? ''}`);
  return answer;
}
