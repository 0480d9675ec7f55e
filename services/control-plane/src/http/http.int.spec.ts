import { request } from 'node:http';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import type { Messaging } from '#libs/messaging';
import { SystemClock } from '#libs/runtime';
import {
  createDatabase,
  createTestDatabase,
  eventually,
  freePort,
  startPostgres,
  type TestDatabase,
  newTls,
} from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { ADMIN_TOKEN, call, newMessaging, TestAgent, testConfig, unregister } from '../../spec/for-specs.ts';
import { INVENTORY } from '../intake/ports.ts';
import { PostgresDeferrals } from '../intake/postgres-deferrals.ts';
import { Quarantine } from '../quarantine/quarantine.ts';

let database: TestDatabase;
let pool: pg.Pool;
let messaging: Messaging;
let plane: ControlPlane;

const get = <T = Record<string, unknown>>(path: string, headers: Record<string, string> = {}) =>
  call<T>(plane.url, 'GET', path, { headers });
const post = <T = Record<string, unknown>>(path: string, body?: unknown, headers: Record<string, string> = {}) =>
  call<T>(plane.url, 'POST', path, { body, headers });

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api' }), { messaging });
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

describe('problems', () => {
  it('answers an unknown route', async () => {
    const answer = await get('/api/v1/nothing');
    expect(answer).toMatchObject({
      status: 404,
      body: { type: 'urn:eci-fleet:problem:unknown-route', status: 404, instance: '/api/v1/nothing' },
    });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('points at every wrong field of a body', async () => {
    const answer = await post('/api/v1/clusters', { id: 'Not Good', name: '', surprise: 1 });
    expect(answer.status).toBe(400);
    const pointers = (answer.body['errors'] as { pointer: string }[]).map((e) => e.pointer);
    expect(pointers).toEqual(expect.arrayContaining(['/id', '/name']));
    expect(JSON.stringify(answer.body['errors'])).toContain('surprise');
  });

  it('answers what is no JSON without repeating it', async () => {
    const answer = await post('/api/v1/clusters', '{"name": canary-in-the-body');
    expect(answer).toMatchObject({ status: 400, body: { type: 'urn:eci-fleet:problem:invalid-request' } });
    expect(JSON.stringify(answer.body)).not.toContain('canary');
  });

  it('answers a body that is too large', async () => {
    expect(await post('/api/v1/clusters', { name: 'x'.repeat(1_100_000) })).toMatchObject({ status: 413 });
  });

  it('answers a conflict', async () => {
    expect((await post('/api/v1/clusters', { id: 'conflict' })).status).toBe(201);
    expect(await post('/api/v1/clusters', { id: 'conflict' })).toMatchObject({
      status: 409,
      body: { type: 'urn:eci-fleet:problem:conflict' },
    });
  });
});

describe('idempotency keys', () => {
  const key = (value: string) => ({ 'idempotency-key': value });

  it('give the first answer again, secrets and all, without keeping it in clear', async () => {
    const first = await post<{ cluster: { id: string }; joinToken: { token: string } }>(
      '/api/v1/clusters',
      { name: 'once' },
      key('k-1'),
    );
    const again = await post('/api/v1/clusters', { name: 'once' }, key('k-1'));
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const { rows } = await pool.query<{ n: number }>(
      `select count(*)::int as n from fleet.cluster where name = 'once'`,
    );
    expect(rows[0]?.n).toBe(1);
    const stored = await pool.query<{ response: Buffer }>(
      `select response from fleet.idempotent_request where idempotency_key = 'k-1'`,
    );
    expect(stored.rows[0]!.response.includes(Buffer.from(first.body.joinToken.token.slice(-20)))).toBe(false);
  });

  it('refuse another body', async () => {
    await post('/api/v1/clusters', { name: 'a' }, key('k-2'));
    expect(await post('/api/v1/clusters', { name: 'b' }, key('k-2'))).toMatchObject({
      status: 422,
      body: { type: 'urn:eci-fleet:problem:idempotency-key-reused' },
    });
  });

  it('let a failed request be made again', async () => {
    expect((await post('/api/v1/clusters', { id: 'BAD' }, key('k-3'))).status).toBe(400);
    expect((await post('/api/v1/clusters', { id: 'k3-good' }, key('k-3'))).status).toBe(201);
  });

  it('do it once, however many ask at the same time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => post('/api/v1/clusters', { name: 'at-once' }, key('k-4'))),
    );
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true);
    expect(answers.some(({ status }) => status === 201)).toBe(true);
    const { rows } = await pool.query<{ n: number }>(
      `select count(*)::int as n from fleet.cluster where name = 'at-once'`,
    );
    expect(rows[0]?.n).toBe(1);
  });

  it('must be readable', async () => {
    expect(await post('/api/v1/clusters', {}, key('a b'))).toMatchObject({
      status: 400,
      body: { errors: [{ parameter: 'Idempotency-Key' }] },
    });
  });
});

