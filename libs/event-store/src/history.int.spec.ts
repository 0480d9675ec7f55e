import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '#libs/testing';
import { postgresUnderTest, type PostgresUnderTest } from '../spec/contract/postgres.ts';
import { event, put, readAll } from '../spec/contract/under-test.ts';
import { CursorOfAnotherLog } from './cursor.ts';
import { digestOf } from './digest.ts';
import { createPool } from './pool.ts';

let under: PostgresUnderTest;
beforeEach(async () => void (under = await postgresUnderTest(await createTestDatabase())));
afterEach(() => under.close());

describe('history', () => {
  it.each([
    'update es.event set type = type',
    'delete from es.event',
    'truncate es.event',
    `insert into es.event select * from es.event`,
    'delete from es.stream',
  ])('is out of reach of the application: %s', async (statement) => {
    await under.store.append([{ streamId: 's', expected: 0, events: [event()] }]);

    await expect(under.pool.query(statement)).rejects.toThrow('permission denied');
  });

  it('is not even changed by the owner of the database, only by the archiver', async () => {
    await under.store.append([{ streamId: 's', expected: 0, events: [event()] }]);
    const { rows } = await under.owner.query<{ partition: string }>(
      'select tableoid::regclass::text as partition from es.event',
    );
    const { partition } = rows[0]!;

    for (const statement of [
      `update es.event set type = 'X'`,
      'delete from es.event',
      'truncate es.event',
      `delete from ${partition}`,
      `update ${partition} set type = 'X'`,
      `truncate ${partition}`,
    ]) {
      await expect(under.owner.query(statement)).rejects.toThrow('events are never changed');
    }

    const archiver = await under.owner.connect();
    await archiver.query('set role eci_fleet_archiver');
    expect((await archiver.query('delete from es.event')).rowCount).toBe(1);
    await archiver.query('reset role');
    archiver.release();
  });

  it('gives the application no clock, no roles and short transactions', async () => {
    await expect(under.pool.query(`select es.set_clock_offset('1 day')`)).rejects.toThrow('permission denied');
    await expect(under.pool.query(`select es.ensure_partition(now())`)).rejects.toThrow('permission denied');
    const { rows } = await under.pool.query(
      `select current_user as role, current_setting('transaction_timeout') as transaction, current_setting('idle_in_transaction_session_timeout') as idle`,
    );
    expect(rows).toEqual([{ role: 'eci_fleet_app', transaction: '15s', idle: '10s' }]);
  });

  it('keeps the role when the address brings options of its own', async () => {
    const url = new URL(under.url);
    url.searchParams.set('options', '-c work_mem=1234kB -c role=none');
    const pool = createPool(url.href);

    const { rows } = await pool.query(`select current_user as role, current_setting('work_mem') as memory`);

    expect(rows).toEqual([{ role: 'eci_fleet_app', memory: '1234kB' }]);
    await pool.end();
  });

  it('carries a digest that can be computed again from what is read', async () => {
    const data = {
      b: 1,
      a: { z: [1e21, 1e-7, 0.1, -0, 123456789012345680000], ' ': 'ü\u2028"\\' },
      empty: {},
      none: null,
    };
    const upper = { ...event('Odd', data), eventId: '0A0B0C0D-0000-4000-8000-00000000ABCD' };
    await under.store.append([{ streamId: 's:ü', expected: 0, events: [event('Plain'), upper] }]);

    const { rows } = await under.pool.query<{ version: string; digest: Buffer }>(
      'select version, digest from es.event order by version',
    );
    const read = (await under.store.loadMany(['s:ü'])).get('s:ü')!;

    expect(rows.map((row) => row.digest.toString('hex'))).toEqual(
      read.map((e) => digestOf('s:ü', e.version, e).toString('hex')),
    );
    expect(digestOf('s:ü', 2, { ...read[1]!, type: 'Even' }).equals(rows[1]!.digest)).toBe(false);
  });

  it('is appended in any month without anybody having made its partition', async () => {
    await under.store.append([{ streamId: 'now', expected: 0, events: [event()] }]);
    await under.advance(400 * 86_400_000);

    const results = await Promise.all(
      ['x', 'y', 'z'].map((streamId) =>
        under.store.append([{ streamId, expected: 0, events: [event()], effects: [put(streamId)] }]),
      ),
    );
    await under.store.append([{ streamId: 'now', expected: 1, events: [event()] }]);
    await under.store.makePartitions(2);

    expect(results.flat().every((r) => r.ok)).toBe(true);
    expect((await under.store.loadMany(['now'])).get('now')!.map((e) => e.version)).toEqual([1, 2]);
    expect(await readAll(under)).toHaveLength(5);
    await expect(under.pool.query(`delete from es.event`)).rejects.toThrow('permission denied');
  });

  it('tells a reader whose cursor belongs to a log before a restore', async () => {
    await under.store.append([{ streamId: 's', expected: 0, events: [event()] }]);
    await under.settled();
    const { next } = await under.store.readAll({ generation: 1, transactionId: '0', position: '0' }, 10);

    await under.owner.query('update es.log set generation = 2');

    await expect(under.store.readAll(next, 10)).rejects.toThrow(CursorOfAnotherLog);
  });
});

