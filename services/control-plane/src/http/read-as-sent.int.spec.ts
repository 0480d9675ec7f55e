import pg from 'pg';
import { gzipSync } from 'node:zlib';
import { orphanStreamId, streamIdOf } from '#libs/domain';
import { PostgresEventStore } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { SystemClock, SystemIds } from '#libs/runtime';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterChanges } from '../clusters/cluster-changes.ts';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { newMessaging, testConfig } from '../../spec/for-specs.ts';
import { OrphanStreams } from '../orphans/orphan-streams.ts';
import { documentedRoutes, pathWith, type DocumentedRoute } from '../../spec/http/api-document.ts';

/** A request is carried out as it was sent, or refused; never as an emptier one. Held for every route of the document. */
let database: TestDatabase;
let pool: pg.Pool;
let messaging: Messaging;
let plane: ControlPlane;
let writes: readonly DocumentedRoute[];
let all: readonly DocumentedRoute[];

/** Id of a cluster with a hold and of an orphan: whatever a route acts on is there. */
const THING = 'x1';

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api' }), { messaging });
  await pool.query(
    `insert into fleet.cluster (id, name, account_id, registered_at, joined_at) values ($1, $1, 'default', now(), now())`,
    [THING],
  );
  await pool.query(
    `insert into fleet.hold (id, cluster_id, fired_at, last_held_at, population, allowance, passed, asked) values ($1 || '/1', $1, now(), now(), 9, 1, 1, 5)`,
    [THING],
  );
  const store = new PostgresEventStore(pool);
  await store.append(
    ['u1', 'u2'].map((uid) => ({
      streamId: streamIdOf(THING, uid),
      expected: 0,
      events: [
        {
          eventId: crypto.randomUUID(),
          type: 'StopHeld',
          schemaVersion: 1,
          data: {
            hold: `${THING}/1`,
            by: 'agent:x1',
            reason: 'Absent',
            namespace: 'n',
            name: uid,
            agentEpoch: 1,
            sequence: 1,
          },
          metadata: { actor: 'agent:x1', decidedAt: new Date().toISOString() },
        },
      ],
    })),
  );
  const facts = { accountId: 'default', region: 'cn-hangzhou', containerGroupId: THING, status: 'Running' as const };
  await new OrphanStreams({ store, clock: new SystemClock(), ids: new SystemIds() }).execute(
    orphanStreamId(facts),
    { type: 'Quarantine', facts, why: 'no stream' },
    { actor: 'control-plane:observe' },
  );
  // What housekeeping would tell at its leisure.
  await new ClusterChanges({ pool, clock: new SystemClock(), ids: new SystemIds() }).tellUntold();
  all = await documentedRoutes(plane.url);
  writes = all.filter(({ method }) => method !== 'GET');
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

