/** An error as it may be logged, stored or shown. */
interface ErrorDescription {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ErrorDescription;
}

/**
 * Text up to its first `?`. The cloud's SDK puts the whole URL into its messages, and with it env values, file contents and registry
 * passwords; nothing behind the mark can be told from a secret, so all of it goes.
 */
export function cutQuery(text: string): string {
  const at = text.indexOf('?');
  if (at < 0) return text;
  return `${text.slice(0, at)}?${at === text.length - 1 ? '' : '…'}`;
}

const MAX_DEPTH = 5;

/** Message of anything that was thrown, without URL queries. Never throws itself. */
export function errorMessage(error: unknown): string {
  if (error instanceof Error) return cutQuery(error.message || error.name);
  if (typeof error === 'string') return cutQuery(error);
  if (error && typeof error === 'object' && typeof (error as { message?: unknown }).message === 'string') {
    return cutQuery((error as { message: string }).message);
  }
  return cutQuery(String(error));
}

/**
 * Name, message, code, stack and cause of anything that was thrown; other properties (SDK errors carry whole requests) are left out, and so is what
 * a parser says: its message quotes what it parsed, which may have been a secret.
 */
export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error, message: errorMessage(error) };
  const code = (error as { code?: unknown }).code;
  return {
    name: error.name,
    message: error.name === 'SyntaxError' ? 'what was read cannot be parsed' : errorMessage(error),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    ...(error.stack === undefined ? {} : { stack: frames(error.stack) }),
    ...(error.cause === undefined || depth >= MAX_DEPTH ? {} : { cause: describeError(error.cause, depth + 1) }),
  };
}

/** Only the frames: the head of a stack repeats the message, which may hold a query and line breaks. */
function frames(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => cutQuery(line.trim()))
    .slice(0, 12)
    .join('\n');
}
