import pg from 'pg';
import { orphanStreamId, streamIdOf, type OrphanFacts } from '#libs/domain';
import { PostgresEventStore, type EventStore } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { SystemClock, SystemIds } from '#libs/runtime';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../command-line/commands.ts';
import { runCommand } from '../command-line/run-command.ts';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { call, callOnState, newMessaging, testConfig } from '../../spec/for-specs.ts';
import { PostgresOrphans } from '../observe/postgres-orphans.ts';
import { PostgresHeldStops } from '../holds/postgres-held-stops.ts';
import { OrphanStreams } from './orphan-streams.ts';
import type { OrphanPage, OrphanView } from './orphan-view.ts';

/** What operators see and decide, over the API and the command line; the loops that carry it out have specs of their own. */
let database: TestDatabase;
let pool: pg.Pool;
let store: EventStore;
let messaging: Messaging;
let plane: ControlPlane;
let environment: Record<string, string>;

const post = <T = Record<string, unknown>>(path: string, body: unknown = {}) =>
  call<T>(plane.url, 'POST', path, { body });
const onState = <T = Record<string, unknown>>(read: string, path: string, body: unknown = {}) =>
  callOnState<T>(plane.url, read, ['POST', path], body);
const remove = (id: string, body: unknown = {}) =>
  onState<OrphanView>(`/api/v1/orphans/${id}`, `/api/v1/orphans/${id}/remove`, body);
const get = <T = Record<string, unknown>>(path: string) => call<T>(plane.url, 'GET', path);

const place = { accountId: 'default', region: 'cn-hangzhou' };
const facts = (containerGroupId: string, over: Partial<OrphanFacts> = {}): OrphanFacts => ({
  ...place,
  containerGroupId,
  status: 'Running',
  clusterId: 'k1',
  podUid: `pod-of-${containerGroupId}`,
  attempt: 1,
  namespace: 'default',
  name: 'web',
  createdAt: new Date(Date.now() - 7_200_000).toISOString(),
  spec: '2-4Gi',
  cpu: 2,
  memoryGiB: 4,
  ...over,
});
const streams = (): OrphanStreams => new OrphanStreams({ store, clock: new SystemClock(), ids: new SystemIds() });
async function quarantine(...all: readonly OrphanFacts[]): Promise<void> {
  await new PostgresOrphans(pool).note(place, all);
  for (const each of all)
    await streams().execute(
      orphanStreamId(each),
      { type: 'Quarantine', facts: each, why: 'no stream' },
      { actor: 'control-plane:observe' },
    );
}
const pathOf = (group: string): string => encodeURIComponent(`default/cn-hangzhou/${group}`);

