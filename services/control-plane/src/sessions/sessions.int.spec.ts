import { decodeJwt, generateKeyPair, importJWK, jwtVerify } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SESSION_PROBLEMS, topics } from '#libs/contracts';
import type { Messaging } from '#libs/messaging';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { call, newMessaging, TestAgent, testConfig, unregister } from '../../spec/for-specs.ts';
import { publicJwks } from './access-tokens.ts';
import type { ControlPlaneConfig } from '../config.ts';

let database: TestDatabase;
let pool: pg.Pool;
let messaging: Messaging;
let config: ControlPlaneConfig;
let plane: ControlPlane;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  messaging = newMessaging();
  config = await testConfig(database.url, { FLEET_ROLES: 'api' });
  plane = await startControlPlane(config, { messaging });
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

async function registered(id: string): Promise<string> {
  const { body, status } = await call<{ joinToken: { token: string } }>(plane.url, 'POST', '/api/v1/clusters', {
    body: { id },
  });
  expect(status).toBe(201);
  return body.joinToken.token;
}

async function joined(id: string, fingerprint = `uid-${id}`): Promise<TestAgent> {
  const agent = await TestAgent.create(plane.url, { fingerprint });
  expect((await agent.join(await registered(id))).status).toBe(200);
  return agent;
}

