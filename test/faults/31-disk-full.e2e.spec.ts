/**
 * Fault 31: the disk of PostgreSQL is full; nothing is called, deletes included, for no call may go out without a durable row; when there is space
 * again, deletes do not wait for creates.
 */
import { eventually } from '#libs/testing';
import pg from 'pg';
import { expect, it } from 'vitest';
import { exhaustCreates, restoreCreates } from '../e2e/support/lanes.ts';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { complaints } from './support/logs.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet();

it('calls nothing, and deletes first', async () => {
  const { cluster, controlPlane } = fleet;
  const old = await cluster.run(names('old', 8));
  await judge(fleet);
  const calls = await callsThatChange();

  // given a server that can extend no file
  await fillDisk();
  const since = Date.now();
  const fresh = await cluster.run(names('fresh', 8));
  const doomed = old.slice(0, 4);
  await cluster.remove(doomed);

  // when it has been tried long enough for the process to call itself in trouble
  await eventually(async () => (await fleet.readiness()).status === 503, {
    what: 'readiness tells of the trouble',
    deadlineMs: 60_000,
  });
  const { checks } = await fleet.readiness();
  expect(checks.find(({ ok, reason }) => !ok && reason?.includes('No space left'))).toBeDefined();

  // then nothing was called, nobody died, and the log is no flood
  expect(await callsThatChange()).toEqual(calls);
  expect(controlPlane.running).toBe(true);
  const said = [...complaints(controlPlane, { since })].sort(([, a], [, b]) => b - a);
  const minutes = Math.max(1, (Date.now() - since) / 60_000);
  expect((said[0]?.[1] ?? 0) / minutes, JSON.stringify(said)).toBeLessThan(60);

  // when there is space again, and creates have a long queue
  await pastTheDisk(exhaustCreates);
  await freeDisk();

  // then deletes do not wait for them
  await cluster.untilGone(doomed);
  expect((await callsThatChange()).creates).toBe(calls.creates);
  await restoreCreates(fleet.database);
  await judge(fleet);
  await expectOneGroup(fleet, fresh);
});

async function callsThatChange(): Promise<{ creates: number; deletes: number }> {
  const requests = await fleet.simulator.requests();
  const count = (name: string): number => requests.filter(({ action }) => action === name).length;
  return { creates: count('CreateContainerGroup'), deletes: count('DeleteContainerGroup') };
}

/** Every table of the store takes no row any more, with the words and the code that PostgreSQL has for it. */
async function fillDisk(): Promise<void> {
  await fleet.database.query(`
    create function public.disk_is_full() returns trigger language plpgsql as $$ begin
      raise exception 'could not extend file "base/16384/16391": No space left on device' using errcode = 'disk_full', hint = 'Check free disk space.';
    end $$;
    do $$ declare t regclass; begin
      for t in select c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname in ('es', 'fleet') and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'clock'
      loop execute format('create trigger disk_is_full before insert or update on %s for each row execute function public.disk_is_full()', t); end loop;
    end $$;`);
}

/** Changes rows although the disk is full. */
async function pastTheDisk(change: (database: pg.Pool) => Promise<void>): Promise<void> {
  const pool = new pg.Pool({ ...fleet.database.options, max: 1, options: '-c session_replication_role=replica' });
  await change(pool).finally(() => pool.end());
}

async function freeDisk(): Promise<void> {
  await fleet.database.query('drop function public.disk_is_full() cascade');
}