async function fleet(...words: readonly string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(COMMANDS, words, {
    environment,
    print: (line) => out.push(line),
    complain: (line) => err.push(line),
    signal: new AbortController().signal,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  store = new PostgresEventStore(pool);
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api' }), { messaging });
  // Nothing but where the database is: no keys of the fleet.
  environment = { DATABASE_URL: database.url, USER: 'jo' };
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

describe('orphans, as operators see them', () => {
  it('are listed with cost, age, tags and why; young ones are listed and cannot be removed', async () => {
    await quarantine(facts('eci-a'), facts('eci-b', { spec: 'ecs.c6.large' }));
    const young = facts('eci-young', { createdAt: new Date().toISOString() });
    await new PostgresOrphans(pool).note(place, [young]);
    const { body } = await get<OrphanPage>('/api/v1/orphans');
    expect(body.items.map(({ containerGroupId, state }) => [containerGroupId, state])).toEqual([
      ['eci-a', 'quarantined'],
      ['eci-b', 'quarantined'],
      ['eci-young', 'young'],
    ]);
    const [first, second] = body.items as [OrphanView, OrphanView];
    expect(first).toMatchObject({
      id: 'default/cn-hangzhou/eci-a',
      tags: { clusterId: 'k1', podUid: 'pod-of-eci-a', namespace: 'default', name: 'web', attempt: 1 },
      cost: { kind: 'estimated', currency: 'CNY', perHour: 0.4411 },
      why: 'no stream',
    });
    expect(first.ageSeconds).toBeGreaterThanOrEqual(7200);
    expect(second.cost.kind).toBe('unknown');
    expect((await remove(pathOf('eci-young'))).status).toBe(409);
    expect((await get('/api/v1/orphans/eci-nobody')).status).toBe(404);
  });

  it('come in pages, and by account, region and state', async () => {
    const seen: string[] = [];
    let path = '/api/v1/orphans?limit=1';
    for (let page = 0; page < 10; page++) {
      const { body } = await get<OrphanPage>(path);
      seen.push(...body.items.map(({ containerGroupId }) => containerGroupId));
      if (body.nextCursor === undefined) break;
      path = `/api/v1/orphans?limit=1&cursor=${body.nextCursor}`;
    }
    expect(seen).toEqual(['eci-a', 'eci-b', 'eci-young']);
    expect((await get<OrphanPage>('/api/v1/orphans?state=young')).body.items).toHaveLength(1);
    expect((await get<OrphanPage>('/api/v1/orphans?region=cn-beijing')).body.items).toEqual([]);
    expect((await get('/api/v1/orphans?state=what')).status).toBe(400);
  });

  it('are removed and kept on command, with the work in a row and the name in history', async () => {
    const removed = await remove('eci-a', { by: 'jo', reason: 'left behind' });
    expect(removed).toMatchObject({
      status: 202,
      body: { state: 'removing', decision: { by: 'operator:jo', reason: 'left behind' } },
    });
    const { rows } = await pool.query('select stream_id, kind, key, lane from es.effect');
    const id = { ...place, containerGroupId: 'eci-a' };
    expect(rows).toEqual([
      { stream_id: orphanStreamId(id), kind: 'RemoveOrphan', key: 'eci-a', lane: 'default/cn-hangzhou/delete' },
    ]);
    const events = (await store.loadMany([orphanStreamId(id)])).get(orphanStreamId(id));
    // Who asked is who was let in, whatever he calls himself.
    expect(events?.at(-1)).toMatchObject({
      type: 'OrphanRemovalRequested',
      data: { by: 'operator:jo' },
      metadata: { actor: 'operator:admin' },
    });
    // again, and keeping what is being removed
    expect((await remove('eci-a')).status).toBe(202);
    expect((await pool.query('select 1 from es.effect')).rows).toHaveLength(1);
    expect((await post(`/api/v1/orphans/eci-a/keep`, { reason: 'mine' })).status).toBe(409);
    expect((await post(`/api/v1/orphans/eci-b/keep`)).status).toBe(400);
    expect((await post<OrphanView>(`/api/v1/orphans/eci-b/keep`, { reason: 'mine' })).body).toMatchObject({
      state: 'kept',
    });
  });

  it('are removed only on the state that was looked at', async () => {
    await quarantine(facts('eci-state'));
    const path = '/api/v1/orphans/eci-state';
    const seen = await get<OrphanView>(path);
    const etag = seen.headers.get('etag')!;
    expect(seen.body.etag).toBe(etag);
    expect((await call(plane.url, 'GET', path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await post(`${path}/remove`)).status).toBe(428);
    // when somebody else keeps it meanwhile
    expect((await post(`${path}/keep`, { reason: 'mine' })).status).toBe(200);
    const late = await call(plane.url, 'POST', `${path}/remove`, { body: {}, headers: { 'if-match': etag } });
    expect(late).toMatchObject({ status: 412, body: { now: { state: 'kept' } } });
    expect((await get<OrphanView>(path)).body.state).toBe('kept');
  });

  it('are shown by the command line, which removes only after a preview', async () => {
    await quarantine(facts('eci-c'), facts('eci-d', { createdAt: new Date(Date.now() - 1_000_000).toISOString() }));
    const listed = await fleet('orphans');
    expect(listed.code).toBe(0);
    expect(listed.out).toContain('PER HOUR (ESTIMATED)');
    expect(listed.out).toMatch(/eci-c +quarantined +Running +2 h 0 min +0\.4411 CNY +default\/web +k1 +no stream/);
    expect((await fleet('orphans', 'list', '--state', 'kept')).out).toContain('eci-b');

    const preview = await fleet('orphans', 'remove', '--all', '--older-than', '1h');
    expect(preview.out).toContain('eci-c');
    expect(preview.out).not.toContain('eci-d');
    expect(preview.out).toContain('1 orphan; estimated 0.4411 CNY an hour at list prices.');
    expect(preview.out).toContain('Nothing was removed');
    expect((await get<OrphanView>('/api/v1/orphans/eci-c')).body.state).toBe('quarantined');

    // the set that was shown is named, and another one is refused
    const state = /--state (\S+) --yes/.exec(preview.out)![1]!;
    const all = ['orphans', 'remove', '--all', '--older-than', '1h', '--yes'];
    expect((await fleet(...all)).code).toBe(2);
    await quarantine(facts('eci-late'));
    const changed = await fleet(...all, '--state', state);
    expect([changed.code, changed.err]).toEqual([
      1,
      expect.stringMatching(/decided on \(1 orphan\): nothing was removed/),
    ]);
    expect((await get<OrphanView>('/api/v1/orphans/eci-c')).body.state).toBe('quarantined');
    expect((await fleet('orphans', 'keep', 'eci-late', '--reason', 'mine')).code).toBe(0);
    expect((await fleet(...all, '--state', state)).code).toBe(0);
    expect((await get<OrphanView>('/api/v1/orphans/eci-c')).body).toMatchObject({
      state: 'removing',
      decision: { by: 'operator:jo' },
    });
    expect((await fleet('orphans', 'keep', 'eci-d', '--reason', 'mine')).code).toBe(0);
    const refused = await fleet('orphans', 'remove', 'eci-young', '--yes');
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('younger than 10 minutes')]);
    for (const wrong of [
      ['--all', 'eci-c'],
      [],
      ['--older-than', '1h', 'eci-c'],
      ['--all', '--older-than', 'long'],
      ['--state', 'x', 'eci-c'],
    ])
      expect((await fleet('orphans', 'remove', ...wrong)).code).toBe(2);
  });
});

describe('held stops, as operators see them', () => {
  async function hold(cluster: string, ...uids: readonly string[]): Promise<void> {
    await pool.query(
      `insert into fleet.cluster (id, name, account_id, registered_at, joined_at) values ($1, $1, 'default', now(), now()) on conflict do nothing`,
      [cluster],
    );
    await pool.query('insert into fleet.mass_delete_guard (cluster_id, holds) values ($1, 1)', [cluster]);
    await pool.query(
      `insert into fleet.hold (id, cluster_id, fired_at, last_held_at, population, allowance, passed, asked) values ($1 || '/1', $1, now(), now(), 100, 50, 40, 60)`,
      [cluster],
    );
    await held(cluster, ...uids);
  }

  async function held(cluster: string, ...uids: readonly string[]): Promise<void> {
    await store.append(
      uids.map((uid) => ({
        streamId: streamIdOf(cluster, uid),
        expected: 0,
        events: [
          {
            eventId: crypto.randomUUID(),
            type: 'StopHeld',
            schemaVersion: 1,
            data: {
              hold: `${cluster}/1`,
              by: `agent:${cluster}`,
              reason: 'Absent',
              namespace: 'default',
              name: uid,
              agentEpoch: 1,
              sequence: 1,
            },
            metadata: { actor: `agent:${cluster}`, decidedAt: new Date().toISOString() },
          },
        ],
      })),
    );
  }

  it('are listed by cluster and by pod, and on the cluster itself', async () => {
    await hold('c1', 'p1', 'p2', 'p3');
    expect((await get<{ items: unknown[] }>('/api/v1/holds')).body.items).toMatchObject([
      { clusterId: 'c1', held: 3, denied: 0, underWay: 0, active: { id: 'c1/1', allowance: 50, population: 100 } },
    ]);
    const first = await get<{ items: unknown[]; nextCursor: string }>('/api/v1/holds/c1?limit=2');
    const rest = await get<{ items: unknown[] }>(`/api/v1/holds/c1?limit=2&cursor=${first.body.nextCursor}`);
    expect([first.body.items.length, rest.body.items]).toMatchObject([
      2,
      [{ podUid: 'p3', reason: 'Absent', hold: 'c1/1' }],
    ]);
    expect((await get('/api/v1/clusters/c1')).body).toMatchObject({ hold: { held: 3, denied: 0, active: true } });
  });

  it('are decided one by one or all together; a decision is kept until it is carried out', async () => {
    const one = await post('/api/v1/holds/c1/release', { only: ['p1', 'nobody'], by: 'jo', reason: 'it is gone' });
    expect(one).toMatchObject({ status: 202, body: { stops: 1, notHeld: ['nobody'] } });
    const all = await post('/api/v1/holds/c1/deny', { all: true, by: 'jo' });
    expect(all).toMatchObject({ status: 202, body: { stops: 2, ended: 'c1/1' } });
    const due = await new PostgresHeldStops({ pool, limits: { windowMs: 1_000 } }).due(10);
    const said = { by: 'operator:jo', actor: 'operator:admin' };
    expect(due.toSorted((a, b) => a.streamId.localeCompare(b.streamId))).toEqual([
      { ...said, streamId: streamIdOf('c1', 'p1'), verdict: 'release', reason: 'it is gone' },
      { ...said, streamId: streamIdOf('c1', 'p2'), verdict: 'deny' },
      { ...said, streamId: streamIdOf('c1', 'p3'), verdict: 'deny' },
    ]);
    expect((await post('/api/v1/holds/nowhere/release', { only: ['p1'] })).status).toBe(404);
    expect((await post('/api/v1/holds/c1/release', { only: [] })).status).toBe(400);
    expect((await post('/api/v1/holds/c1/release', { by: 'a b' })).status).toBe(400);
  });

  it('are shown and decided by the command line', async () => {
    await hold('c2', 'q1', 'q2');
    const listed = await fleet('holds');
    expect([listed.code, listed.out]).toEqual([1, expect.stringMatching(/c2 +2 +0 +0 /)]);
    expect((await fleet('holds', 'c2')).out).toMatch(/q1 {2}default\/q1 {2}Absent .* held/);
    expect((await fleet('holds', 'release', 'c2', '--all')).out).toMatch(
      /Nothing was decided: say --all --state 1-2-0-\w+ --yes/,
    );
    expect((await fleet('holds', 'release', 'c2', '--only', 'q1', '--yes')).out).toBe('Released: 1 stops.');
    expect((await fleet('holds', 'deny', 'c2', '--all', '--yes', '--reason', 'no')).out).toContain('hold c2/1 ended');
    expect((await fleet('holds', 'release', 'nowhere', '--only', 'q1', '--yes')).code).toBe(1);
    for (const wrong of [
      [],
      ['c2'],
      ['c2', 'q1'],
      ['c2', '--yes'],
      ['c2', '--all', '--only', 'q1'],
      ['c2', '--all', '--yes'],
    ])
      expect((await fleet('holds', 'release', ...wrong)).code).toBe(2);
  });

  it('are released all together on the state that the preview showed, and on no other', async () => {
    await hold('c3', 'r1', 'r2');
    const state = /--state (\S+) --yes/.exec((await fleet('holds', 'release', 'c3', '--all')).out)![1]!;
    await held('c3', 'r3');
    const changed = await fleet('holds', 'release', 'c3', '--all', '--state', state, '--yes');
    expect([changed.code, changed.err]).toEqual([
      1,
      expect.stringContaining('you decided on 2 held and 0 denied stops in hold 1; now there are 3 held'),
    ]);
    const again = /--state (\S+) --yes/.exec((await fleet('holds', 'release', 'c3', '--all')).out)![1]!;
    const done = await fleet('holds', 'release', 'c3', '--all', '--state', again, '--yes');
    expect([done.code, done.out]).toEqual([0, expect.stringContaining('Released: 3 stops; hold c3/1 ended')]);
  });

  it('are never all released for want of a word, of a state, or on another state', async () => {
    await hold('c4', 's1', 's2');
    const release = (body: unknown, headers: Record<string, string> = {}) =>
      call(plane.url, 'POST', '/api/v1/holds/c4/release', { body, headers });
    const waiting = async () =>
      (await pool.query(`select 1 from fleet.held_stop where cluster_id = 'c4' and wanted is null`)).rowCount;
    const seen = await get('/api/v1/holds/c4?limit=1');
    const etag = seen.headers.get('etag')!;
    expect((await get<{ items: { clusterId: string; etag: string }[] }>('/api/v1/holds')).body.items).toContainEqual(
      expect.objectContaining({ clusterId: 'c4', etag }),
    );

    expect((await release({})).status).toBe(400);
    expect((await release({ only: ['s1'], all: true }, { 'if-match': etag })).status).toBe(400);
    expect((await release({ all: false }, { 'if-match': etag })).status).toBe(400);
    expect(await release({ onyl: ['s1'] })).toMatchObject({
      status: 400,
      body: { errors: expect.arrayContaining([{ pointer: '/onyl', detail: 'is not known here; did you mean only?' }]) },
    });
    for (const named of [{}, { 'if-match': '*' }])
      expect(await release({ all: true }, named)).toMatchObject({
        status: 428,
        body: { type: 'urn:eci-fleet:problem:state-not-stated' },
      });
    expect((await release({ all: true }, { 'if-match': 'c4/1' })).status).toBe(400);
    await held('c4', 's3');
    const changed = await release({ all: true }, { 'if-match': etag });
    expect(changed).toMatchObject({
      status: 412,
      body: { seen: { hold: 1, held: 2, denied: 0 }, now: { hold: 1, held: 3, denied: 0 } },
    });
    expect((await release({ only: ['s1'] }, { 'if-match': etag })).status).toBe(412);
    expect(await waiting()).toBe(3);

    // the tag of the refusal is that of now: whoever has looked again may go on
    expect(await release({ all: true }, { 'if-match': changed.headers.get('etag')! })).toMatchObject({
      status: 202,
      body: { stops: 3, ended: 'c4/1' },
    });
    // and one that comes late into the hold that was released waits for a decision of its own
    await held('c4', 's4');
    expect(await new PostgresHeldStops({ pool, limits: { windowMs: 300_000 } }).due(100)).not.toContainEqual(
      expect.objectContaining({ streamId: streamIdOf('c4', 's4') }),
    );
    expect(await waiting()).toBe(1);
  });
});