describe('join', () => {
  it('trades a token for an identity, and lets the same key repeat the call', async () => {
    const token = await registered('join-repeat');
    const agent = await TestAgent.create(plane.url);
    const first = await agent.join(token);
    const second = await agent.join(token);
    expect(first).toMatchObject({ status: 200, body: { clusterId: 'join-repeat' } });
    expect(second.body).toEqual(first.body);
    expect(
      await messaging.ensureTopics([{ name: topics(config.fleet).cluster('join-repeat'), partitions: 1 }]),
    ).toEqual([]);
  });

  it('refuses a token that another key has used', async () => {
    const token = await registered('join-other');
    await (await TestAgent.create(plane.url)).join(token);
    const other = await (await TestAgent.create(plane.url)).join(token);
    expect(other).toMatchObject({ status: 401, body: { type: SESSION_PROBLEMS.unknownToken } });
    expect(other.headers.get('content-type')).toContain('application/problem+json');
  });

  it('refuses a token that is unknown, expired, or replaced by a newer one', async () => {
    const agent = await TestAgent.create(plane.url);
    expect(await agent.join('nonsense')).toMatchObject({ status: 401, body: { type: SESSION_PROBLEMS.unknownToken } });

    const expired = await registered('join-expired');
    await pool.query(
      `update fleet.join_token set expires_at = now() - interval '1 second' where cluster_id = 'join-expired'`,
    );
    expect(await agent.join(expired)).toMatchObject({
      status: 401,
      body: { detail: expect.stringContaining('expired') },
    });

    const replaced = await registered('join-replaced');
    const newer = await call<{ token: string }>(plane.url, 'POST', '/api/v1/clusters/join-replaced/join-token');
    expect(newer.status).toBe(201);
    expect(await agent.join(replaced)).toMatchObject({ status: 401 });
    expect((await agent.join(newer.body.token)).status).toBe(200);
  });

  it('keeps no token in clear', async () => {
    const token = await registered('join-hashed');
    const { rows } = await pool.query(`select t::text from fleet.join_token t where cluster_id = 'join-hashed'`);
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(token.slice(-20));
  });

  it('takes a new key with a new token, from the same cluster only', async () => {
    const first = await joined('join-again', 'uid-a');
    const token = (await call<{ token: string }>(plane.url, 'POST', '/api/v1/clusters/join-again/join-token')).body
      .token;
    const stranger = await TestAgent.create(plane.url, { fingerprint: 'uid-b' });
    expect(await stranger.join(token)).toMatchObject({ status: 403, body: { type: SESSION_PROBLEMS.fingerprint } });
    const reinstalled = await TestAgent.create(plane.url, { fingerprint: 'uid-a', agentId: 'agent-2' });
    expect((await reinstalled.join(token)).status).toBe(200);
    expect((await reinstalled.session()).status).toBe(200);
    expect((await first.session()).status).toBe(401);
  });

  it('ends nothing when the same key joins again, with the same token or a new one', async () => {
    const agent = await joined('join-same');
    const { body: before } = await agent.session();
    const token = (await call<{ token: string }>(plane.url, 'POST', '/api/v1/clusters/join-same/join-token')).body
      .token;

    expect((await agent.join(token)).status).toBe(200);

    const { status, body: after } = await agent.session({ renewEpoch: before.agentEpoch });
    expect(status).toBe(200);
    expect(after.envelopeKeys).toEqual(before.envelopeKeys);
    expect(decodeJwt(after.accessToken).sub).toBe(decodeJwt(before.accessToken).sub);
  });

  it('ends everything of the key before: session, envelope keys, name on Kafka; and that key never joins again', async () => {
    const first = await joined('join-replaces', 'uid-r');
    const { body: before } = await first.session();
    const tokenOf = async () =>
      (await call<{ token: string }>(plane.url, 'POST', '/api/v1/clusters/join-replaces/join-token')).body.token;

    const next = await TestAgent.create(plane.url, { fingerprint: 'uid-r', agentId: 'agent-2' });
    expect((await next.join(await tokenOf())).status).toBe(200);

    const { body: after } = await next.session();
    const kids = after.envelopeKeys.map(({ kid }) => kid);
    const keys = after.envelopeKeys.map(({ key }) => key);
    expect(before.envelopeKeys.filter(({ kid, key }) => kids.includes(kid) || keys.includes(key))).toEqual([]);
    expect(decodeJwt(after.accessToken).sub).not.toBe(decodeJwt(before.accessToken).sub);
    expect((await first.session({ renewEpoch: before.agentEpoch })).status).toBe(401);
    const token = await tokenOf();
    expect(await first.join(token)).toMatchObject({ status: 403, body: { type: SESSION_PROBLEMS.retiredKey } });
    // and the refusal has not spent the token
    const third = await TestAgent.create(plane.url, { fingerprint: 'uid-r', agentId: 'agent-3' });
    expect((await third.join(token)).status).toBe(200);
  });

  it('is needed again once an operator has taken the key away, who says on which state', async () => {
    const agent = await joined('rotate', 'uid-o');
    await agent.session();
    const path = '/api/v1/clusters/rotate';
    const etag = (await call(plane.url, 'GET', path)).headers.get('etag') as string;
    const rotate = (headers: Record<string, string>) =>
      call<{ token: string }>(plane.url, 'POST', `${path}/rotate-key`, { headers });

    expect((await rotate({})).status).toBe(428);
    expect((await rotate({ 'if-match': '"another"' })).status).toBe(412);
    expect((await agent.session()).status).toBe(200);
    const { status, body } = await rotate({ 'if-match': etag });

    expect(status).toBe(201);
    expect((await agent.session()).status).toBe(401);
    expect(await agent.join(body.token)).toMatchObject({ status: 403, body: { type: SESSION_PROBLEMS.retiredKey } });
    const { rows } = await pool.query(`select from fleet.envelope_key where cluster_id = 'rotate'`);
    expect(rows).toHaveLength(0);
    const next = await TestAgent.create(plane.url, { fingerprint: 'uid-o', agentId: 'agent-2' });
    expect((await next.join(body.token)).status).toBe(200);
    expect((await next.session()).status).toBe(200);
    // Whoever gives up on the cluster need not know that its key has changed.
    expect((await unregister(plane.url, 'rotate')).status).toBe(204);
    expect(await rotate({ 'if-match': etag })).toMatchObject({ status: 409 });
  });

  it('says which field of a request is wrong', async () => {
    const agent = await TestAgent.create(plane.url);
    const noFingerprint = await agent.join('t', { clusterFingerprint: '' });
    expect(noFingerprint).toMatchObject({ status: 400, body: { errors: [{ pointer: '/clusterFingerprint' }] } });
    const privateKey = await agent.join('t', { publicKey: { ...agent.publicJwk, d: 'secret-half' } });
    expect(privateKey).toMatchObject({ status: 400, body: { errors: [{ pointer: '/publicKey/d' }] } });
    expect(JSON.stringify(privateKey.body)).not.toContain('secret-half');
    const rsa = await agent.join('t', { publicKey: { kty: 'RSA' } });
    expect(rsa).toMatchObject({ status: 400, body: { errors: [{ pointer: '/publicKey' }] } });
    const offCurve = await agent.join('t', { publicKey: { ...agent.publicJwk, x: 'AAAA' } });
    expect(offCurve).toMatchObject({ status: 400 });
  });
});

