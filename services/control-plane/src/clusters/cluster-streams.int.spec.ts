import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterStreamId } from '#libs/domain';
import { PostgresEventStore, type RecordedEvent } from '#libs/event-store';
import { InProcessLog, InProcessMessaging, type Messaging } from '#libs/messaging';
import { SystemClock, SystemIds } from '#libs/runtime';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { call, callOnState, newMessaging, TestAgent, testConfig, type Answer } from '../../spec/for-specs.ts';
import { EnvelopeKeys } from '../keys/envelope-keys.ts';
import { MasterKey } from '../keys/master-key.ts';
import { ClusterTopics } from '../publish/cluster-topics.ts';
import { ClusterChanges } from './cluster-changes.ts';
import { ClusterDirectory } from './cluster-directory.ts';
import type { ClusterRow } from './cluster-row.ts';
import { clusterTag, clusterView } from './cluster-view.ts';
import { ClusterRegistration } from './registration.ts';
import { Standings } from './standings.ts';

const clock = new SystemClock();
const BY = { actor: 'operator:jo', reason: 'a trial' };

let database: TestDatabase;
let pool: pg.Pool;
let messaging: Messaging;
let plane: ControlPlane;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 8 });
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api' }), { messaging });
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

const eventsOf = async (id: string): Promise<readonly RecordedEvent[]> =>
  (await new PostgresEventStore(pool).loadMany([clusterStreamId(id)])).get(clusterStreamId(id)) ?? [];
const typesOf = async (id: string): Promise<readonly string[]> => (await eventsOf(id)).map(({ type }) => type);
const rowOf = async (id: string): Promise<ClusterRow | undefined> =>
  (await pool.query<ClusterRow>('select * from fleet.cluster where id = $1', [id])).rows[0];
const changesOn = (connections: pg.Pool): ClusterChanges =>
  new ClusterChanges({ pool: connections, clock, ids: new SystemIds() });

describe('the history of a cluster', () => {
  it('tells who did what and why, and holds no secret', async () => {
    const path = '/api/v1/clusters/told';
    const reason = 'a new site';
    const { body } = await call<{ joinToken: { token: string } }>(plane.url, 'POST', '/api/v1/clusters', {
      body: { id: 'told', name: 'Told', reason },
    });
    const agent = await TestAgent.create(plane.url, { fingerprint: 'uid-told' });
    await agent.join(body.joinToken.token);
    await agent.join(body.joinToken.token);
    await agent.session();
    await agent.twin('agent-2').session();
    const further = await call<{ token: string }>(plane.url, 'POST', `${path}/join-token`);
    const rotated = await callOnState<{ token: string }>(plane.url, path, ['POST', `${path}/rotate-key?reason=leaked`]);
    const ended = await callOnState(plane.url, path, ['DELETE', `${path}?reason=sold`]);
    expect([further.status, rotated.status, ended.status]).toEqual([201, 201, 204]);

    const history: Answer<{ items: { type: string; actor: string; data: object }[]; nextCursor?: string }> = await call(
      plane.url,
      'GET',
      `${path}/history?limit=100`,
    );
    const told = history.body.items.map(({ type, actor, data }) => [type, actor, data]);
    const expiresAt = expect.any(String) as string;
    const admin = 'operator:admin';
    expect(told).toEqual([
      ['ClusterRegistered', admin, { name: 'Told', accountId: 'default', reason }],
      ['JoinTokenIssued', admin, { expiresAt }],
      [
        'ClusterJoined',
        'agent:told',
        { fingerprint: 'uid-told', keyThumbprint: await agent.thumbprint(), keyGeneration: 0 },
      ],
      ['SessionSuperseded', 'agent:told', { epoch: 2, agentId: 'agent-2', superseded: 'agent-1' }],
      ['JoinTokenIssued', admin, { expiresAt }],
      ['AgentKeyTaken', admin, { keyGeneration: 0, reason: 'leaked' }],
      ['JoinTokenIssued', admin, { expiresAt }],
      ['ClusterUnregistered', admin, { reason: 'sold' }],
    ]);
    const written = JSON.stringify(await eventsOf('told'));
    for (const { token } of [body.joinToken, further.body, rotated.body])
      expect(written).not.toContain(token.slice(token.indexOf('.') + 1));
    const page: typeof history = await call(plane.url, 'GET', `${path}/history?limit=3`);
    expect(page.body.items).toHaveLength(3);
    expect(page.body.nextCursor).toBeDefined();
    expect(await changesOn(pool).tellUntold()).toBe(0);
  });

  it('does not say who acted because the request says so', async () => {
    const answer = await call(plane.url, 'POST', '/api/v1/clusters', { body: { id: 'who', actor: 'operator:eve' } });
    expect(answer.status).toBe(400);
    expect((await call(plane.url, 'GET', '/api/v1/clusters/who/history')).status).toBe(404);
  });
});

