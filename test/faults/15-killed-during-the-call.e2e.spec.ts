/** Fault 15: a control plane is killed while its call is on the wire; the same token with the same bytes is sent again, and the late first call makes nothing more. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names, untilEvents } from './support/one-group.ts';

const fleet = useFaultFleet();

it('repeats what it said, and the cloud answers with the same group', async () => {
  const { cluster } = fleet;
  await cluster.untilPhase(await cluster.run(['warm-up']));
  // given creates that the cloud has received and works on for longer than the claim lasts
  await fleet.simulator.fault({
    kind: 'delay',
    action: 'CreateContainerGroup',
    when: 'before',
    delayMs: 75_000,
    count: 3,
  });
  const slow = await cluster.run(names('received', 3));
  await eventually(
    async () =>
      (await Promise.all(slow.map(({ uid }) => fleet.simulator.createsOf(uid)))).every(({ length }) => length === 1),
    { what: 'the cloud has received the creates' },
  );
  // and others that are still on their way
  fleet.cloudProxy.blackHole('up');
  const late = await cluster.run(names('underway', 3));
  await untilEvents(fleet, late, ['PlacementChosen']);

  // when the process is killed, and what was on its way arrives after its death
  await fleet.controlPlane.kill9();
  await fleet.cloudProxy.heal();
  await fleet.startReplica();

  // then every pod has one group, asked for under one token
  await judge(fleet);
  await expectOneGroup(fleet, [...slow, ...late]);
  await eventually(
    async () => {
      const creates = await Promise.all(slow.map(({ uid }) => fleet.simulator.createsOf(uid)));
      return creates.every((own) => own.length > 1 && own.every(({ outcome }) => outcome !== undefined));
    },
    { what: 'the first calls have taken effect as well, late', deadlineMs: 90_000 },
  );
  await judge(fleet);
  expect((await fleet.simulator.groups()).length).toBe(1 + slow.length + late.length);
});
