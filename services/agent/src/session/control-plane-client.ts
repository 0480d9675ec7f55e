import { Agent, buildConnector, fetch } from 'undici';
import { JoinResponse, SessionResponse, type JoinRequest, type SessionRequest } from '#libs/contracts';
import { KubernetesError } from '#libs/kubernetes';
import { readTlsFiles } from '#libs/transport';

/** The control plane said no, or said nothing that can be understood. */
export class ControlPlaneRefusal extends Error {
  /** HTTP status; 0 = no answer. */
  readonly status: number;
  /** Problem `type` (RFC 9457). */
  readonly type: string;

  constructor(status: number, type: string, message: string) {
    super(message);
    this.name = 'ControlPlaneRefusal';
    this.status = status;
    this.type = type;
  }
}

const TIMEOUT_MS = 10_000;

/** The two calls by which an agent becomes somebody. Tokens and assertions never appear in an error. */
export class ControlPlaneClient {
  private readonly url: string;
  private readonly dispatcher: Agent;
  /** What time it was at the control plane when it answered the last call, epoch milliseconds to the second; undefined when it did not. */
  answeredAt: number | undefined;

  /** `caFile`: PEM with the authorities of the control plane, read at each connection; absent: the system's. */
  constructor(url: string, caFile?: string) {
    this.url = url;
    this.dispatcher = new Agent({
      connect: (options, done) => {
        try {
          // A session would be taken up again without a look at the certificate.
          buildConnector({
            rejectUnauthorized: true,
            ...readTlsFiles({ caFile }),
            timeout: 5_000,
            maxCachedSessions: 0,
          })(options, done);
        } catch (error) {
          done(error as Error, null);
        }
      },
    });
  }

  async join(request: JoinRequest): Promise<JoinResponse> {
    return JoinResponse.parse(await this.post('/api/v1/agent/join', request));
  }

  async session(request: SessionRequest): Promise<SessionResponse> {
    return SessionResponse.parse(await this.post('/api/v1/agent/session', request));
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }

  private async post(path: string, body: unknown): Promise<unknown> {
    const request = `POST ${this.url}${path}`;
    let status: number;
    let text: string;
    this.answeredAt = undefined;
    try {
      const answer = await fetch(`${this.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, application/problem+json' },
        body: JSON.stringify(body),
        dispatcher: this.dispatcher,
        // The body holds a token or an assertion: whoever is named as the next to ask must not see it.
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      status = answer.status;
      const date = Date.parse(answer.headers.get('date') ?? '');
      if (!Number.isNaN(date)) this.answeredAt = date;
      text = await answer.text();
    } catch (error) {
      throw new ControlPlaneRefusal(0, '', `${request}: no answer (${codeOf(error)})`);
    }
    if (status >= 300 && status < 400)
      throw new ControlPlaneRefusal(
        status,
        '',
        `${request}: ${status}, a redirect, which is not followed: name the control plane itself in CONTROL_PLANE_URL`,
      );
    let json: { type?: unknown; title?: unknown; detail?: unknown };
    try {
      json = JSON.parse(text) as typeof json;
    } catch {
      throw new ControlPlaneRefusal(status, '', `${request}: ${status}, and the answer is no JSON`);
    }
    if (status >= 200 && status < 300) return json;
    const words = [json.title, json.detail].filter((w): w is string => typeof w === 'string');
    throw new ControlPlaneRefusal(
      status,
      typeof json.type === 'string' ? json.type : '',
      `${request}: ${status}${words.length === 0 ? '' : ` ${words.join(': ')}`}`.slice(0, 500),
    );
  }
}

function codeOf(error: unknown): string {
  const { code, name, cause } = error as { code?: string; name?: string; cause?: { code?: string; message?: string } };
  return cause?.code ?? code ?? cause?.message ?? name ?? 'error';
}

/** What may be said about a failure of the session, in one line. */
export function reasonOf(error: unknown): string {
  if (error instanceof ControlPlaneRefusal || error instanceof KubernetesError) return error.message;
  if (error instanceof Error && error.name === 'ZodError')
    return 'the control plane’s answer is not what this agent understands';
  return error instanceof Error ? error.message : String(error);
}
