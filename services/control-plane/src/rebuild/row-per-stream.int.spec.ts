import pg from 'pg';
import { orphanStreamId, streamIdOf, type OrphanCommand } from '#libs/domain';
import {
  asSqlClient,
  createPool,
  PostgresEventStore,
  PostgresTransactions,
  type EventStore,
  type NewEvent,
} from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { SystemClock, SystemIds, SystemRandom } from '#libs/runtime';
import { createTestDatabase, eventually, type TestDatabase } from '#libs/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { newMessaging, record, testConfig } from '../../spec/for-specs.ts';
import { heldStopProjection } from '../holds/held-stop-projection.ts';
import { HoldDesk } from '../holds/hold-desk.ts';
import { orphanCaseProjection } from '../orphans/orphan-case-projection.ts';
import { OrphanStreams } from '../orphans/orphan-streams.ts';
import { PROJECTIONS } from '../projections.ts';
import { PromptEventStore } from '../streams/prompt-store.ts';
import { rebuild } from './rebuild.ts';

/** Rows of held stops and of orphans: with the trigger on which replicas of 0.2.0 rely, and without it. */
let database: TestDatabase;
let pool: pg.Pool;
let admin: pg.Pool;
let plain: EventStore;
let prompt: EventStore;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 6 });
  admin = new pg.Pool({ connectionString: database.url, max: 2 });
  for (const each of [pool, admin]) each.on('error', () => undefined);
  plain = new PostgresEventStore(pool);
  prompt = new PromptEventStore({
    inner: plain,
    projections: PROJECTIONS,
    transactions: new PostgresTransactions(pool),
  });
});

afterEach(async () => {
  await pool?.end();
  await admin?.end();
  await database?.drop();
});

const withoutTrigger = () => admin.query('drop trigger note_holds_and_orphans on es.event');

const orphan = (containerGroupId: string) => ({ accountId: 'acc', region: 'cn-hangzhou', containerGroupId });
const quarantine = (id: string, status: 'Running' | 'Pending' = 'Running'): OrphanCommand => ({
  type: 'Quarantine',
  facts: { ...orphan(id), status, clusterId: 'c1', podUid: 'p', attempt: 2, cpu: 0.5, name: 'wéb' },
  why: `no stream knows it (${status})`,
});
const keep: OrphanCommand = { type: 'Keep', by: 'operator:jo', reason: 'mine' };
const remove: OrphanCommand = { type: 'RequestRemoval', by: 'policy' };
const accepted: OrphanCommand = { type: 'RecordDelete', requestId: 'r' };
const removed: OrphanCommand = { type: 'RecordRemoved', evidence: 'NotFound' };
const closed: OrphanCommand = { type: 'Close', reason: 'vanished', evidence: 'two lists' };

async function decide(store: EventStore, id: string, ...commands: readonly OrphanCommand[]): Promise<void> {
  const streams = new OrphanStreams({ store, clock: new SystemClock(), ids: new SystemIds() });
  for (const command of commands) await streams.execute(orphanStreamId(orphan(id)), command, { actor: 'test' });
}

const uids = new SystemIds();
const event = (type: string, data: NewEvent['data']): NewEvent => ({
  ...{ eventId: uids.uuid(), type, schemaVersion: 1, data },
  metadata: { actor: 'test', decidedAt: new Date().toISOString() },
});
const held = (hold: string): NewEvent =>
  event('StopHeld', {
    ...{ hold, by: 'agent:c1', reason: 'Absent', namespace: 'default', name: 'web', agentEpoch: 1, sequence: 1 },
  });
const denied = (): NewEvent => event('StopDenied', { by: 'operator:jo', reason: 'no' });
const released = (): NewEvent => event('StopReleased', { by: 'operator:jo', outcome: 'stopped' });
const stop = (uid: string): string => streamIdOf('c1', uid);

const stops = async () =>
  (await pool.query('select pod_uid, hold_id, denied_by, wanted from fleet.held_stop order by pod_uid')).rows;
const phases = async () =>
  (await pool.query('select container_group_id as id, phase, ended_how from fleet.orphan_case order by 1')).rows;
