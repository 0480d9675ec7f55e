import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { streamIdOf } from '#libs/domain';
import { createPool, PostgresEventStore } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { AsideItems, Metrics, silentLogger } from '#libs/observability';
import { SystemClock, SystemIds, SystemRandom } from '#libs/runtime';
import { createTestDatabase, eventually, type TestDatabase } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { readModelDataSource } from '../data-source.ts';
import {
  accepted,
  call,
  created,
  gone,
  landed,
  newMessaging,
  placed,
  record,
  running,
  stopRequested,
  story,
  succeeded,
  testConfig,
} from '../../spec/for-specs.ts';
import { PROJECTIONS } from '../projections.ts';
import { subscriptionOf } from '../project/read-model-subscription.ts';
import type { ContainerGroupPage } from './list-container-groups.ts';

let database: TestDatabase;
let pool: pg.Pool;
let store: PostgresEventStore;
let messaging: Messaging;
let plane: ControlPlane;

const get = <T = Record<string, unknown>>(path: string, headers: Record<string, string> = {}) =>
  call<T>(plane.url, 'GET', path, { headers });
const list = async (query: string): Promise<ContainerGroupPage> =>
  (await get<ContainerGroupPage>(`/api/v1/container-groups?${query}`)).body;

async function shown(cluster: string, count: number): Promise<ContainerGroupPage> {
  return eventually(
    async () => {
      const page = await list(`cluster=${cluster}&limit=200`);
      return page.items.length === count && page;
    },
    { what: `${count} groups of ${cluster} are in the read model` },
  );
}

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 4 });
  store = new PostgresEventStore(pool);
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api,project' }), { messaging });
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

describe('list', () => {
  it('shows a group as its events tell it', async () => {
    const id = streamIdOf('list-one', 'u1');
    await record(
      store,
      id,
      story([
        accepted('list-one', 'u1', 'web'),
        placed(),
        created('eci-1'),
        landed('eci-1', 'cn-hangzhou-b'),
        running('eci-1'),
      ]),
    );
    const { items } = await shown('list-one', 1);
    expect(items[0]).toMatchObject({
      id,
      version: 5,
      clusterId: 'list-one',
      namespace: 'default',
      name: 'web',
      life: 'running',
      phase: 'Running',
      containerGroupId: 'eci-1',
      zone: 'cn-hangzhou-b',
      podIp: '10.0.0.7',
      attempts: 1,
      requestedAt: '2026-03-01T10:00:00.000Z',
      runningAt: '2026-03-01T10:00:04.000Z',
    });
  });

  it('narrows by every filter', async () => {
    await record(
      store,
      streamIdOf('list-filter', 'a'),
      story([
        accepted('list-filter', 'a', 'one', 'ns-a'),
        placed(),
        created('eci-fa'),
        landed('eci-fa', 'zone-f'),
        running('eci-fa'),
      ]),
    );
    await record(
      store,
      streamIdOf('list-filter', 'b'),
      story([accepted('list-filter', 'b', 'two', 'ns-b')], '2026-03-02T10:00:00.000Z'),
    );
    await shown('list-filter', 2);
    const names = async (query: string): Promise<string[]> =>
      (await list(`cluster=list-filter&${query}`)).items.map((g) => g.name);
    expect(await names('namespace=ns-a')).toEqual(['one']);
    expect(await names('name=two')).toEqual(['two']);
    expect(await names('life=running')).toEqual(['one']);
    expect(await names('phase=Pending')).toEqual(['two']);
    expect(await names('zone=zone-f')).toEqual(['one']);
    expect(await names('account=default&region=cn-hangzhou')).toEqual(['two', 'one']);
    expect(await names('region=elsewhere')).toEqual([]);
    expect(await names('podUid=b')).toEqual(['two']);
    expect(await names('containerGroupId=eci-fa')).toEqual(['one']);
    expect(await names('updatedSince=2026-03-02T00:00:00Z')).toEqual(['two']);
  });

  it('gives every group that was there once, while others come and change', async () => {
    const uids = Array.from({ length: 25 }, (_, i) => `p${String(i).padStart(2, '0')}`);
    for (const [i, uid] of uids.entries()) {
      await record(
        store,
        streamIdOf('list-pages', uid),
        story([accepted('list-pages', uid)], new Date(Date.UTC(2026, 3, 1, 0, i % 5)).toISOString()),
      );
    }
    await shown('list-pages', 25);
    const seen: string[] = [];
    let cursor: string | undefined;
    for (let page = 0; ; page++) {
      const { items, nextCursor } = await list(
        `cluster=list-pages&limit=4${cursor === undefined ? '' : `&cursor=${cursor}`}`,
      );
      seen.push(...items.map((g) => g.podUid));
      // New groups come in front, groups of pages to come change.
      await record(
        store,
        streamIdOf('list-pages', `new${page}`),
        story([accepted('list-pages', `new${page}`)], '2026-05-01T00:00:00.000Z'),
      );
      await record(store, streamIdOf('list-pages', uids[page]!), story([placed()]));
      await eventually(async () => (await list(`cluster=list-pages&podUid=new${page}`)).items.length === 1, {
        what: 'the write is projected',
      });
      cursor = nextCursor;
      if (cursor === undefined) break;
    }
    expect(seen.filter((uid) => !uid.startsWith('new')).sort()).toEqual(uids);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['life=asleep', 'life'],
    ['cursor=nonsense', 'cursor'],
    ['updatedSince=yesterday', 'updatedSince'],
  ])('refuses %s and names the parameter', async (query, parameter) => {
    const answer = await get(`/api/v1/container-groups?${query}`);
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ parameter }] } });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });
});

