import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeCursor } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import {
  call,
  callOnState,
  newMessaging,
  TestAgent,
  testConfig,
  unregister,
  type Answer,
} from '../../spec/for-specs.ts';

let database: TestDatabase;
let messaging: Messaging;
let plane: ControlPlane;

beforeAll(async () => {
  database = await createTestDatabase();
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api' }), { messaging });
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await database?.drop();
});

const get = (path: string): Promise<Answer> => call(plane.url, 'GET', `/api/v1${path}`);
const post = (path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  call(plane.url, 'POST', `/api/v1${path}`, { body, headers });

async function registered(id: string): Promise<string> {
  const { body, status } = await post('/clusters', { id });
  expect(status).toBe(201);
  return (body['joinToken'] as { readonly token: string }).token;
}

async function newToken(id: string): Promise<string> {
  return (await post(`/clusters/${id}/join-token`)).body['token'] as string;
}

async function joined(id: string): Promise<TestAgent> {
  const agent = await TestAgent.create(plane.url, { fingerprint: `uid-${id}` });
  expect((await agent.join(await registered(id))).status).toBe(200);
  return agent;
}

/** The whole of what a caller reads. */
function expectProblem(
  { status, headers, body }: Answer,
  said: { status: number; type: string; title: string; detail: string; instance: string; [extra: string]: unknown },
): void {
  expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect({ ...body, http: status }).toEqual({
    ...said,
    type: `urn:eci-fleet:problem:${said.type}`,
    http: said.status,
  });
}

it('what is not there is not found', async () => {
  expectProblem(await get('/clusters/nobody'), {
    status: 404,
    type: 'not-found',
    title: 'Not found',
    detail: 'there is no cluster nobody',
    instance: '/api/v1/clusters/nobody',
  });
  for (const path of ['/accounts/x', '/orphans/x', '/quarantine/1', '/container-groups/x', '/audit/seals/1'])
    expect(await get(path), path).toMatchObject({ status: 404, body: { title: 'Not found' } });
  expectProblem(await post('/holds/nobody/deny', { all: true, by: 'jo' }), {
    status: 404,
    type: 'not-found',
    title: 'Not found',
    detail: 'nothing that could be denied is held in nobody',
    instance: '/api/v1/holds/nobody/deny',
  });
});

it('what is wrong is named by its place', async () => {
  expectProblem(await post('/clusters', { id: 'wrong', accountId: 'nobody' }), {
    status: 400,
    type: 'invalid-request',
    title: 'Invalid request',
    detail: '/accountId: there is no account nobody; known accounts: default',
    errors: [{ pointer: '/accountId', detail: 'there is no account nobody; known accounts: default' }],
    instance: '/api/v1/clusters',
  });
  const detail = 'is <account>/<region>/<container group id> (URL-encoded), or the id of the group';
  expectProblem(await get('/orphans/a%2Fb'), {
    status: 400,
    type: 'invalid-request',
    title: 'Invalid request',
    detail: `id: ${detail}`,
    errors: [{ parameter: 'id', detail }],
    instance: '/api/v1/orphans/a%2Fb',
  });
});

it('what was there before is a conflict', async () => {
  await registered('twice');
  expectProblem(await post('/clusters', { id: 'twice' }), {
    status: 409,
    type: 'conflict',
    title: 'Conflict',
    detail:
      'a cluster twice is registered or was; choose another id, or ask for a new join token with POST /api/v1/clusters/twice/join-token',
    instance: '/api/v1/clusters',
  });
});

it('what cannot be undone is done to no state that was not seen', async () => {
  await registered('unseen');
  const path = '/clusters/unseen/rotate-key';
  expectProblem(await post(path), {
    status: 428,
    type: 'state-not-stated',
    title: 'Say what you decided on',
    detail:
      'this cannot be undone: look with GET /api/v1/clusters/unseen, and send its ETag as If-Match; nothing was done',
    instance: `/api/v1${path}`,
  });
  const changed = await post(path, undefined, { 'if-match': '"x"' });
  const seen = await get('/clusters/unseen');
  const { registeredAt } = seen.body;
  expectProblem(changed, {
    status: 412,
    type: 'state-changed',
    title: 'Changed since you looked',
    detail: `cluster unseen is not as you saw it: it was registered at ${String(registeredAt)} and has not joined: look again with GET /api/v1/clusters/unseen; nothing was done`,
    now: { registeredAt },
    instance: `/api/v1${path}`,
  });
  expect(changed.headers.get('etag')).toBe(seen.headers.get('etag'));
  expectProblem(
    await post('/holds/nobody/release', { all: true, by: 'jo' }, { 'if-match': '"1-2-3-0123456789abcdef"' }),
    {
      status: 412,
      type: 'state-changed',
      title: 'Changed since you looked',
      detail:
        'you decided on 2 held and 3 denied stops in hold 1; now there are 0 held and 0 denied stops in no active hold: look again with GET /api/v1/holds/nobody; nothing was done',
      seen: { hold: 1, held: 2, denied: 3 },
      now: { hold: 0, held: 0, denied: 0 },
      instance: '/api/v1/holds/nobody/release',
    },
  );
});

it('a place in another log is gone', async () => {
  const after = encodeCursor({ generation: 77, transactionId: '1', position: '1' });
  const { status, body } = await get(`/events?after=${after}`);
  expect({ status, ...body }).toEqual({
    status: 410,
    type: 'urn:eci-fleet:problem:cursor-of-another-log',
    title: 'Log was replaced',
    detail: expect.stringMatching(
      /^the cursor belongs to log generation 77, the log is now generation \d+: begin at the start$/,
    ),
    instance: '/api/v1/events',
  });
});

it('an account that would reach further than operators allow is refused', async () => {
  expectProblem(await post('/accounts', { id: 'far', regions: [], credential: 'nobody' }), {
    status: 400,
    type: 'account-refused',
    title: 'The account cannot be set up so',
    detail:
      'nothing was done: name a credential that operators have configured, and no endpoint, one of ECI, or one that they have listed; its key must see the groups that run in the account. The log of the control plane says what it was',
    instance: '/api/v1/accounts',
  });
});

it('agents are told why they are not let in', async () => {
  const instance = '/api/v1/agent/session';
  const agent = await joined('agents');
  expectProblem(await agent.session({ assertion: 'x' }), {
    status: 401,
    type: 'agent-not-authenticated',
    title: 'Agent not authenticated',
    detail: '`assertion` is not a JWT with the cluster id as `iss`',
    instance,
  });
  expectProblem(await agent.session({ clusterFingerprint: 'elsewhere' }), {
    status: 403,
    type: 'cluster-fingerprint-mismatch',
    title: 'Another cluster',
    detail: 'cluster agents is known by another UID of namespace kube-system: register this cluster for itself',
    instance,
  });
  const { agentEpoch } = (await agent.session()).body;
  const current = (await agent.twin('agent-2').session()).body.agentEpoch;
  expectProblem(await agent.session({ renewEpoch: agentEpoch }), {
    status: 409,
    type: 'session-superseded',
    title: 'Session superseded',
    detail: `session ${agentEpoch} of cluster agents is over: another agent holds session ${current}; stop publishing`,
    currentEpoch: current,
    instance,
  });
  const next = await TestAgent.create(plane.url, { fingerprint: 'uid-agents' });
  expect((await next.join(await newToken('agents'))).status).toBe(200);
  expectProblem(await agent.join(await newToken('agents')), {
    status: 403,
    type: 'agent-key-retired',
    title: 'Key retired',
    detail:
      'this key of cluster agents was replaced or taken away: join with a new one (delete Secret eci-fleet-agent and start the agent); the token is not spent',
    instance: '/api/v1/agent/join',
  });
  expectProblem(await agent.join('x'), {
    status: 401,
    type: 'join-token-unknown',
    title: 'Join token refused',
    detail:
      'this join token is not known, or was replaced by a newer one: ask for a new one with POST /api/v1/clusters/{id}/join-token',
    instance: '/api/v1/agent/join',
  });
  await unregister(plane.url, 'agents');
  expectProblem(await next.session(), {
    status: 403,
    type: 'cluster-revoked',
    title: 'Cluster revoked',
    detail: 'cluster agents was unregistered: its agent may do nothing any more',
    instance,
  });
  expectProblem(
    await callOnState(plane.url, '/api/v1/clusters/agents', ['POST', '/api/v1/clusters/agents/rotate-key']),
    {
      status: 409,
      type: 'conflict',
      title: 'Conflict',
      detail: 'cluster agents was unregistered; register a new one',
      instance: '/api/v1/clusters/agents/rotate-key',
    },
  );
});
