/** Fault 34: a replica is paused for longer than its leases and wakes up late; the store refuses what it still wants to write, and no extra group is open. */
import { eventually } from '#libs/testing';
import { it } from 'vitest';
import type { Made } from './support/cluster.ts';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names, untilEvents } from './support/one-group.ts';

const fleet = useFaultFleet();

it('may wake up, and is refused', async () => {
  const { cluster } = fleet;
  const [sleeper] = fleet.replicas as [(typeof fleet.replicas)[0]];
  await cluster.untilPhase(await cluster.run(['warm-up']));
  // given a replica that is paused while its creates are on their way
  fleet.cloudProxy.blackHole('up');
  const pods = await cluster.run(names('held', 10));
  await untilEvents(fleet, pods, ['PlacementChosen']);
  sleeper.process.pause();

  // when those calls arrive all the same, and another replica takes over everything, deletes too
  await fleet.cloudProxy.heal();
  await fleet.startReplica();
  await cluster.untilPhase(pods, 'Running', 150_000);
  const [doomed] = pods;
  await cluster.remove([doomed!]);
  await cluster.untilGone([doomed!]);
  // Groups that were found are known long before: it is the claims that must have ended, and their rows with them.
  await eventually(async () => (await createsLeft(pods)) === 0, {
    what: 'the claims of the replica that sleeps have ended',
    deadlineMs: 150_000,
  });
  sleeper.process.resume();

  // then nothing that it says of those calls is written
  await eventually(async () => ((await fleet.figure('eci_fleet_effects_lost_claims_total', sleeper)) ?? 0) > 0, {
    what: 'the replica that slept learns that its claims are lost',
    deadlineMs: 60_000,
  });
  await judge(fleet);
  await expectOneGroup(fleet, pods);

  // and it works on as one of two
  const more = await cluster.run(names('after', 6));
  await judge(fleet);
  await expectOneGroup(fleet, more);
});

async function createsLeft(pods: readonly Made[]): Promise<number> {
  const { rows } = await fleet.database.query<{ count: number }>(
    `select count(*)::int as count from es.effect where kind = 'Create' and stream_id = any ($1)`,
    [pods.map(({ uid }) => `container_group:alpha:${uid}`)],
  );
  return rows[0]!.count;
}