describe('accounts', () => {
  it('show the name of their credential, never the key', async () => {
    const { body } = await get<{ items: Record<string, unknown>[] }>('/api/v1/accounts');
    expect(body.items[0]).toMatchObject({
      id: 'default',
      source: 'configuration',
      credential: 'default',
      auth: { state: 'untried' },
      quotas: { create: { perMinute: 1000, burst: 100 }, describe: { perMinute: 2000 }, status: { perMinute: 10_000 } },
    });
    expect(JSON.stringify(body)).not.toContain('canary');
    expect(JSON.stringify(body)).not.toContain('LTAItest');
  });

  it('can be added, with lanes of their own', async () => {
    const quotas = { create: { perMinute: 120, burst: 7 } };
    const answer = await post('/api/v1/accounts', {
      id: 'second',
      credential: 'default',
      regions: ['cn-beijing'],
      quotas,
    });
    expect(answer).toMatchObject({
      status: 201,
      body: { id: 'second', source: 'api', quotas: { create: { perMinute: 120, burst: 7 } } },
    });
    const { rows } = await pool.query(`select lane, rate, burst from es.lane where lane = 'second/cn-beijing/create'`);
    expect(rows).toEqual([{ lane: 'second/cn-beijing/create', rate: 2, burst: 6 }]);
    expect(await post('/api/v1/accounts', { id: 'second', credential: 'default', regions: [] })).toMatchObject({
      status: 409,
    });
    expect(await get('/api/v1/accounts/second')).toMatchObject({ status: 200 });
    expect(await get('/api/v1/accounts/third')).toMatchObject({ status: 404 });
  });

  it('are named when a cluster asks for one that is not there', async () => {
    expect(await post('/api/v1/clusters', { accountId: 'nobody' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/accountId', detail: expect.stringContaining('default') }] },
    });
  });
});

describe('clusters', () => {
  it('are listed in pages', async () => {
    for (const id of ['page-a', 'page-b', 'page-c']) await post('/api/v1/clusters', { id });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const { body }: { body: { items: { id: string }[]; nextCursor?: string } } = await get(
        `/api/v1/clusters?limit=2${cursor ? `&cursor=${cursor}` : ''}`,
      );
      expect(body.items.length).toBeLessThanOrEqual(2);
      seen.push(...body.items.map((c) => c.id));
      cursor = body.nextCursor;
    } while (cursor !== undefined);
    expect(seen).toEqual([...seen].sort());
    expect(seen).toEqual(expect.arrayContaining(['page-a', 'page-b', 'page-c']));
  });

  it('are hidden once unregistered, and not forgotten', async () => {
    await post('/api/v1/clusters', { id: 'leaves' });
    expect((await unregister(plane.url, 'leaves')).status).toBe(204);
    const ids = async (query = ''): Promise<string[]> =>
      (await get<{ items: { id: string }[] }>(`/api/v1/clusters?limit=200${query}`)).body.items.map((c) => c.id);
    expect(await ids()).not.toContain('leaves');
    expect(await ids('&unregistered=true')).toContain('leaves');
    expect(await get('/api/v1/clusters/leaves')).toMatchObject({ body: { state: 'unregistered' } });
    expect(await post('/api/v1/clusters/leaves/join-token')).toMatchObject({ status: 409 });
    const never = { headers: { 'if-match': '"x"' } };
    expect(await call(plane.url, 'DELETE', '/api/v1/clusters/never', never)).toMatchObject({ status: 404 });
  });

  it('are unregistered only as they were looked at, which a renewed session does not change', async () => {
    const path = '/api/v1/clusters/stated';
    const remove = (ifMatch: Record<string, string>) => call(plane.url, 'DELETE', path, { headers: ifMatch });
    const { body } = await post<{ joinToken: { token: string } }>('/api/v1/clusters', { id: 'stated' });
    const registered = (await get(path)).headers.get('etag')!;
    const agent = await TestAgent.create(plane.url, { fingerprint: 'uid-of-stated' });
    expect((await agent.join(body.joinToken.token)).status).toBe(200);
    for (const unstated of [{}, { 'if-match': '*' }])
      expect(await remove(unstated as Record<string, string>)).toMatchObject({
        status: 428,
        body: { type: 'urn:eci-fleet:problem:state-not-stated' },
      });
    expect((await remove({ 'if-match': 'W/"x"' })).status).toBe(400);
    // it has joined since
    const changed = await remove({ 'if-match': registered });
    expect(changed).toMatchObject({ status: 412, body: { type: 'urn:eci-fleet:problem:state-changed' } });
    expect((await get(path)).body).not.toMatchObject({ state: 'unregistered' });

    const joined = (await get(path)).headers.get('etag')!;
    expect((await agent.session()).status).toBe(200);
    expect((await get(path)).headers.get('etag')).not.toBe(joined);
    expect((await remove({ 'if-match': joined })).status).toBe(204);
    // repeated after a lost answer, it is done already
    expect((await remove({ 'if-match': joined })).status).toBe(204);
  });

  it('have an entity tag', async () => {
    await post('/api/v1/clusters', { id: 'tagged' });
    const etag = (await get('/api/v1/clusters/tagged')).headers.get('etag')!;
    expect((await get('/api/v1/clusters/tagged', { 'if-none-match': etag })).status).toBe(304);
  });
});

