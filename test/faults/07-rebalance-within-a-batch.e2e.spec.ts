/** Fault 7: partitions go to another replica while a batch of theirs is being appended; the store takes one of both appends, offset and all. */
import { eventually } from '#libs/testing';
import { it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet();

it('does what came once, whoever is faster', async () => {
  const { cluster } = fleet;
  await cluster.untilPhase(await cluster.run(['warm-up']));
  // given a replica that stands still in the middle of its batches
  const blocked = await fleet.blockAppends();
  const pods = await cluster.run(names('torn', 12));
  await blocked.untilWaiting('intake waits to append');
  const [stale] = fleet.replicas;
  stale!.process.pause();
  const itsAppends = await waitingAppends();

  // when another one gets its partitions, reads the same messages and comes to the same point
  await fleet.startReplica();
  await eventually(async () => (await waitingAppends()).some((pid) => !itsAppends.includes(pid)), {
    what: 'another replica wants to append as well',
    deadlineMs: 40_000,
  });
  await blocked.release();
  stale!.process.resume();

  // then all is done, once, and both go on
  await judge(fleet);
  await expectOneGroup(fleet, pods);
  const later = await cluster.run(names('later', 8));
  await judge(fleet);
  await expectOneGroup(fleet, later);
});

/** Sessions whose appends stand in front of the lock. */
async function waitingAppends(): Promise<number[]> {
  const { rows } = await fleet.database.query<{ pid: number }>(
    `select pid from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%es.append%' and pid <> pg_backend_pid()`,
  );
  return rows.map(({ pid }) => pid);
}
