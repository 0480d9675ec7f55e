import type { KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BEGINNING, encodeCursor } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { MasterKey } from '../keys/master-key.ts';
import { call, newMessaging, TestAgent, testConfig } from '../../spec/for-specs.ts';
import { documentedRoutes, type DocumentedRoute } from '../../spec/http/api-document.ts';
import { send as sendTo } from '../../spec/http/fuzz.ts';
import { bareCursor, type OddRequest } from '../../spec/http/odd-requests.ts';
import { cursorKey, signCursor } from './signed-cursors.ts';

/** Whatever is sent, on whatever route, is answered by what is wrong with it: never 5xx, and never with what lies behind. */
let database: TestDatabase;
let messaging: Messaging;
let plane: ControlPlane;
let routes: readonly DocumentedRoute[];
let masterKey: Uint8Array;
let key: KeyObject;

beforeAll(async () => {
  database = await createTestDatabase();
  messaging = newMessaging();
  const config = await testConfig(database.url, { FLEET_ROLES: 'api' });
  ({ masterKey } = config);
  key = cursorKey(new MasterKey(masterKey));
  plane = await startControlPlane(config, { messaging });
  for (const id of ['c1', 'c2']) await call(plane.url, 'POST', '/api/v1/clusters', { body: { id } });
  routes = await documentedRoutes(plane.url);
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await database?.drop();
});

const send = (request: OddRequest): ReturnType<typeof sendTo> => sendTo(plane.url, request);
const get = (path: string): ReturnType<typeof send> => send({ method: 'GET', path, headers: {} });

const feed = encodeCursor(BEGINNING);
const iso = '2026-01-01T00:00:00.000Z';

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
  '/api/v1/clusters/{id}/history': ['history', ['1'], [null], [1.5], [-1], [0], [1e300], [2 ** 53], [1, 2], []],
  '/api/v1/accounts/{id}/history': ['history', ['1'], [null], [1.5], [-1], [0], [1e300], [2 ** 53], [1, 2], []],
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
    const route = path.replaceAll(/\{(\w+)\}/g, ':$1');
    const params = Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name!, 'c1']));
    const bare = [
      ...positions.map((position) => bareCursor([list, ...position])),
      ...Object.values(FORGED).flatMap(([other, ...theirs]) =>
        other === list ? [] : theirs.slice(0, 2).map((each) => bareCursor([other, ...each])),
      ),
      bareCursor({ 0: list }),
      bareCursor([list]),
      bareCursor(list),
      bareCursor(null),
      '',
      'not-base64-json',
      '%00',
      '%F0%9F%A6%80',
    ];
    // Even one that bears our MAC is not read as what it is not.
    const signed = bare.map((cursor) => signCursor(key, { route, params, filter: {} }, decodeURIComponent(cursor)));
    for (const cursor of [...bare, ...bare.map((each) => `${each}.`), ...signed.map(encodeURIComponent)]) {
      const { status, text } = await get(`${path.replaceAll(/\{\w+\}/g, 'c1')}?cursor=${cursor}`);
      const seen = Buffer.from(cursor, 'base64url').toString('utf8').slice(0, 100);
      expect([seen, status]).toEqual([seen, 400]);
      expect(JSON.parse(text)).toMatchObject({ errors: [{ parameter: 'cursor' }] });
    }
  });
});

describe('the cursor of a page', () => {
  const next = async (query: string): Promise<string> =>
    (JSON.parse((await get(`/api/v1/clusters?limit=1${query}`)).text) as { nextCursor: string }).nextCursor;
  const ask = async (query: string): Promise<number> => (await get(`/api/v1/clusters?${query}`)).status;

  it('is taken as it was given, and in no other spelling', async () => {
    const cursor = await next('');
    expect(await ask(`cursor=${cursor}`)).toBe(200);
    // The last of 22 characters has bits to spare.
    const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const sameBytes = last[last.indexOf(cursor.at(-1)!) + 1]!;
    for (const other of [`${cursor}=`, `${cursor}!`, `${cursor}.`, `x${cursor}`, cursor.slice(0, -1) + sameBytes])
      expect([other, await ask(`cursor=${other}`)]).toEqual([other, 400]);
    expect(await ask(`cursor=${cursor}&cursor=${cursor}`)).toBe(400);
  });

  it('is none when any of its characters is another', async () => {
    const cursor = await next('');
    for (let i = 0; i < cursor.length; i++) {
      const changed = `${cursor.slice(0, i)}${cursor[i] === 'A' ? 'B' : 'A'}${cursor.slice(i + 1)}`;
      expect([i, await ask(`cursor=${changed}`)]).toEqual([i, 400]);
    }
  });

  it('is good for the filter that it was made for, with pages of any size, and for no other', async () => {
    const all = await next('&unregistered=true');
    expect(await ask(`limit=7&unregistered=true&cursor=${all}`)).toBe(200);
    expect(await ask(`cursor=${all}&unregistered=true`)).toBe(200);
    for (const other of ['', '&unregistered=false', '&unregistered=true&unregistered=true'])
      expect([other, await ask(`cursor=${all}${other}`)]).toEqual([other, 400]);
    expect(JSON.parse((await get(`/api/v1/clusters?cursor=${all}`)).text)).toMatchObject({
      errors: [{ parameter: 'cursor', detail: expect.stringContaining('leave it out to begin at the first page') }],
    });
    expect((await get(`/api/v1/accounts?cursor=${all}`)).status).toBe(400);
  });

  it('is good on every replica with the same master key, and on no other', async () => {
    const other = async (masterKey: Uint8Array): Promise<number> => {
      const config = await testConfig(database.url, { FLEET_ROLES: 'api' });
      const replica = await startControlPlane({ ...config, masterKey }, { messaging });
      try {
        return (await sendTo(replica.url, { method: 'GET', path: `/api/v1/clusters?cursor=${cursor}`, headers: {} }))
          .status;
      } finally {
        await replica.stop();
      }
    };
    const cursor = await next('');
    expect(await other(masterKey)).toBe(200);
    expect(await other(new Uint8Array(32).fill(9))).toBe(400);
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