describe('a cluster of a release without streams of clusters', () => {
  const insert = (id: string): Promise<unknown> =>
    pool.query(
      `insert into fleet.cluster (id, name, account_id, registered_at, joined_at, fingerprint, key_thumbprint) values ($1, $1, 'default', now(), now(), 'uid', 'k1')`,
      [id],
    );

  it('is imported once, by however many', async () => {
    for (let i = 0; i < 5; i++) await insert(`old-${i}`);
    const told = await Promise.all([1, 2, 3].map(() => changesOn(pool).tellUntold()));
    expect(Math.max(...told)).toBeGreaterThan(0);
    for (let i = 0; i < 5; i++) {
      const events = await eventsOf(`old-${i}`);
      expect(events).toMatchObject([
        {
          type: 'ClusterImported',
          data: { name: `old-${i}`, accountId: 'default', fingerprint: 'uid', keyThumbprint: 'k1', keyGeneration: 0 },
          metadata: { actor: 'control-plane:housekeeping' },
        },
      ]);
    }
    expect(await changesOn(pool).tellUntold()).toBe(0);
  });

  it('is told of again when that release changes it, and before anything else is done to it', async () => {
    await insert('beside');
    const changes = changesOn(pool);
    await changes.tellUntold();
    await pool.query(`update fleet.cluster set key_thumbprint = 'k2', key_generation = 1 where id = 'beside'`);
    expect(await changes.tellUntold()).toBe(1);
    await pool.query(`update fleet.cluster set key_thumbprint = 'k3', key_generation = 2 where id = 'beside'`);
    await call(plane.url, 'POST', '/api/v1/clusters/beside/join-token');
    expect((await eventsOf('beside')).map(({ type, data }) => [type, data['keyThumbprint']])).toEqual([
      ['ClusterImported', 'k1'],
      ['ClusterChangedElsewhere', 'k2'],
      ['ClusterChangedElsewhere', 'k3'],
      ['JoinTokenIssued', undefined],
    ]);
  });
});

describe('a change of a cluster', () => {
  /** Its connection breaks before the n-th statement of a transaction; true: it came to that. */
  function breaking(nth: number): { readonly connections: pg.Pool; readonly broke: () => boolean } {
    let left = nth;
    const connect = async (): Promise<pg.PoolClient> => {
      const client = await pool.connect();
      return new Proxy(client, {
        get(target, name) {
          if (name !== 'query') {
            const value = Reflect.get(target, name) as unknown;
            return typeof value === 'function' ? (value as (...all: unknown[]) => unknown).bind(target) : value;
          }
          return async (...parameters: unknown[]) => {
            left -= 1;
            if (left === 0) await endOf(target);
            return (target.query as (...all: unknown[]) => Promise<unknown>)(...parameters);
          };
        },
      });
    };
    const connections = new Proxy(pool, {
      get: (target, name) => (name === 'connect' ? connect : Reflect.get(target, name)) as unknown,
    });
    return { connections, broke: () => left <= 0 };
  }

  async function endOf(client: pg.PoolClient): Promise<void> {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    await pool.query('select pg_terminate_backend($1, 5000)', [rows[0]!.pid]);
  }

  function registrationOn(connections: pg.Pool): ClusterRegistration {
    const standings = new Standings(pool);
    return new ClusterRegistration({
      pool,
      changes: changesOn(connections),
      clock,
      keys: new EnvelopeKeys({ pool, masterKey: new MasterKey(randomBytes(32)), clock }),
      topics: new ClusterTopics({
        messaging: new InProcessMessaging(new InProcessLog(clock)),
        fleet: 'eci-fleet',
        standing: (id) => standings.of(id),
        refill: () => Promise.resolve(),
      }),
      directory: new ClusterDirectory({ pool, clock }),
    });
  }

  const tag = async (id: string): Promise<string> => clusterTag(clusterView((await rowOf(id))!, clock.now()));

  it('and its event are both there or neither, wherever the connection breaks', async () => {
    const deeds: [string, (registration: ClusterRegistration, id: string) => Promise<unknown>][] = [
      ['ClusterRegistered', (registration, id) => registration.register({ id }, BY)],
      ['JoinTokenIssued', (registration, id) => registration.newToken(id, BY)],
      ['AgentKeyTaken', async (registration, id) => registration.rotate(id, await tag(id), BY)],
      ['ClusterUnregistered', async (registration, id) => registration.unregister(id, await tag(id), BY)],
    ];
    let broken = 0;
    for (const [type, deed] of deeds) {
      for (let nth = 1; ; nth++) {
        const id = `breaks-${type.toLowerCase().slice(0, 12)}-${nth}`;
        if (type !== 'ClusterRegistered') await registrationOn(pool).register({ id }, BY);
        const before = [await rowOf(id), await typesOf(id)];
        const { connections, broke } = breaking(nth);
        const done = await deed(registrationOn(connections), id).then(
          () => true,
          () => false,
        );
        // given the connection broke, nothing was done or told
        if (!done) expect([await rowOf(id), await typesOf(id)], `${type} at ${nth}`).toEqual(before);
        else expect(await typesOf(id)).toContain(type);
        if (!broke()) break;
        broken += 1;
      }
    }
    expect(broken).toBeGreaterThan(20);
    expect(await changesOn(pool).tellUntold()).toBe(0);
  }, 60_000);

  it('is made again from the top in a transaction that is older than what its stream told last', async () => {
    await registrationOn(pool).register({ id: 'older' }, BY);
    let runs = 0;
    const changes = changesOn(pool);
    await changes.inTransaction(async (client, tell) => {
      runs += 1;
      await client.query('select pg_current_xact_id()');
      // Somebody whose transaction is younger has the row first.
      if (runs === 1) await registrationOn(pool).newToken('older', BY);
      const before = await changes.hold(client, 'older');
      await client.query(`update fleet.cluster set unregistered_at = now(), key_generation = 1 where id = 'older'`);
      await tell('older', before, [{ type: 'Unregister' }], 'operator:jo');
    });
    expect(runs).toBe(2);
    expect((await typesOf('older')).slice(-2)).toEqual(['JoinTokenIssued', 'ClusterUnregistered']);
    expect(await changesOn(pool).tellUntold()).toBe(0);
  });
});
