import { Agent, request } from 'undici';

export interface KubernetesAccess {
  /** `https://127.0.0.1:<port>` */
  readonly server: string;
  /** PEM of the authority that signed the API server's certificate. */
  readonly authority: string;
  /** PEM of the administrator (group system:masters). */
  readonly certificate: string;
  readonly key: string;
}

export interface ApiAnswer {
  readonly status: number;
  // What an API server answers is whatever its kind says; tests pick from it freely.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Bare requests to an API server as its administrator: what a test sets up or looks at, without anybody's client in between. */
export class KubernetesApi {
  readonly #agent: Agent;
  readonly #server: string;

  constructor(access: KubernetesAccess) {
    this.#server = access.server;
    this.#agent = new Agent({ connect: { ca: access.authority, cert: access.certificate, key: access.key } });
  }

  /** The answer, whatever its status. `body` is sent as JSON; a PATCH as a merge patch, unless it is a strategic one. */
  async ask(
    method: Method,
    path: string,
    body?: unknown,
    { patch = 'merge' }: { readonly patch?: 'merge' | 'strategic-merge' } = {},
  ): Promise<ApiAnswer> {
    const type = method === 'PATCH' ? `application/${patch}-patch+json` : 'application/json';
    const answer = await request(`${this.#server}${path}`, {
      method,
      dispatcher: this.#agent,
      headersTimeout: 10_000,
      bodyTimeout: 10_000,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: isJson(text) ? JSON.parse(text) : text };
  }

  /** The body of a 2xx answer; anything else throws with what the server said. */
  async call(method: Method, path: string, body?: unknown): Promise<ApiAnswer['body']> {
    const answer = await this.ask(method, path, body);
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    const said = typeof answer.body === 'string' ? answer.body : answer.body.message;
    throw new Error(`${method} ${path}: the API server answered ${answer.status}: ${said}`);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

function isJson(text: string): boolean {
  return text.startsWith('{') || text.startsWith('[');
}
