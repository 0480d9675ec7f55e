import { request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BEGINNING, encodeCursor } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { call, newMessaging, TestAgent, testConfig } from '../for-specs.ts';
import { documentedRoutes, type DocumentedRoute } from './api-document.ts';

/** Whatever is sent, on whatever route, is answered by what is wrong with it: never 5xx, and never with what lies behind. */
let database: TestDatabase;
let messaging: Messaging;
let plane: ControlPlane;
let routes: readonly DocumentedRoute[];

beforeAll(async () => {
  database = await createTestDatabase();
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api' }), { messaging });
  for (const id of ['c1', 'c2']) await call(plane.url, 'POST', '/api/v1/clusters', { body: { id } });
  routes = await documentedRoutes(plane.url);
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await database?.drop();
});

interface Sent {
  readonly method: string;
  /** As it goes on the wire. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** `fetch` would mend the path. */
function send({ method, path, headers, body }: Sent): Promise<{ readonly status: number; readonly text: string }> {
  const { hostname, port } = new URL(plane.url);
  return new Promise((resolve, reject) => {
    request({ hostname, port, method, path, headers }, (response) => {
      const parts: Buffer[] = [];
      response
        .on('data', (part: Buffer) => parts.push(part))
        .on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }))
        .on('error', reject);
    })
      .on('error', reject)
      .end(body);
  });
}

const get = (path: string): ReturnType<typeof send> => send({ method: 'GET', path, headers: {} });

/** Words of a stack, of PostgreSQL and of its driver. */
const BEHIND =
  /node_modules|\.[jt]s:\d|\n\s+at |invalid byte sequence|invalid input syntax|violates|relation "|fleet\.|es\.event|PostgreSQL does/;

const feed = encodeCursor(BEGINNING);
const iso = '2026-01-01T00:00:00.000Z';
const cursorOf = (parts: unknown): string => Buffer.from(JSON.stringify(parts), 'utf8').toString('base64url');

/** Positions that no page of the list ever gave. */
const FORGED: Readonly<Record<string, readonly [list: string, ...positions: readonly unknown[][]]>> = {
  '/api/v1/clusters': ['clusters', [null], [1], [], ['a', 'b'], ['a\0'], ['\ud800'], ['x'.repeat(500)], [{}], [['a']]],
  '/api/v1/accounts': ['accounts', [null], [1], [], ['a', 'b'], ['a\0'], ['\ud800'], ['x'.repeat(500)], [{}], [['a']]],
  '/api/v1/orphans': ['orphans', [null], [1], [], ['a', 'b'], ['a\0'], ['\ud800'], ['x'.repeat(500)], [{}], ['a\nb']],
  '/api/v1/quarantine': [
    'quarantine',
    ['abc'],
    [null],
    [1],
    ['9223372036854775808'],
    ['0'],
    ['-1'],
    ['1e3'],
    ['1\0'],
    [''],
  ],
  '/api/v1/audit/seals': ['seals', ['abc'], [null], [1], ['9223372036854775808'], ['0'], ['-1'], [' 1'], ['1\0'], ['']],
  '/api/v1/container-groups/{id}/history': ['history', ['1'], [null], [1.5], [-1], [0], [1e300], [2 ** 53], [1, 2], []],
  '/api/v1/holds/{cluster}': [
    'held-stops',
    [null, null],
    ['abc', 's'],
    ['0000-01-01T00:00:00.000Z', 's'],
    ['2026-02-30T00:00:00.000Z', 's'],
    ['2026-01-01T00:00:00Z', 's'],
    ['+275760-09-13T00:00:00.000Z', 's'],
    [iso, 's\0'],
    [iso],
    [iso, 's', 's'],
    [0, 's'],
  ],
  '/api/v1/container-groups': [
    'container-groups',
    [null],
    ['abc'],
    [1, 's'],
    [1, 's', null],
    [1, 's', 'undefined'],
    [1, 's', ''],
    [1, 's\0', feed],
    [1, '\ud800', feed],
    [1e300, 's', feed],
    [8.64e15, 's', feed],
    [-1, 's', feed],
    [1.5, 's', feed],
    [iso, 's', feed],
  ],
};

