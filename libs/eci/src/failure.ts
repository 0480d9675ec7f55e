import { cleanText, cutText } from '#libs/contracts';
import { errorMessage } from '#libs/observability';
import { isUnbelieved } from '#libs/transport';
import { classOf, type ErrorClass } from './error-codes.ts';
import { name } from './said.ts';

/** A call that did not answer 200, without anything that must stay inside: no URL, no secret. */
export interface Failure {
  readonly class: ErrorClass;
  /** The cloud's code; absent when no answer of the cloud came. */
  readonly code?: string;
  readonly status?: number;
  readonly requestId?: string;
  readonly message: string;
  /** The call cannot have reached the cloud: no connection was made. */
  readonly neverSent: boolean;
  /** The account's reference to its key leads nowhere: a matter of the account, not of the moment. */
  readonly noCredential?: true;
}

/** No connection was made, so nothing was sent (Node's error codes of `connect` and of name resolution). */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);
const MAX_MESSAGE = 500;

/** Reads whatever the SDK threw. `secrets` are taken out of the text wherever they stand. */
export function failureOf(error: unknown, secrets: readonly string[] = []): Failure {
  const thrown = (typeof error === 'object' && error !== null ? error : {}) as {
    name?: unknown;
    code?: unknown;
    statusCode?: unknown;
    data?: { Message?: unknown; RequestId?: unknown; statusCode?: unknown };
  };
  const status = number(thrown.statusCode) ?? number(thrown.data?.statusCode);
  const raw = text(thrown.code);
  if (status !== undefined) {
    // The SDK writes "undefined" when an answer of that status has no code: then it came from something in between.
    const code = raw === undefined || raw === 'undefined' ? undefined : name(raw);
    const said = text(thrown.data?.Message);
    const requestId = text(thrown.data?.RequestId);
    return {
      class: classOf(code, status),
      ...(code === undefined ? {} : { code }),
      status,
      ...(requestId === undefined ? {} : { requestId: name(requestId) }),
      // Without a code the text is somebody else's, and none of our business to repeat.
      message: clean((code === undefined ? undefined : said) ?? `HTTP ${status} without a code of the cloud`, secrets),
      neverSent: false,
    };
  }
  return {
    class: 'TRANSIENT',
    message: clean(withoutAnswer(thrown.name, raw, error), secrets),
    neverSent: raw !== undefined && (NEVER_SENT.has(raw) || isUnbelieved(raw)),
  };
}

/** Own words: the SDK's contain the request's whole URL, and a parser's quote the answer. */
function withoutAnswer(name: unknown, code: string | undefined, error: unknown): string {
  if (isUnbelieved(code)) return `the certificate of the endpoint is not believed: ${code}`;
  if (code !== undefined && /^E[A-Z_]+$/.test(code)) return `no answer: ${code}`;
  if (name === 'RequestTimeoutError') return 'no answer within the timeout';
  if (name === 'SyntaxError') return 'the answer is not JSON';
  const message = errorMessage(error);
  if (/^type of .* is mismatch/.test(message)) return `the answer breaks its schema: ${message}`;
  return `no usable answer: ${message}`;
}

function clean(message: string, secrets: readonly string[]): string {
  let safe = message;
  for (const secret of secrets) safe = safe.replaceAll(secret, '[redacted]');
  return cutText(cleanText(errorMessage(safe)), MAX_MESSAGE);
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? cleanText(value) : undefined;
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
