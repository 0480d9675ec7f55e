/** An event as the history API shows it. */
export interface HistoryEvent {
  readonly id: string;
  readonly version: number;
  readonly type: string;
  readonly at: string;
  readonly recordedAt: string;
  readonly actor: string;
  readonly cause?: string;
  // Each type has data of its own; a spec picks from it what it asserts.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly data: any;
}

export interface ApiAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

/** The control plane's HTTP API as an operator's script would use it. */
export class ControlPlaneApi {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** The answer, whatever its status. */
  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<ApiAnswer> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      signal: AbortSignal.timeout(10_000),
      ...(body === undefined
        ? { headers }
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } }),
    });
    const text = await answer.text();
    const contentType = answer.headers.get('content-type') ?? '';
    return {
      status: answer.status,
      contentType,
      text,
      body: contentType.includes('json') ? (JSON.parse(text) as unknown) : text,
    };
  }

  /** Body of a 2xx answer below `/api/v1`; anything else throws with what it said. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<ApiAnswer['body']> {
    const answer = await this.ask(method, `/api/v1${path}`, body, headers);
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    throw new Error(`${method} ${path}: the API answered ${answer.status}: ${answer.text.slice(0, 500)}`);
  }

  get(path: string): Promise<ApiAnswer['body']> {
    return this.call('GET', path);
  }

  /** All items of a list, page by page. */
  async all(path: string): Promise<ApiAnswer['body'][]> {
    const items: ApiAnswer['body'][] = [];
    for (let cursor: string | undefined; ;) {
      const query = cursor === undefined ? '' : `${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`;
      const page = await this.get(`${path}${query}`);
      items.push(...page.items);
      cursor = page.nextCursor;
      if (cursor === undefined) return items;
    }
  }
}
