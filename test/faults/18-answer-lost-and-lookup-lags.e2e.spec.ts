/** Fault 18: answers are lost, and for 30 s the cloud does not show what it made; nothing is made again in the meantime. */
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names, untilEvents } from './support/one-group.ts';

const fleet = useFaultFleet();

it('waits for longer than the cloud hides a group', async () => {
  const { cluster } = fleet;
  // given a cloud that makes groups, loses its answers, and hides them from every list for half a minute
  await fleet.simulator.control('PATCH', '/latencies', { visibilityMs: [30_000, 30_000] });
  await fleet.simulator.fault({ kind: 'lost-answer', action: 'CreateContainerGroup' });
  const pods = await cluster.run(names('hidden', 6));

  // when nothing but the lists can tell of them
  await untilEvents(fleet, pods, ['Adopted'], 120_000);

  // then each was adopted by its tags, and no second one was ever made
  await fleet.simulator.control('DELETE', '/faults');
  await judge(fleet);
  await expectOneGroup(fleet, pods);
  expect(await fleet.countEvents('ContainerGroupCreated')).toBe(0);
});