const run = (compareOnly: boolean) =>
  rebuild(
    [heldStopProjection, orphanCaseProjection],
    { pool, clock: new SystemClock(), random: new SystemRandom() },
    { compareOnly },
  );

async function everyStory(store: EventStore): Promise<void> {
  await decide(store, 'eci-q', quarantine('eci-q'));
  await decide(store, 'eci-k', quarantine('eci-k'), keep, closed, quarantine('eci-k', 'Pending'));
  await decide(store, 'eci-r', quarantine('eci-r'), keep, remove, accepted, removed, quarantine('eci-r', 'Pending'));
  await decide(store, 'eci-x', quarantine('eci-x'), remove, accepted, removed);
  await decide(store, 'eci-c', quarantine('eci-c'), closed);
  await record(store, stop('held'), [held('c1/1')]);
  await record(store, stop('denied'), [held('c1/1'), denied()]);
  await record(store, stop('again'), [held('c1/1'), denied(), held('c1/2')]);
  await record(store, stop('let go'), [held('c1/1'), released()]);
}

describe('rows that people decide on', () => {
  it('are those that the trigger writes, to the microsecond, and stay so when they are written again', async () => {
    await everyStory(plain);
    const tables = async () => [
      (await admin.query('select c::text as row from fleet.orphan_case c order by stream_id')).rows,
      (await admin.query('select h::text as row from fleet.held_stop h order by stream_id')).rows,
    ];
    const before = await tables();
    expect(before.map(({ length }) => length)).toEqual([5, 3]);

    for (const { differences } of await run(true)) expect(differences).toEqual([]);

    await withoutTrigger();
    await admin.query('delete from fleet.orphan_case');
    await admin.query('delete from fleet.held_stop');
    for (const { failed, taken } of await run(false)) expect({ failed, taken }).toEqual({ failed: [], taken: true });
    expect(await tables()).toEqual(before);
  });

  it('are there for whoever appended when the append is done, without any trigger', async () => {
    await withoutTrigger();
    await everyStory(prompt);
    expect(await phases()).toEqual([
      { id: 'eci-c', phase: 'closed', ended_how: 'vanished: two lists' },
      { id: 'eci-k', phase: 'kept', ended_how: null },
      { id: 'eci-q', phase: 'quarantined', ended_how: null },
      { id: 'eci-r', phase: 'quarantined', ended_how: null },
      { id: 'eci-x', phase: 'removed', ended_how: 'NotFound' },
    ]);
    expect(await stops()).toMatchObject([
      { pod_uid: 'again', hold_id: 'c1/2', denied_by: null },
      { pod_uid: 'denied', denied_by: 'operator:jo' },
      { pod_uid: 'held', hold_id: 'c1/1' },
    ]);
    for (const { differences } of await run(true)) expect(differences).toEqual([]);
  });

  it('come with role project when whoever appended died before it wrote them', async () => {
    await withoutTrigger();
    await everyStory(plain);
    expect([await stops(), await phases()]).toEqual([[], []]);
    const messaging: Messaging = newMessaging();
    let plane: ControlPlane | undefined;
    try {
      plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'project' }), { messaging });
      await eventually(async () => (await stops()).length === 3 && (await phases()).length === 5, {
        what: 'role project has written them',
      });
      for (const { differences } of await run(true)) expect(differences).toEqual([]);
    } finally {
      await plane?.stop();
      await messaging.close();
    }
  });

  it('hold up no append when they cannot be written', async () => {
    await withoutTrigger();
    await admin.query('alter table fleet.held_stop rename to held_stop_elsewhere');
    await record(prompt, stop('p'), [held('c1/1')]);
    expect((await plain.loadMany([stop('p')])).get(stop('p'))).toHaveLength(1);
    await admin.query('alter table fleet.held_stop_elsewhere rename to held_stop');
    expect(await stops()).toEqual([]);
    // and the next event of the stream writes what was left out
    await record(prompt, stop('p'), [denied()]);
    expect(await stops()).toMatchObject([{ pod_uid: 'p', denied_by: 'operator:jo' }]);
  });

  it('are never put back by who is late: what is written is read while the stream stands still', async () => {
    await withoutTrigger();
    await record(plain, stop('p'), [held('c1/1')]);
    const transactions = new PostgresTransactions(pool);
    let ending: Promise<unknown> | undefined;
    let over = false;
    await transactions.run(async (late) => {
      await heldStopProjection.apply([stop('p')], late, plain);
      ending = record(prompt, stop('p'), [released()]).then(() => (over = true));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(over).toBe(false);
    });
    await ending;
    expect(await stops()).toEqual([]);
    // and one that comes much later, with what it heard of then
    await transactions.run((late) => heldStopProjection.apply([stop('p')], late, plain));
    expect(await stops()).toEqual([]);
  });

  it('keep what an operator decided until it is carried out, however often they are written', async () => {
    for (const trigger of [true, false]) {
      if (!trigger) await withoutTrigger();
      const [one, two] = trigger ? ['a', 'b'] : ['c', 'd'];
      await record(prompt, stop(one), [held('c1/1')]);
      await record(prompt, stop(two), [held('c1/1')]);
      const desk = new HoldDesk(pool);
      await desk.decide({ clusterId: 'c1', verdict: 'deny', which: { only: [one] }, by: 'jo' });
      await desk.decide({ clusterId: 'c1', verdict: 'release', which: { only: [two] }, by: 'jo' });
      const apply = () =>
        new PostgresTransactions(pool).run((tx) => heldStopProjection.apply([stop(two), stop(one)], tx, plain));
      const wanted = async (): Promise<unknown> =>
        (await stops()).filter(({ pod_uid: uid }) => uid === one || uid === two).map((row) => row.wanted as unknown);

      await apply();
      expect(await wanted()).toEqual(['deny', 'release']);

      await record(prompt, stop(one), [denied()]);
      await record(prompt, stop(two), [denied()]);
      await apply();
      expect(await wanted()).toEqual([null, 'release']);

      // a later stop of the same pod was not decided on
      await record(prompt, stop(two), [released(), held('c1/2')]);
      await apply();
      expect(await wanted()).toEqual([null, null]);
    }
  });

  it('that are wrong are named, mended, and found by a comparison in one snapshot', async () => {
    await everyStory(plain);
    await admin.query(`update fleet.orphan_case set phase = 'kept', why = 'x' where container_group_id = 'eci-q'`);
    await admin.query(`delete from fleet.held_stop where pod_uid = 'held'`);
    await admin.query(
      `insert into fleet.held_stop (stream_id, cluster_id, pod_uid, namespace, name, hold_id, reason, since) values ($1, 'c1', 'ghost', 'd', 'n', 'c1/1', 'Absent', now())`,
      [stop('ghost')],
    );
    const told = [
      { streamId: stop('ghost'), what: 'is a row of fleet.held_stop that its events do not tell' },
      { streamId: stop('held'), what: 'is missing in fleet.held_stop' },
      { streamId: orphanStreamId(orphan('eci-q')), what: 'differs in phase, why in fleet.orphan_case' },
    ];
    const found = [heldStopProjection, orphanCaseProjection].map((each) => each.differences!(asSqlClient(pool)));
    expect((await Promise.all(found)).flat()).toEqual(told);
    expect((await run(true)).flatMap(({ differences }) => differences)).toEqual(told);
    expect((await run(false)).flatMap(({ differences }) => differences)).toEqual(told);
    expect((await run(true)).flatMap(({ differences }) => differences)).toEqual([]);
  });

  it('of a stream that cannot be read stay as they are, and it is parked where people see it', async () => {
    // Only a reader that has begun has streams that wait.
    await pool.query(`select es.lease_subscription('project', 'a spec', 1)`);
    await record(plain, stop('broken'), [held('c1/1')]);
    const before = await stops();
    await withoutTrigger();
    await record(plain, stop('broken'), [event('StopDenied', { by: 7 as unknown as string })]);
    const [result] = await run(false);
    expect(result).toMatchObject({ failed: [stop('broken')], differences: [] });
    expect(await stops()).toEqual(before);
    const { rows } = await admin.query(`select stream_id from es.subscription_parked where subscription = 'project'`);
    expect(rows).toEqual([{ stream_id: stop('broken') }]);
  });
});
