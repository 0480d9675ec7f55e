/** For spec files of this service: a control plane on a database of the test, and an agent that speaks to it. */
import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import type { Environment } from '#libs/configuration';
import type { JoinResponse, SessionResponse } from '#libs/contracts';
import type { EventData, EventType } from '#libs/domain';
import type { EventStore, NewEvent } from '#libs/event-store';
import { InProcessLog, InProcessMessaging, type Messaging } from '#libs/messaging';
import { SystemClock } from '#libs/runtime';
import { readConfig, type ControlPlaneConfig } from '../src/config.ts';
import { MasterKey } from '../src/keys/master-key.ts';
import { StatusKeys } from '../src/keys/status-keys.ts';
import { ClusterVoice } from '../src/publish/cluster-voice.ts';

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
      FLEET_MASTER_KEY: MASTER_KEY,
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

/** The same for all control planes of one spec file, as for replicas. */
export const MASTER_KEY = randomBytes(32).toString('base64');

/** Speaks to the clusters of a database as a control plane with {@link testConfig} does. */
export function voiceOf(parts: {
  readonly messaging: Messaging;
  readonly pool: Pool;
  readonly fleet: string;
}): ClusterVoice {
  const masterKey = new MasterKey(Buffer.from(MASTER_KEY, 'base64'));
  return new ClusterVoice({
    ...parts,
    keys: new StatusKeys({ pool: parts.pool, masterKey, clock: new SystemClock() }),
  });
}

/** One that nobody guesses. */
export const ADMIN_TOKEN = randomBytes(32).toString('base64url');

/** Stands still until it is set forward, while those who sleep do so in real time: what is allowed in a minute does not hang on how slow this machine is. */
export class StandingClock extends SystemClock {
  private at = Date.now();

  override now(): number {
    return this.at;
  }

  forward(ms: number): void {
    this.at += ms;
  }
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
    redirect: 'manual',
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

/** Looks at a thing, then asks for what cannot be undone, on the state that was seen. */
export async function callOnState<T = Record<string, unknown>>(
  base: string,
  read: string,
  [method, path]: readonly [method: string, path: string],
  body?: unknown,
): Promise<Answer<T>> {
  const etag = (await call(base, 'GET', read)).headers.get('etag');
  return call<T>(base, method, path, { body, headers: etag === null ? {} : { 'if-match': etag } });
}

export const unregister = (base: string, id: string): Promise<Answer> =>
  callOnState(base, `/api/v1/clusters/${id}`, ['DELETE', `/api/v1/clusters/${id}`]);

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

type Said = { [T in EventType]: { readonly type: T; readonly data: EventData[T] } }[EventType];

/** A pod's life in events, as the store takes them; a second passes between two. */
export function story(said: readonly Said[], from = '2026-03-01T10:00:00.000Z'): NewEvent[] {
  return said.map(({ type, data }, i) => ({
    eventId: crypto.randomUUID(),
    type,
    schemaVersion: 1,
    data: data as unknown as NewEvent['data'],
    metadata: {
      actor: i === 0 ? 'agent:test' : 'control-plane:effects',
      decidedAt: new Date(Date.parse(from) + i * 1000).toISOString(),
      ...(i === 0 ? { causationId: 'kafka:eci-fleet.intents.v1/0@1' } : {}),
    },
  }));
}

/** Appends behind whatever the stream has already. */
export async function record(store: EventStore, streamId: string, events: readonly NewEvent[]): Promise<void> {
  const expected = (await store.loadMany([streamId])).get(streamId)?.length ?? 0;
  const [result] = await store.append([{ streamId, expected, events }]);
  if (!result?.ok) throw new Error(`append to ${streamId}: ${JSON.stringify(result)}`);
}

export const accepted = (clusterId: string, uid: string, name = `pod-${uid}`, namespace = 'default'): Said => ({
  type: 'PodIntentAccepted',
  data: {
    clusterId,
    pod: {
      uid,
      namespace,
      name,
      resourceVersion: '1',
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: 'nginx:1' }],
      initContainers: [],
    },
    clearPod: { metadata: { name, namespace, uid }, spec: { containers: [{ name: 'main', image: 'nginx:1' }] } },
    need: {
      accountId: 'default',
      region: 'cn-hangzhou',
      vSwitches: [{ vSwitchId: 'vsw-b' }, { vSwitchId: 'vsw-g' }],
      scheduleStrategy: 'default',
      specs: ['2-4Gi'],
      chargeType: 'on-demand',
      spotFallback: false,
      failStrategy: 'fail-back',
      priority: 0,
    },
    agentEpoch: 1,
    sequence: 1,
    profileRevision: 'r1',
    spec: {},
    digests: { 'env/main/0': 'digest-of-a-sealed-value' },
    tokens: [],
    lookUpFirst: false,
  },
});

export const placed = (attempt = 1): Said => ({
  type: 'PlacementChosen',
  data: {
    attempt,
    clientToken: `token-${attempt}`,
    accountId: 'default',
    region: 'cn-hangzhou',
    candidates: [{ vSwitchId: 'vsw-b', reason: 'first of the profile' }],
    specs: ['2-4Gi'],
    chargeType: 'on-demand',
    policyVersion: 'test',
    why: ['test'],
    seed: 1,
    requestDigest: 'd',
  },
});

export const created = (containerGroupId: string, attempt = 1): Said => ({
  type: 'ContainerGroupCreated',
  data: { attempt, containerGroupId, requestId: 'r' },
});

export const landed = (containerGroupId: string, zone: string): Said => ({
  type: 'ContainerGroupLanded',
  data: { containerGroupId, zone, vSwitchId: 'vsw-b', spec: '2-4Gi', cpu: 2, memoryGiB: 4 },
});

export const running = (containerGroupId: string): Said => ({
  type: 'ContainersChanged',
  data: {
    containerGroupId,
    status: 'Running',
    containers: [{ name: 'main', image: 'nginx:1', ready: true, restartCount: 0, state: { state: 'running' } }],
    initContainers: [],
    conditions: [],
    cloudEvents: [],
    podIp: '10.0.0.7',
  },
});

export const succeeded = (containerGroupId: string): Said => ({
  type: 'ContainerGroupSucceeded',
  data: { containerGroupId },
});

export const stopRequested: Said = { type: 'StopRequested', data: { by: 'agent:test', reason: 'Deleted' } };

export const gone = (containerGroupId: string): Said => ({
  type: 'ContainerGroupGone',
  data: { containerGroupId, evidence: 'test' },
});

export const podObjectGone: Said = { type: 'PodObjectGone', data: { reason: 'ObjectGone' } };
