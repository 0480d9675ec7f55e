import { createServer, type IncomingMessage, type Server } from 'node:http';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { importJWK, jwtVerify, type JWK } from 'jose';
import {
  JoinRequest,
  SESSION_PROBLEMS,
  SessionRequest,
  topics,
  type ClusterCommand,
  type IntentBody,
  type Inventory,
  type PodStatusMessage,
  type RunPod,
  type SealedRunPod,
  type SessionResponse,
  type StopPod,
} from '#libs/contracts';
import {
  InProcessLog,
  InProcessMessaging,
  macKeyOf,
  openEnvelope,
  withMac,
  type Consumer,
  type Messaging,
} from '#libs/messaging';
import { SystemClock } from '#libs/runtime';

interface OpenedIntent {
  readonly epoch: number;
  readonly sequence: number;
  readonly body: IntentBody;
  readonly sealed: unknown;
  readonly at: number;
}

interface StubOptions {
  /** Default: a log in this process. One that is given is not closed. */
  readonly messaging?: Messaging;
  readonly fleet?: string;
  readonly kafka?: SessionResponse['kafka'];
  readonly accessToken?: (clusterId: string) => Promise<string> | string;
}

/**
 * What an agent needs of a control plane, and no more: join and session over HTTP with real assertions, envelope keys, and the other end of the
 * log. Tests see every intent opened and say what the publisher would say.
 */
export class StubControlPlane {
  readonly clusterId = 'c-test';
  readonly fleet: string;
  readonly token = 'join-once';
  readonly messaging: Messaging;
  readonly intents: OpenedIntent[] = [];
  readonly faults: string[] = [];
  joins = 0;
  renewAfterSeconds = 60;
  private publicKey: JWK | undefined;
  private fingerprint: string | undefined;
  private epoch = 0;
  private holder: string | undefined;
  private refusal: { status: number; type: string } | undefined;
  private readonly envelopeKey = { kid: 'k1', key: randomBytes(32) };
  private readonly statusKey = { kid: 's1', key: randomBytes(32) };
  private readonly server: Server;
  private consumer: Consumer | undefined;
  private readonly options: StubOptions;