describe('a forged cursor', () => {
  it('is tried on every list there is', () => {
    const lists = routes.filter(({ queryNames }) => queryNames.includes('cursor')).map(({ path }) => path);
    expect(lists.sort()).toEqual(Object.keys(FORGED).sort());
  });

  it.each(Object.entries(FORGED))('is 400 by its name: %s', async (path, [list, ...positions]) => {
    const ask = async (cursor: string) => get(`${path.replaceAll(/\{\w+\}/g, 'c1')}?cursor=${cursor}`);
    const cursors = [
      ...positions.map((position) => cursorOf([list, ...position])),
      ...Object.values(FORGED).flatMap(([other, ...theirs]) =>
        other === list ? [] : theirs.slice(0, 2).map((each) => cursorOf([other, ...each])),
      ),
      cursorOf({ 0: list }),
      cursorOf([list]),
      cursorOf(list),
      cursorOf(null),
      '',
      'not-base64-json',
      '%00',
      '%F0%9F%A6%80',
    ];
    for (const cursor of cursors) {
      const { status, text } = await ask(cursor);
      const seen = Buffer.from(cursor, 'base64url').toString('utf8').slice(0, 100);
      expect([seen, status]).toEqual([seen, 400]);
      expect(JSON.parse(text)).toMatchObject({ errors: [{ parameter: 'cursor' }] });
    }
  });

  it('of a page is taken as it was given, and in no other spelling', async () => {
    const { nextCursor } = JSON.parse((await get('/api/v1/clusters?limit=1')).text) as { nextCursor: string };
    expect((await get(`/api/v1/clusters?limit=1&cursor=${nextCursor}`)).status).toBe(200);
    const spaced = Buffer.from('[ "clusters", "c1" ]').toString('base64url');
    for (const other of [`${nextCursor}=`, `${nextCursor}!`, spaced])
      expect((await get(`/api/v1/clusters?limit=1&cursor=${other}`)).status).toBe(400);
  });
});

describe('a path or a query', () => {
  it.each([
    ['U+0000', '%00'],
    ['a control character', 'a%0Ab'],
    ['a control character of the second set', 'a%C2%85b'],
    ['half a surrogate pair', '%ED%A0%80'],
    ['broken percent-encoding', 'a%zz'],
    ['cut percent-encoding', 'a%4'],
    ['bytes that are no UTF-8', '%ff%fe'],
    ['more than any id has', 'a'.repeat(401)],
  ])('with %s is 400 on every route', async (_, value) => {
    for (const { method, path, queryNames } of routes.filter(({ path: each }) => each.startsWith('/api/'))) {
      const filled = path.replaceAll(/\{\w+\}/g, value);
      const asked = filled === path ? [] : [filled];
      if (value.length < 100)
        asked.push(...queryNames.map((name) => `${path.replaceAll(/\{\w+\}/g, 'c1')}?${name}=${value}`));
      for (const each of asked) {
        const { status, text } = await send({ method, path: each, headers: {} });
        expect([method, each, status]).toEqual([method, each, 400]);
        expect(JSON.parse(text)).toMatchObject({ errors: [{ parameter: expect.any(String) }] });
      }
    }
  });

  it('that is longer than all of ours is refused before it is looked at', async () => {
    expect((await get(`/api/v1/clusters/${'a'.repeat(2_000)}`)).status).toBe(414);
  });
});

