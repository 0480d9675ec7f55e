import { connect as connectTcp } from 'node:net';
import { request, type RequestOptions } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '#libs/observability';
import { SystemClock, VirtualClock } from '#libs/runtime';
import {
  createCertificateAuthority,
  eventually,
  type CertificateAuthority,
  type KeyAndCertificate,
} from '#libs/testing';
import { AdmissionServer, MAX_BODY, type AdmissionServerOptions } from './admission-server.ts';

let authority: CertificateAuthority;
let serving: KeyAndCertificate;
let server: AdmissionServer | undefined;
const counted: string[] = [];

beforeAll(async () => {
  authority = await createCertificateAuthority('webhook-ca');
  serving = await authority.issue({ commonName: 'webhook', dns: ['localhost'], ips: ['127.0.0.1'] });
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  counted.length = 0;
});

async function listen(over: Partial<AdmissionServerOptions> = {}): Promise<AdmissionServer> {
  server = await AdmissionServer.listen({
    host: '127.0.0.1',
    port: 0,
    certificate: { cert: serving.certificate, key: serving.key, ca: authority.certificate },
    clock: new SystemClock(),
    logger: silentLogger,
    count: (outcome) => void counted.push(outcome),
    review: () => Promise.resolve({}),
    ...over,
  });
  return server;
}

interface Answer {
  readonly status: number;
  readonly body: {
    readonly response?: { readonly allowed: boolean; readonly uid: string; readonly warnings?: string[] };
  };
}

function post(body: string | Buffer, options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port: server!.port,
        method: 'POST',
        path: '/mutate',
        ca: authority.certificate,
        agent: false,
        ...options,
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text || '{}') as Answer['body'] }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

const review = (extra: object = {}): string => JSON.stringify({ request: { uid: 'u-1', namespace: 'web', ...extra } });

describe('the webhook', () => {
  it('answers a review "allowed", with what is to be changed', async () => {
    await listen({ review: () => Promise.resolve({ patchType: 'JSONPatch', patch: 'W10=' }) });
    const { status, body } = await post(review());
    expect(status).toBe(200);
    expect(body.response).toEqual({ uid: 'u-1', allowed: true, patchType: 'JSONPatch', patch: 'W10=' });
  });

  it('answers "allowed" with a warning when the review fails', async () => {
    await listen({ review: () => Promise.reject(new Error('canary')) });
    const { body } = await post(review());
    expect(body.response).toMatchObject({
      allowed: true,
      warnings: [expect.stringContaining('could not be considered')],
    });
    expect(JSON.stringify(body)).not.toContain('canary');
  });

  it('answers "allowed" before the API server gives up when the review hangs', async () => {
    const clock = new VirtualClock();
    const asked = Promise.withResolvers<void>();
    await listen({
      clock,
      review: () => {
        asked.resolve();
        return new Promise(() => undefined);
      },
    });
    const answer = post(review());
    await asked.promise;
    await clock.advance(4_000);
    expect((await answer).body.response).toMatchObject({
      allowed: true,
      warnings: [expect.stringContaining('in time')],
    });
  });

  it.each<readonly [string, string, RequestOptions, number]>([
    ['no JSON', '{', {}, 400],
    ['no body', '', {}, 400],
    ['null', 'null', {}, 400],
    ['a list', '[]', {}, 400],
    ['a review without a uid', '{"request":{}}', {}, 400],
    ['a uid that is none', '{"request":{"uid":{"a":1}}}', {}, 400],
    ['another path', review(), { path: '/' }, 404],
    ['a path of the health server', review(), { path: '/metrics' }, 404],
    ['another method', '', { method: 'GET' }, 404],
    ['a body that is announced as too large', '{}', { headers: { 'content-length': MAX_BODY + 1 } }, 413],
  ])('refuses %s, reviews nothing, and goes on', async (_, body, options, status) => {
    let reviewed = 0;
    await listen({ review: () => Promise.resolve({ warnings: [String(++reviewed)] }) });
    const { 'content-length': announced } = (options.headers ?? {}) as Record<string, number>;
    expect((await post(announced === undefined ? body : Buffer.alloc(announced, ' '), options)).status).toBe(status);
    expect(reviewed).toBe(0);
    expect((await post(review())).body.response?.allowed).toBe(true);
  });

  it('takes a review of its largest size, and stops reading one that goes on', async () => {
    await listen();
    const filler = (size: number): string => review({ object: 'x'.repeat(size - review({ object: '' }).length) });
    expect((await post(filler(MAX_BODY))).status).toBe(200);
    const refused = await post(filler(MAX_BODY + 1), { headers: { 'transfer-encoding': 'chunked' } });
    expect(refused.status).toBe(413);
    expect(counted).toContain('too-large');
  });

  it('closes connections that are silent, slow with their head, or slow with their body', async () => {
    await listen({ receiveWithinMs: 300 });
    const { port } = server!;
    const closed = (socket: ReturnType<typeof connectTcp>): Promise<void> =>
      new Promise((resolve) =>
        socket
          .on('error', () => undefined)
          .once('close', () => resolve())
          .resume(),
      );
    const tls = (): ReturnType<typeof connectTls> => connectTls({ host: '127.0.0.1', port, ca: authority.certificate });
    const silent = connectTcp({ host: '127.0.0.1', port });
    const slowHead = tls();
    slowHead.write('POST /mutate HTTP/1.1\r\nHost: x\r\n');
    const slowBody = tls();
    slowBody.write('POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{');
    await Promise.all([silent, slowHead, slowBody].map(closed));
    expect((await post(review())).status).toBe(200);
  });

  it('holds no more connections of one address than it should', async () => {
    await listen({ receiveWithinMs: 30_000 });
    const { port } = server!;
    let open = 0;
    let turnedAway = 0;
    const sockets = Array.from({ length: 300 }, () => {
      const socket = connectTcp({ host: '127.0.0.1', port });
      socket.on('connect', () => open++).on('error', () => undefined);
      socket.on('close', () => turnedAway++);
      return socket.resume();
    });
    await eventually(() => turnedAway >= 44, { what: 'those over the limit are turned away' });
    expect(turnedAway).toBe(44);
    for (const socket of sockets) socket.destroy();
    await eventually(async () => (await post(review()).catch(() => undefined))?.status === 200, {
      what: 'there is room again',
    });
    expect(open).toBeGreaterThanOrEqual(256);
  });
});

