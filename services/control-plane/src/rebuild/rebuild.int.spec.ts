import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import pg from 'pg';
import { streamIdOf } from '#libs/domain';
import { asSqlClient, createPool, PostgresEventStore } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { SystemClock, SystemRandom } from '#libs/runtime';
import { createTestDatabase, eventually, type TestDatabase } from '#libs/testing';
import { containerGroupRow } from '../container-groups/container-group-row.ts';
import type { ContainerGroupPage } from '../container-groups/list-container-groups.ts';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
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
  story,
  testConfig,
} from '../../spec/for-specs.ts';
import { containerGroupProjection } from '../container-groups/container-group-projection.ts';
import { containerGroupTables } from '../container-groups/container-group-tables.ts';
import { LIVE, writeRows } from '../container-groups/write-rows.ts';
import { RebuildStopped, type RebuildOptions } from '../streams/projection.ts';
import { rebuild, RebuildRunning } from './rebuild.ts';
import { RebuildReplaced, ShadowTables } from './shadow-tables.ts';

let database: TestDatabase;
let pool: pg.Pool;
let admin: pg.Pool;
let store: PostgresEventStore;
let messaging: Messaging;
let plane: ControlPlane;

const APPLICATION = 'spec rebuild';

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 8, applicationName: APPLICATION });
  admin = new pg.Pool({ connectionString: database.url, max: 2 });
  for (const each of [pool, admin]) each.on('error', () => undefined);
  store = new PostgresEventStore(pool);
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api,project' }), { messaging });
});

afterEach(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await admin?.end();
  await database?.drop();
});

async function run(options: RebuildOptions = {}) {
  const parts = { pool, clock: new SystemClock(), random: new SystemRandom() };
  const [result] = await rebuild([containerGroupProjection], parts, options);
  return { ...result!, ...result!.beside! };
}

const idOf = (i: number): string => streamIdOf('c1', `u${i}`);
const LIFE = (i: number) => [
  accepted('c1', `u${i}`),
  placed(),
  created(`eci-${i}`),
  landed(`eci-${i}`, 'zone-b'),
  running(`eci-${i}`),
];

async function livesOf(from: number, to: number, events = 5): Promise<void> {
  for (let i = from; i < to; i++) await record(store, idOf(i), story(LIFE(i).slice(0, events)));
}

const tableId = async (): Promise<string> =>
  (await admin.query<{ id: string }>(`select 'fleet.container_group'::regclass::oid as id`)).rows[0]!.id;

const count = async (sql: string): Promise<number> =>
  Number((await admin.query<{ n: string }>(`select count(*) as n from ${sql}`)).rows[0]!.n);

const projected = (streams: number, version = 5) =>
  eventually(async () => (await count(`fleet.container_group where stream_version >= ${version}`)) === streams, {
    what: `${streams} rows stand at version ${version}`,
  });

const parkedStreams = async (): Promise<string[]> =>
  (
    await admin.query<{ stream_id: string }>(
      `select stream_id from es.subscription_parked where subscription = 'project'`,
    )
  ).rows.map(({ stream_id }) => stream_id);

