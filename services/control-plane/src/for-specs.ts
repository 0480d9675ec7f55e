/** For spec files of this service: a control plane on a database of the test, and an agent that speaks to it. */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import type { JoinResponse, SessionResponse } from '#libs/contracts';
import { InProcessLog, InProcessMessaging, type Messaging } from '#libs/messaging';
import { SystemClock } from '#libs/runtime';
import { readConfig, type ControlPlaneConfig, type Environment } from './config.ts';

/** A private EC P-256 JWK, as an operator would configure it. */
export async function newTokenKey(): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return JSON.stringify(await exportJWK(privateKey));
}

/** Settings of a control plane on any free port, with one account `default`. */
export async function testConfig(databaseUrl: string, over: Environment = {}): Promise<ControlPlaneConfig> {
  return readConfig(
    {
      DATABASE_URL: databaseUrl,
      DATABASE_POOL_SIZE: '8',
      DATABASE_MIGRATE: 'false',
      FLEET_MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
      FLEET_TOKEN_KEY: await newTokenKey(),
      ECI_ACCESS_KEY: 'LTAItest',
      ECI_SECRET_KEY: 'canary-access-key-secret',
      HTTP_PORT: '0',
      LOG_LEVEL: 'silent',
      ...over,
    },
    { needsKafka: false },
  );
}

export function newMessaging(): Messaging {
  return new InProcessMessaging(new InProcessLog(new SystemClock()));
}

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** One request; the body is JSON, or undefined when there is none. */
export async function call<T = Record<string, unknown>>(
  base: string,
  method: string,
  path: string,
  { body, headers = {} }: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
): Promise<Answer<T>> {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? undefined : JSON.parse(text)) as T,
  };
}

/** What an agent does to join and to hold its session, with every part open to be done wrong. */
export class TestAgent {
  readonly publicJwk: JWK;
  readonly agentId: string;
  readonly fingerprint: string;
  clusterId = '';
  audience = '';
  private readonly base: string;
  private readonly privateKey: CryptoKey;

  private constructor(base: string, publicJwk: JWK, privateKey: CryptoKey, agentId: string, fingerprint: string) {
    this.base = base;
    this.publicJwk = publicJwk;
    this.privateKey = privateKey;
    this.agentId = agentId;
    this.fingerprint = fingerprint;
  }

  static async create(
    base: string,
    { agentId = 'agent-1', fingerprint = 'kube-system-uid-1' } = {},
  ): Promise<TestAgent> {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    return new TestAgent(base, await exportJWK(publicKey), privateKey, agentId, fingerprint);
  }

  /** Another process with the same key and identity: a copy of the Secret. */
  twin(agentId: string): TestAgent {
    const twin = new TestAgent(this.base, this.publicJwk, this.privateKey, agentId, this.fingerprint);
    twin.clusterId = this.clusterId;
    twin.audience = this.audience;
    return twin;
  }

  thumbprint(): Promise<string> {
    return calculateJwkThumbprint(this.publicJwk);
  }

  async join(token: string, over: Record<string, unknown> = {}): Promise<Answer> {
    const answer = await call(this.base, 'POST', '/api/v1/agent/join', {
      body: { token, publicKey: this.publicJwk, clusterFingerprint: this.fingerprint, ...over },
    });
    if (answer.status === 200) {
      const { clusterId, audience } = answer.body as unknown as JoinResponse;
      this.clusterId = clusterId;
      this.audience = audience;
    }
    return answer;
  }

  /** `exp` in seconds from now; `jti` new each time unless given. */
  assertion({
    exp = 120,
    jti = crypto.randomUUID() as string | null,
    aud = this.audience,
    iss = this.clusterId,
    sub = this.clusterId,
    key = this.privateKey,
  } = {}): Promise<string> {
    const jwt = new SignJWT(jti === null ? {} : { jti })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(iss)
      .setSubject(sub)
      .setAudience(aud)
      .setExpirationTime(Math.floor(Date.now() / 1000) + exp);
    return jwt.sign(key);
  }

  async session(over: Record<string, unknown> = {}): Promise<Answer<SessionResponse & Record<string, unknown>>> {
    return call(this.base, 'POST', '/api/v1/agent/session', {
      body: {
        assertion: await this.assertion(),
        clusterFingerprint: this.fingerprint,
        agentId: this.agentId,
        agentVersion: '0.1.0',
        nodeName: 'virtual-kubelet',
        ...over,
      },
    });
  }
}
