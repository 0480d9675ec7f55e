/** Fault 17: every answer to a create is lost although the group was made; the same token is sent again and one group is known in the end. */
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names, untilEvents } from './support/one-group.ts';

const fleet = useFaultFleet();

it('makes exactly one group of each pod, under one token', async () => {
  // given a cloud whose answers to creates are lost, some by silence
  await fleet.simulator.fault({
    id: 'silent',
    kind: 'lost-answer',
    action: 'CreateContainerGroup',
    lost: 'silence',
    count: 2,
  });
  await fleet.simulator.fault({ id: 'cut', kind: 'lost-answer', action: 'CreateContainerGroup' });

  // when pods come
  const pods = await fleet.cluster.run(names('lost', 12));
  // The sweep may find a group before its call is given up.
  await untilEvents(fleet, pods, ['CreateOutcomeUnknown', 'Adopted']);
  expect(await fleet.countEvents('ContainerGroupCreated')).toBe(0);
  expect(await fleet.countEvents('CreateOutcomeUnknown')).toBeGreaterThan(0);
  await fleet.simulator.control('DELETE', '/faults');

  // then each has its one group, and nothing was sent under a second token
  await judge(fleet);
  await expectOneGroup(fleet, pods);

  // and all of it goes again
  await fleet.cluster.remove(pods);
  await judge(fleet);
});