describe('one group', () => {
  it('is found by stream, by cluster and pod, and by the id of any of its groups', async () => {
    const id = streamIdOf('one-names', 'u1');
    await record(store, id, story([accepted('one-names', 'u1'), placed(), created('eci-first')]));
    await store.append([
      {
        streamId: id,
        expected: 3,
        events: [],
        aliases: ['eci:default/cn-hangzhou/eci-first', 'eci:default/cn-hangzhou/eci-old'],
      },
    ]);
    await pool.query(
      `insert into fleet.scope (account_id, region, first_used_at) values ('default', 'cn-hangzhou', now())`,
    );
    await shown('one-names', 1);
    for (const name of [id, 'one-names/u1', 'eci-first', 'eci-old']) {
      expect(await get(`/api/v1/container-groups/${encodeURIComponent(name)}`)).toMatchObject({
        status: 200,
        body: { id },
      });
    }
    expect(await get('/api/v1/container-groups/eci-nothing')).toMatchObject({
      status: 404,
      body: { type: 'urn:eci-fleet:problem:not-found' },
    });
    expect(await get('/api/v1/container-groups/one-names%2Fnobody')).toMatchObject({ status: 404 });
  });

  it('does not lag behind its events, and has an entity tag of them', async () => {
    const id = streamIdOf('one-etag', 'u1');
    const path = `/api/v1/container-groups/${encodeURIComponent(id)}`;
    await record(store, id, story([accepted('one-etag', 'u1')]));
    const first = await get(path);
    expect(first).toMatchObject({ status: 200, body: { life: 'requested' } });
    const etag = first.headers.get('etag')!;
    expect(await get(path, { 'if-none-match': etag })).toMatchObject({ status: 304, body: undefined });
    await record(store, id, story([placed()]));
    expect(await get(path, { 'if-none-match': etag })).toMatchObject({
      status: 200,
      body: { placement: { attempt: 1 } },
    });
  });

  it('tells its history with time, actor and cause, and nothing of what was sealed', async () => {
    const id = streamIdOf('one-history', 'u1');
    await record(store, id, story([accepted('one-history', 'u1'), placed(), created('eci-h')]));
    const path = `/api/v1/container-groups/${encodeURIComponent(id)}/history`;
    const whole = await get<{ items: Record<string, unknown>[]; nextCursor?: string }>(path);
    expect(whole.body.items.map((e) => e['type'])).toEqual([
      'PodIntentAccepted',
      'PlacementChosen',
      'ContainerGroupCreated',
    ]);
    expect(whole.body.items[0]).toMatchObject({
      version: 1,
      actor: 'agent:test',
      cause: 'kafka:eci-fleet.intents.v1/0@1',
      at: '2026-03-01T10:00:00.000Z',
    });
    expect(JSON.stringify(whole.body)).not.toContain('digest-of-a-sealed-value');
    const first = await get<{ items: unknown[]; nextCursor: string }>(`${path}?limit=2`);
    const second = await get<{ items: { version: number }[]; nextCursor?: string }>(
      `${path}?limit=2&cursor=${first.body.nextCursor}`,
    );
    expect(second.body.items.map((e) => e.version)).toEqual([3]);
    expect(second.body.nextCursor).toBeUndefined();
  });
});

