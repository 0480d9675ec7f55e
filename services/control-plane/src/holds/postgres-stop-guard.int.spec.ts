import pg from 'pg';
import { Metrics, silentLogger } from '#libs/observability';
import { createPool } from '#libs/event-store';
import { createTestDatabase } from '#libs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresStopGuard } from './postgres-stop-guard.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let pool: pg.Pool;
let admin: pg.Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 8 });
  admin = new pg.Pool({ connectionString: database.url, max: 1 });
});
afterAll(async () => {
  await Promise.all([pool.end(), admin.end()]);
  await database.drop();
});

const guard = (limits = { percent: 20, count: 50, windowMs: 300_000 }): PostgresStopGuard =>
  new PostgresStopGuard({ pool, limits, logger: silentLogger, metrics: new Metrics() });

/** So many groups run, as far as the read model says; `streams` are open. */
async function populate(cluster: string, groups: number, streams = groups): Promise<void> {
  await admin.query(
    `insert into fleet.container_group_count (cluster_id, life, zone, groups) values ($1, 'running', 'z', $2), ($1, 'succeeded', 'z', 5000)`,
    [cluster, groups],
  );
  await admin.query(
    `insert into es.stream (stream_id, version, last_transaction_id, last_recorded_at, opened_at)
     select 'container_group:' || $1 || ':' || i, 1, '1', now(), now() from generate_series(1, $2) i`,
    [cluster, streams],
  );
}
const uids = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `u${from + i}`);

describe('the rows of the mass-delete guard', () => {
  it('let through a part of the cluster, whoever asks at the same moment, and count each pod once', async () => {
    await populate('many', 1000);
    const replicas = [guard(), guard(), guard()];
    const asks = Array.from({ length: 40 }, (_, i) => uids(i * 10, 10));
    const answers = await Promise.all(
      asks.map(async (ask, i) => ({ ask, held: await replicas[i % 3]!.admit('many', ask) })),
    );
    const through = answers.flatMap(({ ask, held }) => ask.filter((uid) => !held.has(uid)));
    const held = answers.flatMap((answer) => [...answer.held.keys()]);
    expect(through).toHaveLength(200);
    expect(held).toHaveLength(200);
    expect(new Set(answers.flatMap((answer) => [...answer.held.values()]))).toEqual(new Set(['many/1']));

    // asked again, after a crash before the append, the answers are the same
    expect([...(await guard().admit('many', through)).keys()]).toEqual([]);
    expect([...(await guard().admit('many', held)).keys()].sort()).toEqual(held.sort());
  });

  it('believe neither a read model that is ahead of the streams nor one that is empty', async () => {
    await populate('stale', 5000, 300);
    expect((await guard().admit('stale', uids(0, 60))).size).toBe(0);
    expect((await guard().admit('stale', uids(60, 1))).size).toBe(1);
    await populate('unseen', 0, 1000);
    expect((await guard().admit('unseen', uids(0, 50))).size).toBe(0);
    expect((await guard().admit('unseen', uids(50, 1))).size).toBe(1);
  });

  it('hold one cluster and not the other', async () => {
    expect((await guard({ percent: 0, count: 0, windowMs: 1000 }).admit('a', uids(0, 3))).size).toBe(3);
    expect((await guard().admit('b', uids(0, 3))).size).toBe(0);
    expect((await guard().admit('b', [])).size).toBe(0);
  });
});
