/** Fault 16: a control plane is killed after the cloud answered and before that is written; one group, and one event that names it. */
import { eventually } from '#libs/testing';
import { it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet();

it('finds out by asking again', async () => {
  const { cluster } = fleet;
  await cluster.untilPhase(await cluster.run(['warm-up']));
  // given creates that have taken effect, and outcomes that cannot be written
  await fleet.simulator.fault({
    id: 'slow',
    kind: 'delay',
    action: 'CreateContainerGroup',
    when: 'after',
    delayMs: 2_000,
  });
  const pods = await cluster.run(names('unrecorded', 6));
  await eventually(
    async () =>
      (await Promise.all(pods.map(({ uid }) => fleet.simulator.groupsOf(uid)))).every(({ length }) => length === 1),
    { what: 'the cloud has made the groups', everyMs: 20 },
  );
  const blocked = await fleet.blockAppends();
  await blocked.untilWaiting('outcomes wait to be written');

  // when the process is killed
  await fleet.controlPlane.kill9();
  await blocked.discardAndRelease();
  await fleet.simulator.control('DELETE', '/faults');
  await fleet.startReplica();

  // then the same groups are found and written down, once
  await judge(fleet);
  await expectOneGroup(fleet, pods);
});
