import { isConnectionLost, isServerAway } from './sql-states.ts';

/** What a process works with and may have to do without: a part, or an address that could not be reached, or no more than that a connection failed. */
type Cause = 'postgresql' | 'kafka' | 'kubernetes' | 'network' | `network ${string}`;

/** Node's and undici's codes for a connection that cannot be made, was lost, or brings nothing. */
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/**
 * Which part is away, as far as an error (or what caused it) tells; undefined when it tells of something else. Errors of one part sound
 * different in every loop that meets them, and are one trouble.
 */
export function causeOf(error: unknown): Cause | undefined {
  for (let at = error, depth = 0; typeof at === 'object' && at !== null && depth < 6; depth++) {
    const found = ownCause(at as Partial<ErrorLike>);
    if (found !== undefined) return found;
    const { cause, errors } = at as Partial<ErrorLike>;
    at = cause ?? (Array.isArray(errors) ? (errors[0] as unknown) : undefined);
  }
  return undefined;
}

interface ErrorLike {
  readonly name: string;
  readonly message: string;
  readonly code: unknown;
  readonly status: unknown;
  readonly cause: unknown;
  readonly errors: unknown;
  readonly address: unknown;
  readonly port: unknown;
}

function ownCause({ name, message, code, status, address, port }: Partial<ErrorLike>): Cause | undefined {
  if (name === 'MessagingError') return code === 'unavailable' ? 'kafka' : undefined;
  if (name === 'KubernetesError')
    return typeof status !== 'number' || status === 0 || status >= 500 ? 'kubernetes' : undefined;
  if (typeof code === 'string') {
    if (NETWORK.has(code)) return port === undefined ? 'network' : `network ${String(address)}:${String(port)}`;
    if (isServerAway({ code })) return 'postgresql';
  }
  return isConnectionLost(message) ? 'postgresql' : undefined;
}
