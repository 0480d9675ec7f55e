import { Agent, request } from 'node:https';

export interface Answered {
  readonly status: number;
  /** The JSON that was said; undefined where nothing was. */
  readonly body: unknown;
}

/** What users of the demo cluster call its API server with. */
export class Client {
  private readonly url: string;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly agent: Agent;

  constructor({ url, token, ca }: { readonly url: string; readonly token: string; readonly ca: string }) {
    this.url = url;
    this.headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    this.agent = new Agent({ ca, keepAlive: false });
  }

  ask(method: string, path: string, body?: unknown): Promise<Answered> {
    const sent = body === undefined ? '' : JSON.stringify(body);
    // Said in any case: of a DELETE with a body Node says no length by itself.
    const headers = { ...this.headers, 'content-length': Buffer.byteLength(sent) };
    return new Promise((resolve, reject) => {
      const asked = request(`${this.url}${path}`, { method, headers, agent: this.agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: text === '' ? undefined : (JSON.parse(text) as unknown) }),
        );
      });
      asked.on('error', reject);
      asked.end(sent);
    });
  }

  /** What is not there is as good as gone; any other refusal throws. */
  async done(method: string, path: string, body: unknown): Promise<void> {
    const { status, body: said } = await this.ask(method, path, body);
    if (status >= 300 && status !== 404)
      throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(said).slice(0, 200)}`);
  }
}
