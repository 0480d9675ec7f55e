import { generateKeyPair } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SESSION_PROBLEMS } from '#libs/contracts';
import type { Messaging } from '#libs/messaging';
import { createTestDatabase, eventually, type TestDatabase } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import {
  call,
  newMessaging,
  StandingClock,
  TestAgent,
  testConfig,
  unregister,
  type Answer,
} from '../../spec/for-specs.ts';

/** Whoever is not known is told nothing, costs nobody else anything, and comes in with nobody's old answer. */
let database: TestDatabase;
let pool: pg.Pool;
let messaging: Messaging;
let plane: ControlPlane;
const clock = new StandingClock();

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api' }), { messaging, clock });
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

async function registered(id: string): Promise<string> {
  const { body } = await call<{ joinToken: { token: string } }>(plane.url, 'POST', '/api/v1/clusters', {
    body: { id },
  });
  return body.joinToken.token;
}

async function joined(id: string): Promise<TestAgent> {
  const agent = await TestAgent.create(plane.url, { fingerprint: `uid-${id}` });
  expect((await agent.join(await registered(id))).status).toBe(200);
  return agent;
}

const session = (assertion: string, headers: Record<string, string> = {}): Promise<Answer> =>
  call(plane.url, 'POST', '/api/v1/agent/session', {
    body: { assertion, clusterFingerprint: 'f', agentId: 'a', agentVersion: '1', nodeName: 'n' },
    headers,
  });

describe('strangers', () => {
  it('have one answer, whatever there is of the cluster that they name', async () => {
    // given a cluster in every state that there is
    await registered('never-joined');
    await joined('has-joined');
    await joined('was-unregistered');
    await unregister(plane.url, 'was-unregistered');
    await registered('unregistered-early');
    await unregister(plane.url, 'unregistered-early');
    const stranger = await TestAgent.create(plane.url);
    stranger.audience = 'urn:eci-fleet:control-plane:eci-fleet';

    // when somebody asks in their names, with assertions that are good but for the key, or bad all over
    const answers: unknown[] = [];
    const names = ['not-there', 'never-joined', 'has-joined', 'was-unregistered', 'unregistered-early'];
    for (const iss of names) {
      for (const claims of [{}, { exp: -600 }, { aud: 'x' }, { jti: null }, { sub: 'other' }]) {
        const assertion = await stranger.assertion({ iss, sub: iss, ...claims });
        const { status, body, headers } = await session(assertion);
        answers.push({ status, body, type: headers.get('content-type') });
      }
    }

    // then nobody could tell one from the other
    expect(answers).toHaveLength(25);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 401, body: { type: 'urn:eci-fleet:problem:agent-not-authenticated' } });
  });

  it('are told apart from who has the key: it is told that its cluster was unregistered', async () => {
    const agent = await joined('revoked');
    await unregister(plane.url, 'revoked');
    expect(await agent.session()).toMatchObject({ status: 403, body: { type: SESSION_PROBLEMS.revoked } });
    const { privateKey } = await generateKeyPair('ES256');
    expect((await session(await agent.assertion({ key: privateKey }))).status).toBe(401);
  });
});

describe('a request that is sent again', () => {
  it('proves nothing the second time, whatever Idempotency-Key it has', async () => {
    const agent = await joined('replayed');
    const assertion = await agent.assertion();
    const body = { assertion, clusterFingerprint: 'uid-replayed', agentId: 'a', agentVersion: '1', nodeName: 'n' };
    const ask = () =>
      call(plane.url, 'POST', '/api/v1/agent/session', { body, headers: { 'idempotency-key': 'the-same' } });
    expect((await ask()).status).toBe(200);
    const again = await ask();
    expect(again).toMatchObject({ status: 401, body: { detail: expect.stringContaining('jti') } });
    expect(again.headers.has('idempotency-replayed')).toBe(false);
    await unregister(plane.url, 'replayed');
    expect((await ask()).status).toBe(403);
    const { rows } = await pool.query(`select 1 from fleet.idempotent_request where scope like '%/agent/%'`);
    expect(rows).toEqual([]);
  });

  it('gets no join after the cluster was unregistered', async () => {
    const token = await registered('join-replayed');
    const { publicJwk } = await TestAgent.create(plane.url);
    const ask = () =>
      call(plane.url, 'POST', '/api/v1/agent/join', {
        body: { token, publicKey: publicJwk, clusterFingerprint: 'f' },
        headers: { 'idempotency-key': 'the-same' },
      });
    expect((await ask()).status).toBe(200);
    await unregister(plane.url, 'join-replayed');
    expect((await ask()).status).toBe(401);
  });
});

describe('calls of strangers that the database is slow to refuse', () => {
  it('wait for connections of their own; operators have theirs', async () => {
    // given join tokens that nobody can look at just now
    const client = await pool.connect();
    const { publicJwk } = await TestAgent.create(plane.url);
    try {
      await client.query('begin');
      await client.query('lock table fleet.join_token in access exclusive mode');
      // when far more strangers call than there are connections
      const calls = Array.from({ length: 40 }, (_, i) =>
        call(plane.url, 'POST', '/api/v1/agent/join', {
          body: { token: `nonsense-${i}`, publicKey: publicJwk, clusterFingerprint: 'f' },
        }),
      );
      const waiting = async (): Promise<number> => {
        const { rows } = await pool.query<{ n: number }>(
          `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return rows[0]!.n;
      };
      await eventually(async () => (await waiting()) >= 2, { what: 'their calls wait for the lock' });

      // then an operator does not notice
      for (let i = 0; i < 20; i++) expect((await call(plane.url, 'GET', '/api/v1/clusters')).status).toBe(200);
      expect(await waiting()).toBe(2);
      expect((await call(plane.url, 'GET', '/health/ready')).status).toBe(200);
      await client.query('rollback');
      for (const { status } of await Promise.all(calls)) expect(status).toBe(401);
    } finally {
      client.release(true);
    }
  });
});

describe('strangers of one address', () => {
  it('are not looked at after some hundred refusals; clusters that proved themselves from there are', async () => {
    const known = await joined('known');
    expect((await known.session()).status).toBe(200);
    const fresh = (await joined('fresh')).twin('agent-2');
    const stranger = await TestAgent.create(plane.url);
    const knock = async (iss: string): Promise<Answer> =>
      session(await stranger.assertion({ iss, sub: iss, aud: 'x' }));

    // given one that knocks in the name of a cluster: after a minute's worth it is not looked at
    const statuses: number[] = [];
    for (let i = 0; i < 70; i++) statuses.push((await knock('knocked-at')).status);
    expect(statuses).toEqual([...Array<number>(60).fill(401), ...Array<number>(10).fill(429)]);
    // others may come
    expect((await known.session()).status).toBe(200);

    // when somebody knocks in ever new names
    for (let i = 0; i < 12; i++) await Promise.all(Array.from({ length: 50 }, () => knock(`n-${crypto.randomUUID()}`)));
    const refused = await knock('another');
    expect(refused).toMatchObject({ status: 429, body: { type: 'urn:eci-fleet:problem:refused-too-often' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);

    // then who proved himself from there goes on, operators too; others come again later
    expect((await known.session()).status).toBe(200);
    expect((await call(plane.url, 'GET', '/api/v1/clusters')).status).toBe(200);
    expect((await fresh.session()).status).toBe(429);
    clock.forward(120_000);
    expect((await fresh.session()).status).toBe(200);
    const metrics = await (await fetch(`${plane.url}/metrics`)).text();
    expect(metrics).toMatch(/eci_fleet_agent_calls_throttled_total [1-9]/);
  });
});