describe('a cluster that sends more than its budget', () => {
  it('says how much of it waits to be asked for again, and since when', async () => {
    await post('/api/v1/clusters', { id: 'noisy' });
    expect((await get('/api/v1/clusters/noisy')).body).not.toHaveProperty('overBudget');
    await new PostgresDeferrals({ pool, clock: new SystemClock() }).defer('noisy', ['u1', 'u2']);
    const overBudget = { waiting: 2, since: expect.any(String), message: expect.stringContaining('budget') };
    expect(await get('/api/v1/clusters/noisy')).toMatchObject({ body: { overBudget } });
  });

  it('is not one whose inventory waits for its turn, unless that takes long', async () => {
    await post('/api/v1/clusters', { id: 'in-turn' });
    const deferring = (before: number) =>
      new PostgresDeferrals({ pool, clock: { now: () => Date.now() - before } as SystemClock });
    await deferring(60_000).defer('in-turn', [INVENTORY]);
    expect((await get('/api/v1/clusters/in-turn')).body).not.toHaveProperty('overBudget');
    await pool.query(`delete from fleet.deferred_intent where cluster_id = 'in-turn'`);
    await deferring(180_000).defer('in-turn', [INVENTORY]);
    expect(await get('/api/v1/clusters/in-turn')).toMatchObject({ body: { overBudget: { waiting: 1 } } });
  });
});

describe('quarantine', () => {
  const message = {
    topic: 'eci-fleet.intents.v1',
    epoch: 1,
    partition: 3,
    offset: '42',
    key: 'k1/u1',
    reason: 'the envelope is not JSON',
    sender: { proven: true, clusterId: 'k1' } as const,
    clear: '{"clusterId":"k1"}',
    original: Buffer.from([0xff, 0x00, 0x41]),
    headers: { traceparent: '00-a' },
  };

  it('keeps a message once, as it came', async () => {
    const quarantine = new Quarantine({ pool, clock: new SystemClock() });
    await quarantine.add([message]);
    await quarantine.add([message]);
    const sender = { proven: false, clusterId: 'k1' } as const;
    await quarantine.add([{ ...message, offset: '43', sender, key: 'nul\u0000', original: null }]);
    const { body } = await get<{ items: { id: string; offset: string }[]; nextCursor?: string }>(
      '/api/v1/quarantine?limit=1',
    );
    expect(body.items.map((m) => m.offset)).toEqual(['43']);
    const rest = await get<{ items: { id: string; offset: string }[] }>(`/api/v1/quarantine?cursor=${body.nextCursor}`);
    expect(rest.body.items.map((m) => m.offset)).toEqual(['42']);
    expect((await get<{ items: unknown[] }>('/api/v1/quarantine?cluster=k1')).body.items).toHaveLength(1);
    expect(await get('/api/v1/quarantine?sender=unproven')).toMatchObject({
      body: { items: [{ claimedClusterId: 'k1', offset: '43' }] },
    });
    expect(await get('/api/v1/quarantine?sender=nobody')).toMatchObject({ status: 400 });
    expect(await get(`/api/v1/quarantine/${rest.body.items[0]!.id}`)).toMatchObject({
      body: {
        reason: message.reason,
        clear: message.clear,
        original: message.original.toString('base64'),
        headers: message.headers,
        bytes: 3,
      },
    });
    expect(await get('/api/v1/quarantine/999999')).toMatchObject({ status: 404 });
    expect(await get('/api/v1/quarantine/x')).toMatchObject({ status: 404 });
  });
});

