/** Fault 26: lists of the cloud end in their middle, or lose the token of their next page; such a list proves nothing, and no group is taken for gone but the one that is. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { names } from './support/one-group.ts';
import { WrongClock } from './support/wrong-clock.ts';

// Two lists count when they are a minute apart, and groups that are a minute old: time is let fly instead of waiting.
const clock = new WrongClock({ flies: true });
const fleet = useFaultFleet({ controlPlane: clock.env });

it('discards lists that are not whole', async () => {
  const { cluster, controlPlane } = fleet;
  // given more groups than fit on one page, one of which somebody else removes
  const pods = await cluster.run(names('listed', 45));
  await judge(fleet);
  const [lost, ...others] = pods;
  const [group] = await fleet.simulator.groupsOf(lost!.uid);
  await fleet.simulator.control('DELETE', `/groups/${group!.containerGroupId}`);

  // when every list is cut: first so that everybody sees it
  await fleet.simulator.fault({ id: 'cut', kind: 'truncate-page', action: 'DescribeContainerGroups', skip: 1 });
  await fleet.simulator.fault({ kind: 'truncate-page', action: 'DescribeContainerGroupStatus', page: 'short' });
  await eventually(async () => (await listedAt()) !== null, { what: 'a complete list is on record' });
  await controlPlane.stop();
  // What a process knows of its lists it notes every few seconds, and when it leaves: only now does nothing come after.
  const [listed, asked] = [await listedAt(), await pagesAskedFor()];
  clock.set(61_000);
  await controlPlane.start();
  await eventually(async () => (await pagesAskedFor()) >= asked + 2, { what: 'an inventory met the cut page' });
  expect(await listedAt()).toEqual(listed);

  // then so that the list looks whole and half of it is missing, again and again
  await fleet.simulator.control('DELETE', '/faults/cut');
  await fleet.simulator.fault({
    kind: 'truncate-page',
    action: 'DescribeContainerGroups',
    match: { ContainerGroupIds: '' },
    page: 'lost-token',
  });
  await controlPlane.stop();
  await controlPlane.start();
  await eventually(async () => (await inventories()) === 1, { what: 'a first inventory is taken', deadlineMs: 30_000 });
  expect(await fleet.countEvents('ContainerGroupGone')).toBe(0);
  clock.set(131_000);
  await eventually(async () => (await inventories()) === 2, {
    what: 'a second inventory is taken',
    deadlineMs: 30_000,
  });
  await eventually(async () => (await fleet.countEvents('ContainerGroupGone')) > 0, {
    what: 'the group that is gone is found to be gone',
    deadlineMs: 30_000,
  });

  // then only that one is
  expect(await fleet.eventTypes(lost!.uid)).toEqual(
    expect.arrayContaining(['ContainerGroupFailed', 'ContainerGroupGone']),
  );
  expect(await fleet.countEvents('ContainerGroupGone', 'ContainerGroupFailed')).toBe(2);
  await cluster.untilPhase([lost!], 'Failed');
  await cluster.untilPhase(others);
  await judge(fleet, { notRunning: [lost!.uid] });
});

async function inventories(): Promise<number> {
  return (await fleet.figure('eci_fleet_observe_inventory_seconds_count')) ?? 0;
}

/** Pages of full lists, not reads by id. */
async function pagesAskedFor(): Promise<number> {
  const requests = await fleet.simulator.requests({ action: 'DescribeContainerGroups' });
  return requests.filter(({ parameters }) => parameters['ContainerGroupIds'] === undefined).length;
}

/** When the last complete list began. */
async function listedAt(): Promise<unknown> {
  const { rows } = await fleet.database.query<{ listed_at: Date | null }>('select listed_at from fleet.scope');
  return rows[0]?.listed_at;
}