describe('what an agent that nobody knows may send', () => {
  it.each([['a\0'], ['\ud800'], [''], ['x'.repeat(64)], [7], [null], [{}], ['a\nb']])(
    'names no cluster by %j, and is 401',
    async (iss) => {
      const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      const assertion = `${part({ alg: 'ES256' })}.${part({ iss, sub: iss })}.c2ln`;
      const body = JSON.stringify({
        assertion,
        clusterFingerprint: 'f',
        agentId: 'a',
        agentVersion: '1',
        nodeName: 'n',
      });
      const answer = await send({
        method: 'POST',
        path: '/api/v1/agent/session',
        headers: { 'content-type': 'application/json' },
        body,
      });
      expect(answer.status).toBe(401);
    },
  );

  it('and one that is known, with claims that no clock ever shows', async () => {
    const registered = await call<{ joinToken: { token: string } }>(plane.url, 'POST', '/api/v1/clusters', {
      body: { id: 'odd' },
    });
    const agent = await TestAgent.create(plane.url);
    expect((await agent.join(registered.body.joinToken.token)).status).toBe(200);
    for (const claims of [
      { exp: 1e15 },
      { exp: -1e15 },
      { jti: '' },
      { jti: '\0'.repeat(201) },
      { aud: '\0' },
      { sub: '\0' },
    ])
      expect((await agent.session({ assertion: await agent.assertion(claims) })).status).toBe(401);
    expect((await agent.session({ assertion: await agent.assertion({ jti: 'a\0\ud800' }) })).status).toBe(200);
  });
});

const ODD_TEXTS = [
  '\0',
  'a\0b',
  '\ud800',
  '\udc00x',
  '\n',
  '\u0085',
  '',
  ' ',
  'c1',
  'default',
  "'; drop table fleet.cluster; --",
  '%00',
  '%',
  '../../etc/passwd',
  '\u{1f980}'.repeat(80),
  'x'.repeat(3_000),
  '__proto__',
  '9223372036854775808',
  '-1',
  '1e400',
  'NaN',
  'Infinity',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  '2026-01-01T00:00:00+23:59',
  'container_group:c1:\0',
  'c1/\0',
  'a/b/c',
  '00000000-0000-0000-0000-000000000000',
];
const oddText = fc.oneof(
  fc.constantFrom(...ODD_TEXTS),
  fc.string({ unit: 'binary', maxLength: 40 }),
  // Every UTF-16 unit, lone surrogates too.
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 }).map((units) => String.fromCharCode(...units)),
  fc
    .constantFrom('clusters', 'accounts', 'orphans', 'quarantine', 'seals', 'history', 'held-stops', 'container-groups')
    .chain((list) =>
      fc
        .array(
          fc.oneof(fc.jsonValue(), fc.constantFrom(...ODD_TEXTS), fc.double(), fc.constant(feed), fc.constant(iso)),
          { maxLength: 4 },
        )
        .map((rest) => cursorOf([list, ...rest])),
    ),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
);
/** On the wire: encoded, as it comes, or encoded wrongly. */
const wire = fc.oneof(
  { weight: 6, arbitrary: oddText.map((text) => encodeURIComponent(text.toWellFormed())) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('%', '%zz', '%ff', '%ed%a0%80', '%c0%80', '%00', '%252500', '&&=', '[]', '\u00e9'),
  },
);
const oddJson = fc.oneof(
  oddText,
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1e300,
    2 ** 53,
    [],
    {},
    ['u1', '\0'],
    { '\0': '\0' },
    { kind: 'file', path: '/\0' },
  ),
);
const oddHeaders = fc.record(
  {
    'idempotency-key': fc.constantFrom('k', 'a b', 'x'.repeat(201), 'x'.repeat(4_000), '\u00e9', ''),
    'if-match': fc.constantFrom(
      '"x"',
      '*',
      'x',
      'W/"x"',
      '"a", "b"',
      '"',
      `"${'x'.repeat(4_000)}"`,
      '"9-9-9-0123456789abcdef"',
    ),
    'if-none-match': fc.constantFrom('*', '"', 'W/"\u00e9"', ','.repeat(2_000)),
    authorization: fc.constantFrom('Bearer', 'Bearer \u00ff', 'Basic x', ''),
    accept: fc.constantFrom('text/html', '*/*;q=nonsense', ''),
    'accept-encoding': fc.constantFrom('zip', ''),
    traceparent: fc.constantFrom('00-\u00ff', ''),
    'x-forwarded-for': fc.constantFrom("'", '\u00ff'),
    'x-http-method-override': fc.constantFrom('DELETE'),
    'content-encoding': fc.constantFrom('gzip', 'zip', 'identity', ''),
    'content-type': fc.constantFrom(
      'text/plain',
      'application/json; charset=utf-7',
      'application/json;;',
      '',
      'application/x-www-form-urlencoded',
    ),
  },
  { requiredKeys: [] },
);
/** Deeper than whoever calls itself can go. */
const DEEP = `{"publicKey":${'{"a":'.repeat(90_000)}1${'}'.repeat(90_001)}`;

