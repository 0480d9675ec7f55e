import { afterEach, describe, expect, it } from 'vitest';
import { SeededRandom, SystemClock, VirtualClock } from '#libs/runtime';
import { eventName, writeEvent } from './event-writer.ts';
import { errorOfAnswer, KubernetesError } from './kubernetes-error.ts';
import type { PodObject } from './objects.ts';
import { RateLimiter } from './rate-limiter.ts';
import { Reflector, type Change } from './reflector.ts';
import { pathOf, resources } from './resources.ts';
import { json, ScriptedApiServer, type ScriptedRequest } from '../../spec/scripted-api-server.ts';
import { requestPodToken } from './token-request.ts';

let server: ScriptedApiServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function apiThat(answer: (request: ScriptedRequest, nth: number) => void) {
  let nth = 0;
  server = new ScriptedApiServer((request) => answer(request, nth++));
  return await server.start();
}

const failureOf = async (promise: Promise<unknown>): Promise<KubernetesError> => {
  try {
    await promise;
  } catch (error) {
    if (error instanceof KubernetesError) return error;
    throw error;
  }
  throw new Error('nothing failed');
};

describe('requests', () => {
  it('send who we are, and escape names', async () => {
    const api = await apiThat(({ response }) => json(response, 200, { metadata: { name: 'p' } }));

    await api.patch(resources.pods, { namespace: 'n', name: 'a/b', subresource: 'status' }, 'strategic', { x: 1 });

    const [request] = server!.requests;
    expect(request).toMatchObject({ method: 'PATCH', path: '/api/v1/namespaces/n/pods/a%2Fb/status', body: '{"x":1}' });
    expect(request!.headers).toMatchObject({
      authorization: 'Bearer canary-token',
      'content-type': 'application/strategic-merge-patch+json',
    });
    expect(pathOf(resources.leases, { namespace: 'n', name: 'l' })).toBe(
      '/apis/coordination.k8s.io/v1/namespaces/n/leases/l',
    );
  });

  it('fail with a typed error that holds no token and no query', async () => {
    const api = await apiThat(({ response }) =>
      json(response, 409, { kind: 'Status', reason: 'Conflict', message: 'the UID does not match' }),
    );

    const error = await failureOf(api.list(resources.pods, { fieldSelector: 'spec.nodeName=secret' }));

    expect(error).toMatchObject({ status: 409, reason: 'Conflict', conflict: true, transient: false });
    expect(error.message).toBe('GET /api/v1/pods: 409 Conflict: the UID does not match');
  });

  it('say when nobody answers', async () => {
    const api = await apiThat(({ response }) => response.destroy());

    const error = await failureOf(api.get(resources.nodes, { name: 'n' }));

    expect(error).toMatchObject({ status: 0, reason: 'Unreachable', transient: true });
    expect(error.message).not.toContain('canary-token');
  });

  it('wait as long as the server asks when there are too many, then go on', async () => {
    const api = await apiThat(({ response }, nth) =>
      nth === 0 ? json(response, 429, {}, { 'retry-after': '0' }) : json(response, 200, { metadata: { name: 'n' } }),
    );

    await api.get(resources.nodes, { name: 'n' });

    expect(server!.requests).toHaveLength(2);
  });

  it('are not repeated where it is unknown whether they were done', async () => {
    const api = await apiThat(({ response }) => json(response, 500, {}));

    await failureOf(api.create(resources.events, { namespace: 'n' }, {}));

    expect(server!.requests).toHaveLength(1);
  });

  it('list page by page', async () => {
    const page = (name: string, next?: string) => ({
      metadata: { resourceVersion: '7', continue: next },
      items: [{ metadata: { uid: name } }],
    });
    const api = await apiThat(({ response, query }) => {
      if (!query.get('continue')) json(response, 200, page('a', 'more'));
      else if (query.get('limit') === '500') json(response, 200, page('b'));
    });

    const { items, resourceVersion } = await api.list(resources.pods);

    expect(items.map((i) => i.metadata.uid)).toEqual(['a', 'b']);
    expect(resourceVersion).toBe('7');
  });

  it('answer no list at all when a page is refused', async () => {
    const api = await apiThat(({ response, query }) =>
      query.get('continue')
        ? json(response, 410, {})
        : json(response, 200, { metadata: { continue: 'more' }, items: [] }),
    );

    expect(await failureOf(api.list(resources.pods))).toMatchObject({ expired: true });
  });

  it('delete only the object with the UID', async () => {
    const api = await apiThat(({ response }) => json(response, 200, {}));

    await api.delete(resources.pods, { namespace: 'n', name: 'p' }, { uid: 'u', gracePeriodSeconds: 0 });

    expect(JSON.parse(server!.requests[0]!.body)).toMatchObject({ preconditions: { uid: 'u' }, gracePeriodSeconds: 0 });
  });
});