describe('plans', () => {
  /** The plan of a statement under the settings of the function in which it stands. */
  const explain = async (settingsOf: string, sql: string, ...values: unknown[]): Promise<string> => {
    const client = await under.owner.connect();
    try {
      await client.query('begin');
      const { rows: settings } = await client.query<{ setting: string }>(
        `select unnest(proconfig) as setting from pg_proc where proname = $1 and pronamespace = 'es'::regnamespace`,
        [settingsOf],
      );
      for (const { setting } of settings) await client.query(`set local ${setting.replace('=', ' = ')}`);
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `explain (analyze, costs off, timing off, summary off, buffers off) ${sql}`,
        values,
      );
      await client.query('rollback');
      return rows.map((row) => row['QUERY PLAN']).join('\n');
    } finally {
      client.release();
    }
  };

  beforeEach(async () => {
    for (let batch = 0; batch < 5; batch++) {
      await under.store.append(
        Array.from({ length: 400 }, (_, i) => ({
          streamId: `s:${batch}:${i}`,
          expected: 0,
          events: [event(), event()],
          // One row in ten is due.
          effects: [put('k', { tenant: `c${i % 3}`, afterMs: i % 10 === 0 ? 0 : 3_600_000 })],
        })),
      );
    }
    await under.settled();
    await under.owner.query('analyze es.event, es.effect, es.stream');
  });

  it('read the log by its index, without sorting', async () => {
    const plan = await explain('read_all', 'select * from es.read_all($1::text::xid8, $2, 100)', '0', 0);

    expect(plan).toMatch(/Index Scan using event_\d{4}_\d\d_transaction_id_position_idx.*actual rows=100/);
    expect(plan).not.toMatch(/-> {2}Sort|Seq Scan/);
  });

  it('load a stream from the partitions in which it has events only', async () => {
    const plan = await explain(
      'load',
      `select e.* from unnest($1::text[]) i (stream_id) join es.stream s on s.stream_id = i.stream_id
        cross join lateral (select * from es.event e where e.stream_id = s.stream_id and e.recorded_at >= s.opened_at
                               and e.recorded_at <= s.last_recorded_at order by e.version) e`,
      ['s:0:0'],
    );

    expect(plan.match(/never executed/g)).toHaveLength(3);
    expect(plan).not.toContain('Seq Scan');
  });

  it('look for due work in the index and touch no row that is not due', async () => {
    const first = `select 1 from es.effect e where e.lane = 'lane' and e.run_at <= (select es.now()) limit 1`;
    expect(await explain('claim_effects', first)).toContain('Index Only Scan using effect_due');

    const turn = await explain(
      'claim_effects',
      `select * from es.effect e where e.lane = 'lane' and e.tenant = 'c0' and e.run_at <= (select es.now())
        order by e.priority desc, e.run_at limit 1000`,
    );
    expect(turn).toMatch(/Index Scan using effect_turn.*actual rows=70/);
    expect(turn).not.toMatch(/-> {2}Sort|Rows Removed/);
  });
});