/** Every row of ours. */
async function everyRow(): Promise<string> {
  const { rows } = await pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('es', 'fleet') order by 1`,
  );
  const texts: string[] = [];
  for (const { name } of rows) {
    const answer = await pool.query<{ text: string }>(
      `select coalesce(string_agg(t::text, chr(10) order by t::text), '') as text from ${name} t`,
    );
    texts.push(`${name}\n${answer.rows[0]!.text}`);
  }
  return texts.join('\n');
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: {
    readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string; readonly detail: string }[];
  };
}

async function send(
  { method, path }: { readonly method: string; readonly path: string },
  body: string | Uint8Array<ArrayBuffer> | undefined,
  headers: Record<string, string> = {},
): Promise<Answer> {
  // A Blob without a type goes out without Content-Type, which a string never does.
  const sent = body === undefined ? {} : { body: new Blob([body]) };
  const response = await fetch(`${plane.url}${path}`, { method, headers: { 'if-match': '"x"', ...headers }, ...sent });
  const text = await response.text();
  return { status: response.status, text, body: text === '' ? {} : (JSON.parse(text) as Answer['body']) };
}

const at = (route: DocumentedRoute): { method: string; path: string } => ({
  method: route.method,
  path: pathWith(route, THING),
});

describe('a body that is not said to be JSON', () => {
  it.each([
    ['text/plain', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a multipart form', { 'content-type': 'multipart/form-data; boundary=b' }],
    ['no type', {}],
    ['a type that only begins like JSON', { 'content-type': 'application/jsonp' }],
    ['nonsense', { 'content-type': ';' }],
    ['JSON in another charset', { 'content-type': 'application/json; charset=iso-8859-1' }],
    ['JSON in UTF-16', { 'content-type': 'application/json; charset=utf-16' }],
    ['an encoding that nobody knows', { 'content-type': 'application/json', 'content-encoding': 'zip' }],
  ])('is 415 on every route and changes nothing: %s', async (_, headers) => {
    expect(writes.length).toBeGreaterThanOrEqual(8);
    const before = await everyRow();
    for (const route of writes) {
      const answer = await send(
        at(route),
        '{"only":["u1"],"by":"alice","id":"canary-id"}',
        headers as Record<string, string>,
      );
      expect([route.method, route.path, answer.status]).toEqual([route.method, route.path, 415]);
      expect(answer.text).not.toContain('canary');
    }
    expect(await everyRow()).toBe(before);
  });

  it('is 415 on a GET as well, which would not have looked at it', async () => {
    // `fetch` sends no body with a GET.
    const { request } = await import('node:http');
    const { hostname, port } = new URL(plane.url);
    const status = await new Promise((resolve, reject) =>
      request({ hostname, port, path: '/api/v1/clusters', headers: { 'content-length': 2 } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end('{}'),
    );
    expect(status).toBe(415);
  });

  it.each([
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), {}, 415],
    ['what is no gzip', new TextEncoder().encode('{}'), { 'content-encoding': 'gzip' }, 400],
    ['no object', new TextEncoder().encode('"x"'), {}, 400],
    ['half a surrogate pair', new TextEncoder().encode('{"name":"\\ud800"}'), {}, 400],
  ] as const)('is refused too when it cannot be read: %s', async (_, body, headers, status) => {
    const answer = await send({ method: 'POST', path: '/api/v1/clusters' }, body, {
      'content-type': 'application/json',
      ...headers,
    });
    expect(answer.status).toBe(status);
  });

  it('is taken as JSON by any name of it, and compressed', async () => {
    for (const type of ['application/json', 'APPLICATION/JSON; charset=UTF-8', 'application/vnd.example+json'])
      expect(
        (await send({ method: 'POST', path: '/api/v1/clusters' }, '{"name":"n"}', { 'content-type': type })).status,
      ).toBe(201);
    const packed = await send({ method: 'POST', path: '/api/v1/clusters' }, new Uint8Array(gzipSync('{"name":"n"}')), {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    });
    expect(packed.status).toBe(201);
  });

  it('may be left out where every member is optional, whatever type is named', async () => {
    expect(
      (await send({ method: 'POST', path: '/api/v1/clusters' }, undefined, { 'content-type': 'text/plain' })).status,
    ).toBe(201);
  });
});

describe('a member that no schema knows', () => {
  it('is 400 with its place on every route, and changes nothing', async () => {
    const before = await everyRow();
    for (const route of writes) {
      for (const member of ['surprise', '__proto__', 'constructor']) {
        const answer = await send(at(route), `{${JSON.stringify(member)}:{"canary":1}}`, {
          'content-type': 'application/json',
        });
        expect([route.method, route.path, member, answer.status]).toEqual([route.method, route.path, member, 400]);
        const pointers = (answer.body.errors ?? []).map(({ pointer }) => pointer);
        expect(pointers).toContain(route.bodyNames === undefined ? '' : `/${member}`);
        expect(answer.text).not.toContain('canary');
      }
    }
    expect(await everyRow()).toBe(before);
  });

  it('is refused deep within, with the name that was meant', async () => {
    const answer = await send(
      { method: 'POST', path: '/api/v1/accounts' },
      JSON.stringify({
        id: 'n',
        credential: { kind: 'file', path: '/x' },
        regions: [],
        quotas: { create: { perMinuet: 1 } },
      }),
      { 'content-type': 'application/json' },
    );
    expect(answer.body.errors).toContainEqual({
      pointer: '/quotas/create/perMinuet',
      detail: 'is not known here; did you mean perMinute?',
    });
  });

  it('is told of fifty times at most', async () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`m${i}`, 1]));
    const answer = await send({ method: 'POST', path: '/api/v1/clusters' }, JSON.stringify(many), {
      'content-type': 'application/json',
    });
    expect([answer.status, answer.body.errors?.length]).toEqual([400, 50]);
  });
});

describe('a query parameter that no route knows', () => {
  it('is 400 by its name on every route of the API', async () => {
    for (const route of all.filter(({ path }) => path.startsWith('/api/'))) {
      const { method, path } = at(route);
      const answer = await send({ method, path: `${path}?surprise=1` }, undefined);
      expect([method, path, answer.status]).toEqual([method, path, 400]);
      expect((answer.body.errors ?? []).map(({ parameter }) => parameter)).toContain('surprise');
    }
  });

  it('does not end a probe', async () => {
    expect((await send({ method: 'GET', path: '/health/live?probe=1' }, undefined)).status).toBe(200);
  });
});