  constructor(options: StubOptions = {}) {
    this.options = options;
    this.fleet = options.fleet ?? 'eci-fleet';
    this.messaging = options.messaging ?? new InProcessMessaging(new InProcessLog(new SystemClock()));
    this.server = createServer((request, response) => {
      void this.answer(request).then(
        ({ status, body }) => {
          response.writeHead(status, {
            'content-type': status < 300 ? 'application/json' : 'application/problem+json',
          });
          response.end(JSON.stringify(body));
        },
        (error: unknown) => {
          this.faults.push(String(error));
          response.writeHead(500, { 'content-type': 'application/problem+json' }).end('{"type":"about:blank"}');
        },
      );
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const names = topics(this.fleet);
    await this.messaging.ensureTopics([
      { name: names.intents, partitions: 1 },
      { name: names.cluster(this.clusterId), partitions: 1, compacted: true },
    ]);
    this.consumer = await this.messaging.consume({
      topics: [names.intents],
      group: `${this.fleet}.test`,
      handle: async (batch) => {
        for (const { key, value } of batch.messages) {
          const opened = await openEnvelope(value, key, (kid) => (kid === 'k1' ? this.envelopeKey.key : undefined));
          if (!opened.ok) this.faults.push(opened.reason);
          else {
            const { agentEpoch: epoch, sequence, body } = opened.clear;
            this.intents.push({ epoch, sequence, body, sealed: opened.sealed, at: performance.now() });
          }
        }
      },
    });
  }

  async stop(): Promise<void> {
    await this.consumer?.stop();
    if (!this.options.messaging) await this.messaging.close();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** From now on every session is refused with this problem; undefined = no longer. */
  refuse(problem: { status: number; type: string } | undefined): void {
    this.refusal = problem;
  }

  /** As if another agent had opened a session. */
  supersede(): void {
    this.epoch += 1;
    this.holder = 'another agent';
  }

  runs(podUid: string): { body: RunPod; sealed: SealedRunPod }[] {
    return this.intents.flatMap(({ body, sealed }) =>
      body.kind === 'RunPod' && body.pod.uid === podUid ? [{ body, sealed: sealed as SealedRunPod }] : [],
    );
  }

  stops(podUid: string): StopPod[] {
    return this.intents.flatMap(({ body }) => (body.kind === 'StopPod' && body.uid === podUid ? [body] : []));
  }

  inventories(): Inventory[] {
    return this.intents.flatMap(({ body }) => (body.kind === 'Inventory' ? [body] : []));
  }

  async say(message: PodStatusMessage | ClusterCommand): Promise<void> {
    const key = message.kind === 'PodStatus' ? message.podUid : `command/${message.name}`;
    const topic = topics(this.fleet).cluster(this.clusterId);
    const { kid, key: bytes } = this.statusKey;
    const said = { key, value: Buffer.from(JSON.stringify(message)) };
    await this.messaging.publish(topic, [withMac(topic, said, macKeyOf(kid, bytes))]);
  }

  private async answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    let text = '';
    for await (const chunk of request as AsyncIterable<Buffer>) text += chunk.toString('utf8');
    const problem = (status: number, type: string) => ({ status, body: { type, title: 'refused', status } });
    if (request.url === '/api/v1/agent/join') {
      const { token, publicKey, clusterFingerprint } = JoinRequest.parse(JSON.parse(text));
      this.joins += 1;
      const sameKey = this.publicKey !== undefined && JSON.stringify(this.publicKey) === JSON.stringify(publicKey);
      if (token !== this.token || (this.publicKey && !sameKey)) return problem(403, SESSION_PROBLEMS.unknownToken);
      this.publicKey = publicKey as JWK;
      this.fingerprint = clusterFingerprint;
      return { status: 200, body: { clusterId: this.clusterId, audience: this.url } };
    }
    if (request.url === '/api/v1/agent/session' && this.publicKey) {
      const asked = SessionRequest.parse(JSON.parse(text));
      await jwtVerify(asked.assertion, await importJWK(this.publicKey, 'ES256'), {
        issuer: this.clusterId,
        subject: this.clusterId,
        audience: this.url,
        maxTokenAge: '5m',
        requiredClaims: ['exp', 'jti'],
      });
      if (this.refusal) return problem(this.refusal.status, this.refusal.type);
      if (asked.clusterFingerprint !== this.fingerprint) return problem(403, SESSION_PROBLEMS.fingerprint);
      if (asked.renewEpoch !== undefined && (asked.renewEpoch !== this.epoch || asked.agentId !== this.holder)) {
        return problem(409, SESSION_PROBLEMS.superseded);
      }
      if (asked.renewEpoch === undefined) {
        this.epoch += 1;
        this.holder = asked.agentId;
      }
      return { status: 200, body: await this.sessionOf() };
    }
    return problem(404, 'about:blank');
  }

  private async sessionOf(): Promise<SessionResponse> {
    const now = Date.now();
    return {
      clusterId: this.clusterId,
      fleet: this.fleet,
      agentEpoch: this.epoch,
      accessToken: (await this.options.accessToken?.(this.clusterId)) ?? 'access',
      accessTokenExpiresAt: new Date(now + 600_000).toISOString(),
      renewAfterSeconds: this.renewAfterSeconds,
      envelopeKeys: [
        {
          kid: this.envelopeKey.kid,
          key: this.envelopeKey.key.toString('base64url'),
          notBefore: new Date(now - 60_000).toISOString(),
          notAfter: new Date(now + 86_400_000).toISOString(),
        },
      ],
      statusKeys: [{ kid: this.statusKey.kid, key: this.statusKey.key.toString('base64url') }],
      statusesProven: true,
      kafka: this.options.kafka ?? { brokers: [], security: 'plaintext', tls: false },
    };
  }
}
