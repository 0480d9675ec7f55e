/** Fault 25: the cloud answers every list as if there were no group at all; nothing is concluded from it, no state changes, and an alarm is raised. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { linesOf } from './support/logs.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet();

it('concludes nothing from empty lists', async () => {
  const { cluster, controlPlane } = fleet;
  const pods = await cluster.run(names('seen', 12));
  await judge(fleet);
  const before = await fleet.countEvents();

  // given lists and reads that are empty, as for a caller who lost a permission
  for (const action of ['DescribeContainerGroups', 'DescribeContainerGroupStatus'])
    await fleet.simulator.fault({ kind: 'empty-list', action });

  // when inventory after inventory is taken (each start takes one)
  for (let taken = 1; taken <= 2; taken++) {
    await controlPlane.stop();
    await controlPlane.start();
    await eventually(async () => (await fleet.figure('eci_fleet_observe_frozen')) === 1, {
      what: 'deletions are frozen',
    });
  }

  // then no event was written, every pod runs, and somebody is told
  expect(await fleet.countEvents()).toBe(before);
  await cluster.untilPhase(pods);
  const alarms = (): unknown[] =>
    linesOf(controlPlane).filter(({ level, msg }) => level === 'error' && msg.includes('nothing is concluded'));
  // Lines reach their file a moment after they were said.
  await eventually(() => alarms().length === 2, { what: 'each inventory has raised its alarm' });

  // and what users want is still done: a pod that comes is made, one that goes is deleted
  const [gone, ...others] = pods;
  await cluster.remove([gone!]);
  const more = await cluster.run(names('unseen', 2));
  await eventually(async () => (await fleet.countEvents('DeleteAccepted')) === 1, { what: 'a delete is accepted' });
  await eventually(async () => (await fleet.countEvents('ContainerGroupCreated')) === pods.length + more.length, {
    what: 'creates are accepted',
  });

  // when the lists are whole again
  await fleet.simulator.control('DELETE', '/faults');

  // then all is as it should be
  await judge(fleet);
  await expectOneGroup(fleet, [...others, ...more]);
  expect(await fleet.countEvents('ContainerGroupFailed')).toBe(0);
  await controlPlane.stop();
  await controlPlane.start();
  await eventually(async () => (await fleet.figure('eci_fleet_observe_frozen')) === 0, { what: 'nothing is frozen' });
});
