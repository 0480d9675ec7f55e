import { cleanText, cutText } from '#libs/contracts';
interface KubernetesErrorFields {
  /** What was asked, as `PATCH /api/v1/…`, without query. */
  readonly request: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Reason as Kubernetes names it (`NotFound`, `Conflict`, `Expired`, …), or `Unreachable`. */
  readonly reason: string;
  /** The server's words, cut to 500 characters. */
  readonly detail: string;
  /** How long the server asked to wait, milliseconds. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** A request that the API server refused, or that got no answer. Its text holds no query, no header and no body of ours. */
export class KubernetesError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
  readonly retryAfterMs: number | undefined;

  constructor({ request, status, reason, detail, retryAfterMs, cause }: KubernetesErrorFields) {
    super(`${request}: ${status === 0 ? '' : `${status} `}${reason}${detail === '' ? '' : `: ${detail}`}`, { cause });
    this.name = 'KubernetesError';
    this.status = status;
    this.reason = reason;
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
  }

  /** The object, or its namespace, does not exist. */
  get notFound(): boolean {
    return this.status === 404;
  }

  /** A precondition (UID, resource version) does not hold, or the name is taken. */
  get conflict(): boolean {
    return this.status === 409;
  }

  /** The resource version is too old to watch or page from: list again. */
  get expired(): boolean {
    return this.status === 410;
  }

  /** Nobody knows whether it was done, or it was certainly not done for want of an answer: ask again later. */
  get transient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export const isNotFound = (error: unknown): boolean => error instanceof KubernetesError && error.notFound;
export const isConflict = (error: unknown): boolean => error instanceof KubernetesError && error.conflict;
export const isExpired = (error: unknown): boolean => error instanceof KubernetesError && error.expired;

const DETAIL_LIMIT = 500;

/** Makes the error of an answer whose body may be a v1.Status. */
export function errorOfAnswer(
  request: string,
  status: number,
  body: string,
  retryAfterSeconds?: string,
): KubernetesError {
  let reason = REASONS[status] ?? 'Unknown';
  let detail = '';
  try {
    const parsed = JSON.parse(body) as {
      reason?: unknown;
      message?: unknown;
      details?: { retryAfterSeconds?: number };
    };
    if (typeof parsed.reason === 'string' && parsed.reason !== '') reason = parsed.reason;
    if (typeof parsed.message === 'string') detail = parsed.message;
    retryAfterSeconds ??= parsed.details?.retryAfterSeconds?.toString();
  } catch {
    detail = body.trim();
  }
  const seconds = Number(retryAfterSeconds);
  return new KubernetesError({
    request,
    status,
    reason,
    detail: cutText(cleanText(detail), DETAIL_LIMIT + 1),
    retryAfterMs: retryAfterSeconds !== undefined && Number.isFinite(seconds) ? seconds * 1000 : undefined,
  });
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};