describe('documentation and health', () => {
  it('documents every route with its schemas', async () => {
    const { body } = await get<{
      paths: Record<string, Record<string, unknown>>;
      components: { schemas: Record<string, unknown> };
    }>('/api/docs-json');
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining([
        '/api/v1/agent/join',
        '/api/v1/agent/session',
        '/api/v1/clusters',
        '/api/v1/clusters/{id}/join-token',
        '/api/v1/accounts',
        '/api/v1/container-groups',
        '/api/v1/container-groups/{id}',
        '/api/v1/container-groups/{id}/history',
        '/api/v1/events',
        '/api/v1/overview',
        '/api/v1/quarantine',
      ]),
    );
    const text = JSON.stringify(body);
    for (const known of ['clusterFingerprint', 'accessKeyIdVariable', 'updatedSince', 'nextCursor', 'Idempotency-Key'])
      expect(text).toContain(known);
    expect((await fetch(`${plane.url}/api/docs`)).status).toBe(200);
  });

  it('tells that it lives and is ready', async () => {
    expect(await get('/health/live')).toMatchObject({ status: 200 });
    expect(await get('/health/ready')).toMatchObject({ status: 200, body: { status: 'ready' } });
  });

  it('tells its metrics', async () => {
    const text = await (await fetch(`${plane.url}/metrics`)).text();
    for (const name of [
      'eci_fleet_horizon_lag_seconds',
      'eci_fleet_effects_due',
      'eci_fleet_eci_calls_total',
      'eci_fleet_append_streams_total',
    ]) {
      expect(text).toContain(name);
    }
  });

  it('says why it is not ready, and lives on', async () => {
    const own = await createTestDatabase();
    const log = newMessaging();
    const other = await startControlPlane(await testConfig(own.url), { messaging: log });
    try {
      await log.close();
      const { status, body } = await call<{ checks: { name: string; ok: boolean; reason?: string }[] }>(
        other.url,
        'GET',
        '/health/ready',
      );
      expect(status).toBe(503);
      expect(body.checks.find((c) => c.name === 'messaging')).toMatchObject({ ok: false, reason: expect.any(String) });
      expect((await call(other.url, 'GET', '/health/live')).status).toBe(200);
    } finally {
      await other.stop();
      await own.drop();
    }
  });
});