describe('feed and overview', () => {
  it('goes on from a page of groups without missing an event', async () => {
    const id = streamIdOf('feed', 'u1');
    await record(store, id, story([accepted('feed', 'u1')]));
    const { asOf } = await shown('feed', 1);
    await record(store, id, story([placed()]));
    const found = await eventually(
      async () => {
        const { body } = await get<{ items: { streamId: string; type: string }[] }>(
          `/api/v1/events?after=${asOf}&limit=500`,
        );
        return body.items.find((e) => e.streamId === id && e.type === 'PlacementChosen');
      },
      { what: 'the feed tells of the event' },
    );
    expect(found).toBeTruthy();
  });

  it('gives a place to begin at, and refuses what is no cursor', async () => {
    const { body } = await get<{ items: unknown[]; next: string }>('/api/v1/events?after=now');
    expect(body.items).toEqual([]);
    await record(store, streamIdOf('feed-now', 'u1'), story([accepted('feed-now', 'u1')]));
    await eventually(
      async () =>
        (await get<{ items: { streamId: string }[] }>(`/api/v1/events?after=${body.next}`)).body.items.some(
          (e) => e.streamId === streamIdOf('feed-now', 'u1'),
        ),
      { what: 'only what is new is told' },
    );
    expect(await get('/api/v1/events?after=xyz')).toMatchObject({
      status: 400,
      body: { errors: [{ parameter: 'after' }] },
    });
  });

  it('counts what is there, and forgets no group that moves on', async () => {
    const byLife = async (): Promise<Record<string, number>> => {
      const { body } = await get<{ byCluster: { clusterId: string; byLife: Record<string, number> }[] }>(
        '/api/v1/overview',
      );
      return body.byCluster.find((c) => c.clusterId === 'overview')?.byLife ?? {};
    };
    await record(
      store,
      streamIdOf('overview', 'a'),
      story([accepted('overview', 'a'), placed(), created('eci-oa'), landed('eci-oa', 'zone-o'), running('eci-oa')]),
    );
    await record(store, streamIdOf('overview', 'b'), story([accepted('overview', 'b')]));
    await eventually(
      async () =>
        JSON.stringify(await byLife()) === '{"requested":1,"running":1}' ||
        JSON.stringify(await byLife()) === '{"running":1,"requested":1}',
      {
        what: 'one runs, one is requested',
      },
    );
    await record(store, streamIdOf('overview', 'a'), story([succeeded('eci-oa')]));
    await eventually(
      async () => JSON.stringify(Object.entries(await byLife()).sort()) === '[["requested",1],["succeeded",1]]',
      { what: 'one has ended' },
    );
    const { body } = await get<{ lastEvents: { type: string }[]; byZone: Record<string, number> }>('/api/v1/overview');
    expect(body.lastEvents[0]?.type).toBe('ContainerGroupSucceeded');
    expect(body.byZone).not.toHaveProperty('zone-o');
  });
});

describe('rebuild', () => {
  it('ends in the same rows and the same counts', async () => {
    await record(
      store,
      streamIdOf('rebuild', 'a'),
      story([accepted('rebuild', 'a'), placed(), created('eci-ra'), running('eci-ra'), stopRequested, gone('eci-ra')]),
    );
    await shown('rebuild', 1);
    await eventually(async () => (await list('cluster=rebuild&life=gone')).items.length === 1, {
      what: 'the last event is projected',
    });
    const tables = async (): Promise<unknown> => [
      (await pool.query('select * from fleet.container_group order by stream_id')).rows,
      (await pool.query('select * from fleet.container_group_count order by cluster_id, life, zone')).rows,
    ];
    const before = await tables();

    await plane.stop();
    await pool.query('delete from fleet.container_group');
    await pool.query('delete from fleet.container_group_count');
    const admin = createPool(database.url, { max: 1 });
    const dataSource = await readModelDataSource(database.url, 2).initialize();
    const clock = new SystemClock();
    // A second subscription under the same handler reads from the first event, as a rebuild does.
    const rebuild = subscriptionOf(
      PROJECTIONS,
      { pool: admin, dataSource, store, clock, random: new SystemRandom(), ids: new SystemIds() },
      new AsideItems({ loop: 'rebuild', clock, logger: silentLogger, metrics: new Metrics() }),
      'rebuild',
    );
    while ((await rebuild.step()) === 'busy');
    const after = await tables();
    await dataSource.destroy();
    await admin.end();

    expect(after).toEqual(before);
  });
});