describe('errors', () => {
  it('are read from what is no Status too, and cut', () => {
    const error = errorOfAnswer('GET /x', 502, `<html>${'x'.repeat(2_000)}`);

    expect(error).toMatchObject({ status: 502, transient: true });
    expect(error.detail.length).toBe(501);
  });
});

describe('tokens', () => {
  const jwt = (claims: object): string => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;

  it('of the API server are asked for by the number of seconds that extends them, and say their own life', async () => {
    const api = await apiThat(({ response }) =>
      json(response, 201, {
        status: { token: jwt({ iat: 1_000, exp: 32_000_000 }), expirationTimestamp: '1970-01-01T01:00:00Z' },
      }),
    );

    const token = await requestPodToken(api, {
      namespace: 'n',
      serviceAccount: 'default',
      pod: { name: 'p', uid: 'u' },
    });

    expect(JSON.parse(server!.requests[0]!.body).spec).toEqual({
      expirationSeconds: 3607,
      boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' },
    });
    expect(token).toMatchObject({
      issuedAt: '1970-01-01T00:16:40.000Z',
      expiresAt: new Date(32_000_000_000).toISOString(),
    });
  });

  it('of another audience live as long as the pod asks', async () => {
    const api = await apiThat(({ response }) => json(response, 201, { status: { token: jwt({ iat: 1, exp: 2 }) } }));

    await requestPodToken(api, {
      namespace: 'n',
      serviceAccount: 's',
      pod: { name: 'p', uid: 'u' },
      audience: 'vault',
      expirationSeconds: 900,
    });

    expect(JSON.parse(server!.requests[0]!.body).spec).toMatchObject({ audiences: ['vault'], expirationSeconds: 900 });
  });
});

describe('events', () => {
  const event = { id: 'Ev 1', type: 'Normal' as const, reason: 'R', message: 'm', at: '2026-01-01T00:00:00.5Z' };
  const pod = { apiVersion: 'v1', kind: 'Pod', namespace: 'n', name: 'p', uid: 'u' };
  const write = async (answer: (request: ScriptedRequest, nth: number) => void, count?: number) =>
    await writeEvent(await apiThat(answer), pod, { ...event, count }, { name: 'c', host: 'h' });

  it('are written whatever their words and times are', async () => {
    const api = await apiThat(({ response }) => json(response, 201, { metadata: {} }));
    const odd = { ...event, message: `a\0b\ud800${'😀'.repeat(600)}`, at: '\0' };

    expect(await writeEvent(api, pod, odd, { name: 'c', host: 'h' })).toBe('created');

    const { message, lastTimestamp } = JSON.parse(server!.requests[0]!.body) as Record<string, string>;
    expect(message).toMatch(/^a\ufffdb\ufffd.{0,1100}…$/u);
    expect([message!.isWellFormed(), message!.length <= 1024]).toEqual([true, true]);
    expect(lastTimestamp).toBe('1970-01-01T00:00:00Z');
  });

  it('are named after their id', async () => {
    expect(await write(({ response }) => json(response, 201, { metadata: {} }))).toBe('created');
    expect(JSON.parse(server!.requests[0]!.body)).toMatchObject({
      metadata: { name: 'eci-fleet.ev-1' },
      lastTimestamp: '2026-01-01T00:00:00Z',
    });
    expect(eventName('A'.repeat(400)).length).toBeLessThan(253);
  });

  it('count up when they are there already', async () => {
    const answer = ({ response, method }: ScriptedRequest): void =>
      json(response, method === 'POST' ? 409 : 200, { metadata: {} });

    expect(await write(answer, 3)).toBe('repeated');
    expect(JSON.parse(server!.requests[1]!.body)).toEqual({ count: 3, lastTimestamp: '2026-01-01T00:00:00Z' });
  });

  it('give up where the namespace is going', async () => {
    expect(
      await write(({ response }) =>
        json(response, 403, { reason: 'Forbidden', message: 'namespace n is being terminated' }),
      ),
    ).toBe('gone');
  });
});

