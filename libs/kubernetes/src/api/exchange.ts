import type { Dispatcher } from 'undici';

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly origin: string;
  /** With query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter?: string | undefined;
}

const LINE_FEED = 0x0a;

class Timeout extends Error {
  override readonly name = 'TimeoutError';
}

/**
 * Sends a request and collects its answer, below undici's streams and without a signal for its time: both cost more here than the rest of a
 * request. `timeoutMs` is for all of it. Rejects when there is no whole answer.
 */
export function exchange(dispatcher: Dispatcher, request: Request, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let status = 0;
    let retryAfter: string | undefined;
    // A dispatcher may answer before it returns, so the timer is there first.
    const timer = setTimeout(
      () => handling.abort(new Timeout(`no answer within ${timeoutMs} ms`)),
      Math.max(0, timeoutMs),
    );
    const handling = handle(dispatcher, request, {
      begin: (code, headers) => {
        status = code;
        const value = headers['retry-after'];
        if (typeof value === 'string') retryAfter = value;
      },
      data: (chunk) => chunks.push(chunk),
      end: (error) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve({ status, text: textOf(chunks), retryAfter });
      },
    });
  });
}

interface LinesOptions {
  /** A connection that says nothing for so long is given up, as if the server had ended it. Milliseconds. */
  readonly silenceMs: number;
  /** One line of the answer, without its line feed. */
  readonly onLine: (line: Buffer) => void;
  /** The answer begins, with status 200. */
  readonly onOpen?: (() => void) | undefined;
}

/** Reads an answer line by line as it comes, until the server ends it, it falls silent, or `signal`. The answer of any status but 200 is collected instead. */
export function readLines(
  dispatcher: Dispatcher,
  request: Request,
  { silenceMs, onLine, onOpen }: LinesOptions,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let status = 0;
    let rest: Buffer[] = [];
    let silent = false;
    const timer = setTimeout(() => {
      silent = true;
      handling.abort(new Timeout(`nothing was heard for ${silenceMs} ms`));
    }, silenceMs);
    const handling = handle(dispatcher, request, {
      begin: (code) => {
        status = code;
        timer.refresh();
        if (status === 200) onOpen?.();
      },
      data: (chunk) => {
        timer.refresh();
        if (status !== 200) {
          rest.push(chunk);
          return;
        }
        let from = 0;
        for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
          const piece = chunk.subarray(from, at);
          onLine(rest.length === 0 ? piece : Buffer.concat([...rest, piece]));
          rest = [];
          from = at + 1;
        }
        if (from < chunk.length) rest.push(chunk.subarray(from));
      },
      end: (error) => {
        clearTimeout(timer);
        if (error && !silent && !request.signal?.aborted) reject(error);
        else resolve({ status, text: status === 200 ? '' : textOf(rest) });
      },
    });
  });
}

interface Handling {
  readonly begin: (status: number, headers: Readonly<Record<string, unknown>>) => void;
  readonly data: (chunk: Buffer) => void;
  /** Called once: the whole answer was there, or why not. */
  readonly end: (error?: Error) => void;
}

function handle(
  dispatcher: Dispatcher,
  { method, origin, path, headers, body, signal }: Request,
  handling: Handling,
): { abort(reason: Error): void } {
  let controller: Dispatcher.DispatchController | undefined;
  let over = false;
  const end = (error?: Error): void => {
    if (over) return;
    over = true;
    signal?.removeEventListener('abort', cancel);
    handling.end(error);
  };
  const abort = (reason: Error): void => {
    // A request that has not been sent yet is cut when its turn comes.
    end(reason);
    controller?.abort(reason);
  };
  const cancel = (): void => abort(new Error('the request was given up'));
  if (signal?.aborted) {
    queueMicrotask(cancel);
    return { abort };
  }
  signal?.addEventListener('abort', cancel, { once: true });
  dispatcher.dispatch(
    { method, origin, path, headers, body: body ?? null, headersTimeout: 0, bodyTimeout: 0 },
    {
      onRequestStart(started) {
        controller = started;
        if (over) started.abort(new Error('the request was given up'));
      },
      onResponseStart(_, status, answered) {
        if (status >= 200) handling.begin(status, answered);
      },
      onResponseData(_, chunk) {
        if (!over) handling.data(chunk);
      },
      onResponseEnd: () => end(),
      onResponseError: (_, error) => end(error),
    },
  );
  return { abort };
}

function textOf(chunks: readonly Buffer[]): string {
  const [only] = chunks;
  return chunks.length === 1 ? only!.toString('utf8') : Buffer.concat(chunks).toString('utf8');
}