describe('a rebuild of the read model', () => {
  it('serves from the new table, with equal hashes, the same indexes and the same counts', async () => {
    await livesOf(0, 20);
    await projected(20);
    const before = await tableId();
    const indexes = async () =>
      (
        await admin.query<{ d: string }>(
          `select indexdef as d from pg_indexes where schemaname = 'fleet' and tablename like 'container_group%' order by 1`,
        )
      ).rows;
    const indexed = await indexes();
    const counts = async () => (await admin.query('select * from fleet.container_group_count order by 1, 2, 3')).rows;
    const counted = await counts();

    const result = await run();

    expect(result).toMatchObject({
      taken: true,
      differences: [],
      failed: [],
      rows: 20,
      streams: 20,
      events: 100,
      moving: 0,
    });
    expect(result.serving).toBe(result.rebuilt);
    expect(await tableId()).not.toBe(before);
    expect(await indexes()).toEqual(indexed);
    expect(await counts()).toEqual(counted);
    await record(store, idOf(0), story([gone('eci-0')]));
    await eventually(async () => (await count(`fleet.container_group where stream_version = 6`)) === 1, {
      what: 'the running projection writes into the new table',
    });
    expect(await count(`pg_class where relname like 'container_group%shadow%'`)).toBe(0);
  });

  it('makes the indexes that the serving table lacks, before or after it is filled', async () => {
    await livesOf(0, 3);
    await projected(3);
    const indexed = (): Promise<number> => count(`pg_indexes where tablename = 'container_group'`);
    const all = await indexed();
    for (const indexFirstFrom of [0, 1_000_000]) {
      await admin.query(
        'drop index fleet.container_group_of_namespace_in_order, fleet.container_group_of_phase_in_order',
      );
      expect(await indexed()).toBe(all - 2);
      expect(await run({ indexFirstFrom })).toMatchObject({ taken: true, differences: [], rows: 3 });
      expect(await indexed()).toBe(all);
    }
  });

  it('shows pollers no error, no gap and no step back while others write', async () => {
    await livesOf(0, 150, 3);
    await projected(150, 3);
    let going = true;
    let next = 150;
    const writer = (async () => {
      for (let i = 0; going; i = (i + 1) % next) {
        await record(store, idOf(i), story([landed(`eci-${i}`, `zone-${i % 3}`)]));
        if (i % 5 === 0) await livesOf(next, ++next);
      }
    })();
    const seen = new Map<string, number>();
    const faults: string[] = [];
    const poller = (async () => {
      while (going) {
        const found = new Set<string>();
        const known = [...seen.keys()];
        let cursor = '';
        do {
          const answer = await call<ContainerGroupPage>(
            plane.url,
            'GET',
            `/api/v1/container-groups?cluster=c1&limit=50${cursor && `&cursor=${cursor}`}`,
          );
          if (answer.status !== 200) faults.push(`status ${answer.status}`);
          for (const { id, version } of answer.body.items) {
            if (version < (seen.get(id) ?? 0)) faults.push(`${id} went from ${seen.get(id)} back to ${version}`);
            seen.set(id, version);
            found.add(id);
          }
          cursor = answer.body.nextCursor ?? '';
        } while (cursor !== '');
        for (const id of known) if (!found.has(id)) faults.push(`${id} was gone`);
      }
    })();
    for (let i = 0; i < 3; i++) {
      const result = await run();
      expect(result).toMatchObject({ taken: true, differences: [] });
      expect(result.serving).toBe(result.rebuilt);
    }
    going = false;
    await Promise.all([writer, poller]);
    expect(faults).toEqual([]);
    expect(seen.size).toBeGreaterThan(150);
    await projected(next, 3);
    expect(
      await eventually(
        async () => {
          const { differences, moving } = await run({ compareOnly: true });
          return differences.length === 0 && moving === 0;
        },
        { what: 'both are equal once writers rest' },
      ),
    ).toBe(true);
  });

  it('leaves the serving table when it is cut off half-way, and begins anew when asked again', async () => {
    await livesOf(0, 10);
    await projected(10);
    const before = await tableId();
    let cut: Promise<unknown> | undefined;
    const broken = run({
      progress: () => {
        cut ??= admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1`, [
          APPLICATION,
        ]);
      },
    });
    await expect(broken).rejects.toThrow();
    await cut;
    expect(await tableId()).toBe(before);
    expect(await count('fleet.container_group')).toBe(10);
    await eventually(async () => (await run()).taken, { what: 'a second rebuild takes over' });
    expect(await tableId()).not.toBe(before);
    expect(await count('fleet.container_group')).toBe(10);
  });

  it('is refused while another one runs', async () => {
    await livesOf(0, 3);
    await projected(3);
    let second: Promise<unknown> | undefined;
    const first = run({ progress: () => void (second ??= run().catch((error: unknown) => error)) });
    await expect(first).resolves.toMatchObject({ taken: true });
    const refused = await second;
    expect(refused).toBeInstanceOf(RebuildRunning);
    expect((refused as Error).message).toMatch(/runs already \(PostgreSQL session \d+\)/);
  });

  it('writes nothing more once a later one has begun', async () => {
    await livesOf(0, 3);
    await projected(3);
    const paused = await ShadowTables.begin(containerGroupTables, pool);
    const later = await ShadowTables.begin(containerGroupTables, pool);
    await expect(paused.fill([idOf(0)])).rejects.toBeInstanceOf(RebuildReplaced);
    await expect(paused.catchUp()).rejects.toBeInstanceOf(RebuildReplaced);
    await paused.drop();
    expect(await later.fill([idOf(0)])).toBe(5);
  });

  it('stops when it is told to, and leaves nothing', async () => {
    await livesOf(0, 3);
    await projected(3);
    await expect(run({ signal: AbortSignal.abort() })).rejects.toBeInstanceOf(RebuildStopped);
    expect(await count(`pg_class where relname like 'container_group%shadow%'`)).toBe(0);
  });

  it('names what is wrong row by row, and mends it unless it shall only compare', async () => {
    await livesOf(0, 6);
    await projected(6);
    await pool.query(`update fleet.container_group set zone = 'zone-x', attempts = 9 where stream_id = $1`, [idOf(0)]);
    await pool.query('delete from fleet.container_group where stream_id = $1', [idOf(1)]);
    await pool.query(
      `insert into fleet.container_group select ('container_group:c1:ghost'), (g).stream_version, (g).cluster_id, (g).namespace, (g).name,
      'ghost', (g).life, (g).phase, (g).closed, (g).pod_object_gone, null, (g).group_status, (g).account_id, (g).region, (g).zone, (g).v_switch_id,
      (g).spec, (g).cpu, (g).memory_gib, (g).charge_type, (g).attempts, (g).reason, (g).message, (g).pod_ip, (g).images, (g).requested_at, (g).created_at,
      (g).landed_at, (g).running_at, (g).stop_requested_at, (g).ended_at, (g).ended_group_seconds, (g).last_event_type, (g).updated_at
      from fleet.container_group g where stream_id = $1`,
      [idOf(2)],
    );
    await pool.query('update fleet.container_group_count set groups = groups + 7');

    const compared = await run({ compareOnly: true });

    expect(compared.taken).toBe(false);
    expect(compared.serving).not.toBe(compared.rebuilt);
    const told = compared.differences.map(({ streamId, what }) => `${streamId ?? ''} ${what}`).toSorted();
    expect(told).toEqual([
      ' the live view counts 0 groups of cluster c1 with life running in zone-x, the rows are 1',
      expect.stringMatching(/^ the live view counts \d+ groups of cluster c1 .* in zone-b, the rows are 5$/),
      'container_group:c1:ghost is a row without any event',
      `${idOf(0)} differs in zone, attempts at version 5`,
      `${idOf(1)} is missing in the table that serves`,
    ]);
    expect(await count(`fleet.container_group where zone = 'zone-x'`)).toBe(1);

    const mended = await run({ most: 1 });
    expect(mended).toMatchObject({ taken: true, more: true });
    expect(mended.differences).toHaveLength(1);
    expect((await run({ compareOnly: true })).differences).toEqual([]);
  });

  it('does not call a row wrong that is as its stream was a moment ago', async () => {
    await livesOf(0, 3);
    await projected(3);
    const events = (await store.loadMany([idOf(0)])).get(idOf(0))!;
    for (let version = 1; version < events.length; version++) {
      await writeRows(asSqlClient(admin), LIVE, [containerGroupRow(events.slice(0, version))]);
      const compared = await run({ compareOnly: true });
      expect(compared).toMatchObject({ differences: [], moving: 1 });
    }
  });

  it('keeps the row of a stream that cannot be folded, and parks it where people see it', async () => {
    await livesOf(0, 3);
    await projected(3);
    const broken = { type: 'PodIntentAccepted', data: {} } as unknown as Parameters<typeof story>[0][number];
    await record(store, idOf(1), story([broken]));
    await eventually(async () => (await parkedStreams()).includes(idOf(1)), { what: 'the projection parks it' });
    const result = await run();
    expect(result).toMatchObject({ taken: true, failed: [idOf(1)], differences: [] });
    expect(await count('fleet.container_group')).toBe(3);
    expect(await parkedStreams()).toEqual([idOf(1)]);
    const counted = await admin.query<{ n: string }>('select sum(groups) as n from fleet.container_group_count');
    expect(Number(counted.rows[0]?.n)).toBe(3);
  });

  it('reads an event of a newer schema as the projection does: it is noted, and its data is not looked into', async () => {
    await livesOf(0, 2);
    await projected(2);
    const newer = story([gone('eci-1')]).map((event) => ({ ...event, schemaVersion: 2, data: {} }));
    await record(store, idOf(1), newer);
    await eventually(
      async () => (await count(`fleet.container_group where last_event_type = 'ContainerGroupGone'`)) === 1,
      { what: 'the projection has passed it' },
    );
    expect(await run()).toMatchObject({ failed: [], differences: [] });
    expect(await parkedStreams()).toEqual([]);
    expect(await count(`fleet.container_group where stream_id = '${idOf(1)}' and ended_at is null`)).toBe(1);
  });

  it('lets a stream flow again whose events can be handled by now', async () => {
    await livesOf(0, 3, 3);
    await projected(3, 3);
    await pool.query(`select es.park_for_subscription('project', $1, 4, 'a fault that was repaired')`, [idOf(1)]);
    await record(store, idOf(1), story([landed('eci-1', 'zone-b')]));
    await eventually(async () => (await count(`es.subscription_queued where version = 4`)) === 1, {
      what: 'its event waits',
    });
    await run();
    expect(await parkedStreams()).toEqual([]);
    expect(await count(`fleet.container_group where stream_id = '${idOf(1)}' and stream_version = 4`)).toBe(1);
    await record(store, idOf(1), story([running('eci-1')]));
    await projected(1, 5);
  });
});