describe('the rate limit', () => {
  it('lets heartbeats pass, then new work, then the rest, and keeps to its rate', async () => {
    const clock = new VirtualClock();
    const limiter = new RateLimiter({ clock, qps: 10, burst: 1 });
    const order: string[] = [];
    const take = (priority: 'vital' | 'high' | 'normal' | 'low'): void =>
      void limiter.take(priority).then(() => order.push(priority));

    take('low');
    take('low');
    take('normal');
    take('high');
    take('vital');
    await clock.advance(0);
    expect(order).toEqual(['low', 'vital']);
    await clock.advance(1_000);

    expect(order).toEqual(['low', 'vital', 'high', 'normal', 'low']);
    for (let i = 0; i < 100; i++) take('normal');
    await clock.advance(5_000);
    expect(order.length).toBeGreaterThanOrEqual(50);
    expect(order.length).toBeLessThanOrEqual(60);
  });
});

describe('the reflector', () => {
  const pod = (uid: string, version: string): object => ({ metadata: { uid, name: uid, resourceVersion: version } });

  /** Lists and watches in the order the test gives; the last watch stays open. */
  async function reflect(script: { lists: [string, object[]][]; watches: (string | number)[][] }) {
    const changes: string[] = [];
    const watched: string[] = [];
    const told: string[] = [];
    const api = await apiThat(({ query, response }) => {
      if (query.get('watch') !== 'true') {
        const [resourceVersion, items] = script.lists.shift()!;
        return json(response, 200, { metadata: { resourceVersion }, items });
      }
      watched.push(query.get('resourceVersion')!);
      const lines = script.watches.shift();
      if (typeof lines?.[0] === 'number') return json(response, lines[0], { reason: 'Expired', code: lines[0] });
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      for (const line of lines ?? []) response.write(`${line}\n`);
      if (lines) response.end();
    });
    const reflector = new Reflector<PodObject>({
      api,
      clock: new SystemClock(),
      random: new SeededRandom(1),
      resource: resources.pods,
      onChange: (change: Change<PodObject>) =>
        changes.push(
          `${change.kind} ${change.object.metadata.uid}${change.kind === 'deleted' ? ` by ${change.by}` : ''}`,
        ),
      onError: (_, failures) => told.push(`failed ${failures}`),
      onBack: () => told.push('back'),
    });
    reflector.start();
    return { reflector, changes, watched, told };
  }
  const line = (type: string, object: object): string => JSON.stringify({ type, object });

  it('goes on from the last bookmark after the end of a watch', async () => {
    const { reflector, changes, watched } = await reflect({
      lists: [['10', [pod('a', '9')]]],
      watches: [
        [
          line('ADDED', pod('b', '11')),
          line('MODIFIED', pod('a', '12')),
          line('DELETED', pod('b', '13')),
          line('BOOKMARK', pod('', '20')),
        ],
      ],
    });

    await expect.poll(() => watched).toEqual(['10', '20']);
    expect(changes).toEqual(['added a', 'added b', 'modified a', 'deleted b by watch']);
    await reflector.stop();
  });

  it.each([
    ['as an event', [line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', metadata: {} })]],
    ['as an answer', [410]],
  ])('lists again when its place is lost (%s), and finds what is gone', async (_, expired) => {
    const { reflector, changes, watched } = await reflect({
      lists: [
        ['10', [pod('a', '1'), pod('b', '2')]],
        ['50', [pod('b', '2'), pod('c', '40')]],
      ],
      watches: [expired],
    });

    await expect.poll(() => watched).toEqual(['10', '50']);
    expect(changes).toEqual(['added a', 'added b', 'deleted a by relist', 'added c']);
    await reflector.stop();
  });

  it('counts refused watches in a row, and says once that it is back', async () => {
    const { reflector, told } = await reflect({ lists: [['10', []]], watches: [[500], [503], [500]] });

    await expect.poll(() => told, { timeout: 9_000 }).toEqual(['failed 1', 'failed 2', 'failed 3', 'back']);
    await reflector.stop();
  });

  it('calls nothing deleted when the server does not answer', async () => {
    const { reflector, changes, watched } = await reflect({ lists: [['10', [pod('a', '1')]]], watches: [[500]] });

    await expect.poll(() => watched).toEqual(['10', '10']);
    expect(changes).toEqual(['added a']);
    expect(reflector.get('a')).toBeDefined();
    await reflector.stop();
  });
});
