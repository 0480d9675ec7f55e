/** Fault 34: a replica is paused for longer than its leases and wakes up late; the store refuses what it still wants to write, and no extra group is open. */
import { eventually } from '#libs/testing';
import { it } from 'vitest';
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
