/** For specs and `npm run fuzz:api`: sends what nobody would send, and keeps what was answered wrongly. */
import { request } from 'node:http';
import fc from 'fast-check';
import { documentedRoutes, type DocumentedRoute } from './api-document.ts';
import { oddRequest, type OddRequest } from './odd-requests.ts';

/** Words of a stack, of PostgreSQL and of its driver. */
const BEHIND =
  /node_modules|\.[jt]s:\d|\n\s+at |invalid byte sequence|invalid input syntax|violates|relation "|fleet\.|es\.event|PostgreSQL does/;
/** An answer takes milliseconds; on a machine that does other things, too, still not as long. */
const PATIENCE_MS = 60_000;
/** Requests of one route in a row: what a route does with the connection of the one before is tried as well. */
const IN_A_ROW = 10;

interface FuzzOptions {
  readonly requests: number;
  readonly seed: number;
  /** Requests under way at a time. */
  readonly atOnce: number;
  readonly onProgress?: (sent: number) => void;
}

interface FuzzResult {
  readonly sent: number;
  /** Answers by status. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly milliseconds: readonly number[];
  /** Requests that were answered with 5xx, with a word of what lies behind, or not at all; the first of them. */
  readonly faults: readonly string[];
}

const MOST_FAULTS = 20;

/** The same seed sends the same requests, to each route as many. */
export async function fuzz(base: string, { requests, seed, atOnce, onProgress }: FuzzOptions): Promise<FuzzResult> {
  const routes = await documentedRoutes(base);
  const statuses = new Map<number, number>();
  const milliseconds: number[] = [];
  const faults: string[] = [];
  let sent = 0;
  for (let round = 0; sent < requests; round++) {
    const batches = routes.map((route, i) => ({
      route,
      batch: fc.sample(oddRequest(route), { seed: seed + round * routes.length + i, numRuns: IN_A_ROW }),
    }));
    const queue = batches
      .flatMap(({ route, batch }) => batch.map((each) => ({ route, each })))
      .slice(0, requests - sent);
    sent += queue.length;
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const began = performance.now();
        const fault = await faultOf(base, next.route, next.each, statuses);
        milliseconds.push(performance.now() - began);
        if (fault !== undefined && faults.length < MOST_FAULTS) faults.push(`seed ${seed}, round ${round}: ${fault}`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    onProgress?.(sent);
  }
  return { sent, statuses, milliseconds, faults };
}

async function faultOf(
  base: string,
  { path: template }: DocumentedRoute,
  odd: OddRequest,
  statuses: Map<number, number>,
): Promise<string | undefined> {
  const shown = JSON.stringify({ ...odd, body: odd.body?.slice(0, 500) });
  try {
    const { status, text } = await send(base, odd);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const telling = template !== '/metrics' && BEHIND.test(text);
    return status >= 500 || telling ? `${shown} was answered ${status}: ${text.slice(0, 500)}` : undefined;
  } catch (error) {
    return `${shown} was not answered: ${String(error)}`;
  }
}

/** Sends it as it is, where `fetch` would mend the path; strangers of the agents' routes each come from an address of their own, since one is soon refused. */
export function send(
  base: string,
  { method, path, headers, body }: OddRequest,
): Promise<{ readonly status: number; readonly text: string }> {
  const { hostname, port } = new URL(base);
  const strange = path.startsWith('/api/v1/agent/');
  return new Promise((resolve, reject) => {
    request(
      {
        hostname,
        port,
        method,
        path,
        headers,
        signal: AbortSignal.timeout(PATIENCE_MS),
        ...(strange ? { agent: false, localAddress: loopbackAddress() } : {}),
      },
      (response) => {
        const parts: Buffer[] = [];
        response
          .on('data', (part: Buffer) => parts.push(part))
          .on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }))
          .on('error', reject);
      },
    )
      .on('error', reject)
      .end(body);
  });
}

let addresses = 0;
/** Another one each time, in 127.0.0.0/8. */
function loopbackAddress(): string {
  const n = addresses++;
  return `127.${1 + (Math.floor(n / 62_500) % 250)}.${Math.floor(n / 250) % 250}.${1 + (n % 250)}`;
}
