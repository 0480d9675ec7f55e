/** Fault 32: other programs take every connection of PostgreSQL, and then each answer of it takes seconds; the control plane waits and tells the truth, and catches up. */
import { eventually } from '#libs/testing';
import pg from 'pg';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { complaints } from './support/logs.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const CONNECTIONS = 40;
const fleet = useFaultFleet({
  postgres: { max_connections: CONNECTIONS },
  controlPlane: { DATABASE_POOL_SIZE: '10' },
});

it('waits for its turn', async () => {
  const { cluster, controlPlane } = fleet;
  const old = await cluster.run(names('old', 4));
  await judge(fleet);
  const since = Date.now();

  // given a server whose connections others have, every one of them
  const greedy = await takeAllConnections();
  const fresh = await cluster.run(names('fresh', 4));
  await cluster.remove(old.slice(0, 2));

  // then readiness tells, the process lives, and nothing was done without the database
  const { checks } = await eventually(
    async () => {
      const readiness = await fleet.readiness();
      return readiness.status === 503 && readiness;
    },
    { what: 'readiness tells of the database' },
  );
  expect(checks.find(({ name }) => name === 'postgresql')?.ok).toBe(false);
  expect(await fleet.simulator.groupsOf(fresh[0]!.uid)).toEqual([]);

  // when they are given back, and each answer takes seconds
  await Promise.all(greedy.map((client) => client.end()));
  fleet.postgresProxy.delay(1_200);
  await eventually(async () => (await fleet.eventTypes(fresh.at(-1)!.uid)).length > 0, {
    what: 'it works on, slowly',
    deadlineMs: 120_000,
  });
  expect((await fleet.readiness()).checks.find(({ name }) => name === 'postgresql')?.reason).toContain('no answer');

  // then all is done in the end, and the log is no flood
  await fleet.postgresProxy.heal();
  await judge(fleet);
  await expectOneGroup(fleet, fresh);
  expect(controlPlane.running).toBe(true);
  const said = [...complaints(controlPlane, { since })].sort(([, a], [, b]) => b - a);
  expect(said[0]?.[1] ?? 0, JSON.stringify(said)).toBeLessThan(150);
});

/** Opens connections until the server has none left, and cuts those of the control plane until it has none either. */
async function takeAllConnections(): Promise<pg.Client[]> {
  const { host, port, user, password, database } = new pg.Client({
    connectionString: fleet.database.options.connectionString!,
  });
  const greedy: pg.Client[] = [];
  const taking = async (): Promise<boolean> => {
    const client = new pg.Client({ host, port, user, password: password ?? '', database: database ?? '' });
    client.on('error', () => {});
    try {
      await client.connect();
      greedy.push(client);
      return true;
    } catch {
      return false;
    }
  };
  while (await taking());
  await eventually(
    async () => {
      fleet.postgresProxy.cut();
      // Whoever is faster gets what became free: a few rounds, and they have all.
      await Promise.all(Array.from({ length: 12 }, taking));
      const { rows } = await greedy[0]!.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity where application_name like 'eci-fleet%'`,
      );
      return rows[0]!.count === 0;
    },
    { what: 'the control plane has no connection any more', deadlineMs: 30_000, everyMs: 20 },
  );
  return greedy;
}