describe('the webhook of a cluster that shows a client certificate', () => {
  let ours: CertificateAuthority;
  let apiServer: KeyAndCertificate;
  let kubelet: KeyAndCertificate;
  let stranger: KeyAndCertificate;

  beforeAll(async () => {
    ours = await createCertificateAuthority('callers of webhooks');
    [apiServer, kubelet] = (await Promise.all(
      ['kube-apiserver', 'kubelet'].map((commonName) => ours.issue({ commonName })),
    )) as [KeyAndCertificate, KeyAndCertificate];
    stranger = await (await createCertificateAuthority('stranger')).issue({ commonName: 'kube-apiserver' });
  });

  const as = ({ certificate: cert, key }: KeyAndCertificate): RequestOptions => ({ cert, key });
  const outcome = (options: RequestOptions): Promise<number | string> =>
    post(review(), options).then(
      ({ status }) => status,
      () => 'no connection',
    );

  it('answers its holder alone', async () => {
    await listen({ clients: { ca: ours.certificate, names: ['kube-apiserver'] } });
    expect(await outcome(as(apiServer))).toBe(200);
    expect(await outcome(as(kubelet))).toBe(403);
    expect(await outcome(as(stranger))).toBe('no connection');
    expect(await outcome({})).toBe('no connection');
  });

  it('answers all of the CA when no name is given, and goes on doing so with a renewed certificate of its own', async () => {
    const running = await listen({ clients: { ca: ours.certificate, names: [] } });
    expect(await outcome(as(kubelet))).toBe(200);
    const renewed = await authority.issue({ commonName: 'webhook', ips: ['127.0.0.1'] });
    running.renew({ cert: renewed.certificate, key: renewed.key, ca: authority.certificate });
    expect(await outcome(as(kubelet))).toBe(200);
    expect(await outcome(as(stranger))).toBe('no connection');
    expect(await outcome({})).toBe('no connection');
  });
});