describe('session', () => {
  it('answers epoch, keys, settings and a token that brokers can check', async () => {
    const agent = await joined('session-new');
    const { status, body } = await agent.session();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      clusterId: 'session-new',
      fleet: 'eci-fleet',
      agentEpoch: 1,
      kafka: { security: 'plaintext', tls: false },
    });
    expect(body.renewAfterSeconds).toBeLessThan(600);
    const now = Date.now();
    const usable = body.envelopeKeys.filter((k) => Date.parse(k.notBefore) <= now && Date.parse(k.notAfter) > now);
    expect(usable.length).toBeGreaterThanOrEqual(1);
    expect(body.envelopeKeys.some((k) => Date.parse(k.notBefore) > now)).toBe(true);
    for (const { key } of body.envelopeKeys) expect(Buffer.from(key, 'base64url')).toHaveLength(32);

    const [jwk] = (await publicJwks(config.tokenKey)).keys;
    const { payload, protectedHeader } = await jwtVerify(body.accessToken, await importJWK(jwk!, 'ES256'), {
      issuer: 'eci-fleet',
      audience: 'eci-fleet',
      subject: 'eci-fleet.session-new',
    });
    expect(protectedHeader).toMatchObject({ alg: 'ES256', kid: jwk!.kid });
    expect(payload.exp! * 1000 - now).toBeGreaterThan(3_500_000);
    expect(new Date(payload.exp! * 1000).toISOString()).toBe(body.accessTokenExpiresAt);
    expect(jwk).not.toHaveProperty('d');
  });

  it('keeps the keys wrapped, and gives the same ones again', async () => {
    const agent = await joined('session-keys');
    const first = (await agent.session()).body.envelopeKeys;
    const again = (await agent.session()).body.envelopeKeys;
    expect(again).toEqual(first);
    const { rows } = await pool.query<{ wrapped: Buffer }>(
      `select wrapped from fleet.envelope_key where cluster_id = 'session-keys'`,
    );
    const stored = Buffer.concat(rows.map((row) => row.wrapped));
    expect(rows.length).toBe(first.length);
    for (const { key } of first) expect(stored.includes(Buffer.from(key, 'base64url'))).toBe(false);
  });

  it('renews the session in force without a new epoch', async () => {
    const agent = await joined('session-renew');
    const { agentEpoch } = (await agent.session()).body;
    expect((await agent.session({ renewEpoch: agentEpoch })).body.agentEpoch).toBe(agentEpoch);
  });

  it('lets the newest win, and tells the superseded one at its renewal', async () => {
    const agent = await joined('session-newest');
    const { agentEpoch } = (await agent.session()).body;
    const other = agent.twin('agent-2');
    const second = (await other.session()).body.agentEpoch;
    expect(second).toBeGreaterThan(agentEpoch);
    expect(await agent.session({ renewEpoch: agentEpoch })).toMatchObject({
      status: 409,
      body: { type: SESSION_PROBLEMS.superseded },
    });
    expect(await agent.session({ renewEpoch: second })).toMatchObject({ status: 409 });
    expect((await other.session({ renewEpoch: second })).status).toBe(200);
  });

  it('raises an alarm when two agents keep taking the session from each other, not for one change', async () => {
    const a = await joined('session-flapping');
    const b = a.twin('agent-2');
    await a.session();
    await b.session();
    expect((await call(plane.url, 'GET', '/api/v1/clusters/session-flapping')).body).not.toHaveProperty('alarm');
    await a.session();
    await b.session();
    expect((await call(plane.url, 'GET', '/api/v1/clusters/session-flapping')).body).toMatchObject({
      alarm: { code: 'session-flapping' },
    });
    const metrics = await (await fetch(`${plane.url}/metrics`)).text();
    expect(metrics).toMatch(/eci_fleet_agent_session_flapping_total [1-9]/);
  });

  it('counts epochs on from there, whoever comes', async () => {
    const agent = await joined('session-epochs');
    const epochs = [];
    for (let i = 0; i < 3; i++) epochs.push((await agent.session()).body.agentEpoch);
    expect(epochs).toEqual([1, 2, 3]);
  });

  it('gives every one of many sessions begun at once an epoch of its own', async () => {
    const agent = await joined('session-race');
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => agent.twin(`agent-${i}`).session()));
    expect(answers.map(({ body }) => body.agentEpoch).sort((x, y) => x - y)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('takes an assertion once', async () => {
    const agent = await joined('session-replay');
    const assertion = await agent.assertion();
    expect((await agent.session({ assertion })).status).toBe(200);
    expect(await agent.session({ assertion })).toMatchObject({
      status: 401,
      body: { detail: expect.stringContaining('jti') },
    });
  });

  it('refuses another cluster always, also with the right key', async () => {
    const agent = await joined('session-fingerprint');
    expect(await agent.session({ clusterFingerprint: 'copied-elsewhere' })).toMatchObject({
      status: 403,
      body: { type: SESSION_PROBLEMS.fingerprint },
    });
    const { agentEpoch } = (await agent.session()).body;
    expect(await agent.session({ renewEpoch: agentEpoch, clusterFingerprint: 'copied-elsewhere' })).toMatchObject({
      status: 403,
    });
  });

  it.each([
    ['a foreign signature', async () => ({ key: (await generateKeyPair('ES256')).privateKey }), 'not signed'],
    ['an expired one', () => Promise.resolve({ exp: -120 }), 'expired'],
    ['one that lives too long', () => Promise.resolve({ exp: 3600 }), 'at most 300 s'],
    ['one for somebody else', () => Promise.resolve({ aud: 'https://elsewhere.test' }), 'aud'],
    ['one about another subject', () => Promise.resolve({ sub: 'somebody' }), 'sub'],
    ['one without a jti', () => Promise.resolve({ jti: null }), 'jti'],
    ['one of an unknown cluster', () => Promise.resolve({ iss: 'nobody', sub: 'nobody' }), 'not signed'],
  ])('refuses %s', async (_, wrong, words) => {
    const agent = await joined(`session-bad-${Math.random().toString(36).slice(2, 10)}`);
    const answer = await agent.session({ assertion: await agent.assertion(await wrong()) });
    expect(answer).toMatchObject({
      status: 401,
      body: { type: 'urn:eci-fleet:problem:agent-not-authenticated', detail: expect.stringContaining(words) },
    });
  });

  it('refuses what is no JWT, and never echoes it', async () => {
    const agent = await joined('session-nonsense');
    const answer = await agent.session({ assertion: 'canary-assertion' });
    expect(answer.status).toBe(401);
    expect(JSON.stringify(answer.body)).not.toContain('canary');
  });

  it('ends everything when the cluster is unregistered', async () => {
    const agent = await joined('session-revoked');
    const { agentEpoch } = (await agent.session()).body;
    expect((await unregister(plane.url, 'session-revoked')).status).toBe(204);
    expect(await agent.session({ renewEpoch: agentEpoch })).toMatchObject({
      status: 403,
      body: { type: SESSION_PROBLEMS.revoked },
    });
    expect(await agent.session()).toMatchObject({ status: 403 });
    const { rows } = await pool.query(`select 1 from fleet.envelope_key where cluster_id = 'session-revoked'`);
    expect(rows).toEqual([]);
    expect(
      await messaging.ensureTopics([{ name: topics(config.fleet).cluster('session-revoked'), partitions: 1 }]),
    ).toHaveLength(1);
    expect((await call(plane.url, 'POST', '/api/v1/clusters', { body: { id: 'session-revoked' } })).status).toBe(409);
    expect((await unregister(plane.url, 'session-revoked')).status).toBe(204);
  });

  it('says who it is in the token and nothing else', async () => {
    const agent = await joined('session-claims');
    const claims = decodeJwt((await agent.session()).body.accessToken);
    expect(Object.keys(claims).sort()).toEqual(['aud', 'exp', 'iat', 'iss', 'sub']);
  });
});