describe('the admin token', () => {
  it('is asked of operators, not of agents or probes', async () => {
    const log = newMessaging();
    const other = await startControlPlane(
      await testConfig(database.url, { FLEET_ROLES: 'api', FLEET_ADMIN_TOKEN: ADMIN_TOKEN }),
      { messaging: log },
    );
    try {
      const ask = (path: string, token?: string) =>
        call(other.url, 'GET', path, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
      expect(await ask('/api/v1/clusters')).toMatchObject({
        status: 401,
        body: { type: 'urn:eci-fleet:problem:unauthorized' },
      });
      expect((await ask('/api/v1/clusters', 'a-wrong-admin-token')).status).toBe(401);
      expect((await ask('/api/v1/clusters', ADMIN_TOKEN)).status).toBe(200);
      expect((await ask('/metrics')).status).toBe(401);
      expect((await ask('/health/ready')).status).toBe(200);
      expect(await call(other.url, 'POST', '/api/v1/agent/join', { body: { token: 't' } })).toMatchObject({
        status: 400,
      });
    } finally {
      await other.stop();
      await log.close();
    }
  });
});

describe('without an admin token', () => {
  const ask = (headers: Record<string, string>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      // `fetch` does not let us lie about the host.
      const { hostname, port } = new URL(plane.url);
      request({ hostname, port, path: '/api/v1/clusters', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });

  it('answers nobody who comes through a web page', async () => {
    const { port, host } = new URL(plane.url);
    expect(await ask({})).toBe(200);
    expect(await ask({ host: `localhost:${port}`, origin: `http://localhost:${port}` })).toBe(200);
    expect(await ask({ host, origin: 'https://elsewhere.example' })).toBe(403);
    expect(await ask({ host, origin: 'null' })).toBe(403);
    expect(await ask({ host: `rebound.example:${port}` })).toBe(403);
  });
});

describe('TLS', () => {
  it('is spoken when a certificate is configured', async () => {
    const { tls, ca } = await newTls();
    const log = newMessaging();
    const config = await testConfig(database.url, { FLEET_ROLES: 'api', FLEET_ADMIN_TOKEN: ADMIN_TOKEN });
    const other = await startControlPlane({ ...config, http: { ...config.http, tls } }, { messaging: log });
    try {
      expect(other.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
      const status = await new Promise<number | undefined>((resolve, reject) => {
        httpsRequest(
          `${other.url}/api/v1/clusters`,
          { ca, headers: { authorization: `Bearer ${ADMIN_TOKEN}` } },
          (response) => {
            response.resume();
            resolve(response.statusCode);
          },
        )
          .on('error', reject)
          .end();
      });
      expect(status).toBe(200);
    } finally {
      await other.stop();
      await log.close();
    }
  });
});

describe('a certificate that is renewed', () => {
  it('is shown by the next connection, without a restart; half of one changes nothing', async () => {
    const { tls, ca, renew } = await newTls();
    const log = newMessaging();
    const config = await testConfig(database.url, { FLEET_ROLES: 'api', FLEET_ADMIN_TOKEN: ADMIN_TOKEN });
    const other = await startControlPlane({ ...config, http: { ...config.http, tls } }, { messaging: log });
    const shown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({ port: Number(new URL(other.url).port), host: '127.0.0.1', ca }, () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        }).on('error', reject);
      });
    try {
      const before = await shown();
      const renewed = await renew();
      expect(renewed).not.toBe(before);
      expect(await shown()).toBe(renewed);

      // A key of another certificate, as between two writes; and no key at all.
      const key = await readFile(tls.keyFile);
      await writeFile(tls.keyFile, await readFile((await newTls()).tls.keyFile));
      expect(await shown()).toBe(renewed);
      await rm(tls.keyFile);
      expect(await shown()).toBe(renewed);
      await writeFile(tls.keyFile, key);
      expect(await shown()).toBe(renewed);
      const last = await renew();
      expect(await shown()).toBe(last);
    } finally {
      await other.stop();
      await log.close();
    }
  });
});

describe('without PostgreSQL', () => {
  it('says so, answers what it can, and is itself again when the database comes back', async () => {
    const rig = await startPostgres();
    const { url } = await createDatabase(rig.url);
    const log = newMessaging();
    const other = await startControlPlane(await testConfig(url, { DATABASE_MIGRATE: 'true' }), { messaging: log });
    const ready = () =>
      call<{ checks: { name: string; ok: boolean; reason?: string }[] }>(other.url, 'GET', '/health/ready');
    try {
      expect((await ready()).status).toBe(200);
      await rig.process.kill9();
      await eventually(async () => (await ready()).body.checks.find((c) => c.name === 'postgresql')?.reason, {
        what: 'readiness names the database',
      });
      expect(await call(other.url, 'GET', '/api/v1/clusters')).toMatchObject({
        status: 503,
        body: { type: 'urn:eci-fleet:problem:unavailable' },
      });
      expect((await call(other.url, 'GET', '/health/live')).status).toBe(200);
      expect((await fetch(`${other.url}/metrics`)).status).toBe(200);
      await rig.process.start();
      const readyAgain = async () => {
        const { status, body } = await ready();
        expect(body.checks.filter((check) => !check.ok)).toEqual([]);
        return status === 200;
      };
      await eventually(readyAgain, { what: 'it is ready again', deadlineMs: 40_000 });
      expect((await call(other.url, 'GET', '/api/v1/clusters')).status).toBe(200);
    } finally {
      await other.stop();
      await log.close();
      await rig.stop();
    }
  });
});

describe('the start', () => {
  it('fails with the address when the port is taken', async () => {
    const log = newMessaging();
    const { port } = new URL(plane.url);
    await expect(
      startControlPlane(await testConfig(database.url, { HTTP_PORT: port }), { messaging: log }),
    ).rejects.toThrow(`127.0.0.1:${port}`);
    await log.close();
  });

  it('waits for PostgreSQL and can be stopped while it waits', async () => {
    const log = newMessaging();
    const asked = new AbortController();
    const nowhere = `postgres://u:p@127.0.0.1:${await freePort()}/x`;
    const starting = startControlPlane(await testConfig(nowhere), { messaging: log, signal: asked.signal });
    asked.abort();
    await expect(starting).rejects.toThrow('asked to stop while waiting for PostgreSQL');
    await log.close();
  });
});