function anyRequest(route: DocumentedRoute): fc.Arbitrary<Sent> {
  const { method, queryNames, bodyNames = ['by'] } = route;
  const places = route.path.split(/\{\w+\}/);
  return fc
    .record({
      values: fc.array(wire, { minLength: places.length, maxLength: places.length }),
      query: fc.array(fc.tuple(fc.constantFrom(...queryNames, 'surprise', '%00', 'limit'), wire), { maxLength: 3 }),
      headers: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: oddHeaders }),
      body: fc.oneof(
        {
          weight: 8,
          arbitrary: fc
            .dictionary(fc.constantFrom(...(bodyNames.length > 0 ? bodyNames : ['by'])), oddJson)
            .map((body) => JSON.stringify(body)),
        },
        { weight: 1, arbitrary: fc.dictionary(oddText, oddJson).map((body) => JSON.stringify(body)) },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            DEEP,
            '[',
            '{"a":1',
            'null',
            '"\\ud800"',
            '[]',
            '\0',
            '{"a":"\\u0000"}',
            '{"by":"\\ud800"}',
          ),
        },
      ),
    })
    .map(({ values, query, headers, body }) => {
      const path = places.map((place, i) => (i === 0 ? place : `${values[i]}${place}`)).join('');
      const sent = method === 'GET' ? undefined : body;
      return {
        method,
        path: `${path}${query.length > 0 ? '?' : ''}${query.map(([name, value]) => `${name}=${value}`).join('&')}`,
        headers: {
          ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
          ...(sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) }),
        },
        ...(sent === undefined ? {} : { body: sent }),
      };
    });
}

describe('a body that is deeper than whoever calls itself can go', () => {
  it.each(['{"a":', '['])('is 400 on every route, and costs no more than another: %s', async (open) => {
    const close = open === '[' ? ']' : '}';
    const body = `{"publicKey":${open.repeat(90_000)}1${close.repeat(90_000)}}`;
    for (const { method, path } of routes.filter((route) => route.method !== 'GET')) {
      const { status } = await send({
        method,
        path: path.replaceAll(/\{\w+\}/g, 'c1'),
        headers: {
          'content-type': 'application/json',
          'content-length': String(body.length),
          'idempotency-key': 'deep',
        },
        body,
      });
      expect([path, status]).toEqual([path, 400]);
    }
  });
});

describe('requests that nobody would make', () => {
  it.each([7, 11])('are answered without 5xx, and without a word of what lies behind: seed %i', async (seed) => {
    const statuses = new Map<number, number>();
    for (const route of routes) {
      for (const sent of fc.sample(anyRequest(route), { seed, numRuns: route.method === 'GET' ? 15 : 30 })) {
        const { status, text } = await send(sent);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        const short = { ...sent, body: sent.body?.slice(0, 500), status, text: text.slice(0, 500) };
        expect(status < 500 && (sent.path.startsWith('/metrics') || !BEHIND.test(text)), JSON.stringify(short)).toBe(
          true,
        );
      }
    }
    // It reached what lies behind the doors, and was refused there, too.
    for (const status of [200, 400, 404, 415])
      expect(statuses.get(status) ?? 0, `answers ${status}`).toBeGreaterThan(0);
    expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(400);
  });
});
