/** Fault 19: creates answer 500 and the groups appear later; they are adopted by their tags, and young strangers are left alone. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { directCreate } from './support/cloud.ts';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names, untilEvents } from './support/one-group.ts';

const fleet = useFaultFleet();

it('takes what it finds by its tags, and deletes nothing that it does not know', async () => {
  const { cluster } = fleet;
  // given groups that nobody of ours made: one with our fleet's tag and a pod that nobody knows, one without any
  const stranger = await directCreate(fleet.simulator.endpoint, {
    'eci-fleet': fleet.name,
    'eci-fleet-cluster': cluster.id,
    'eci-fleet-pod-uid': 'nobody-knows',
    'eci-fleet-attempt': '1',
  });
  const foreign = await directCreate(fleet.simulator.endpoint, {});

  // when creates answer 500, take effect, and are shown after ten seconds
  await fleet.simulator.control('PATCH', '/latencies', { visibilityMs: [10_000, 10_000] });
  await fleet.simulator.fault({ kind: 'empty-500', action: 'CreateContainerGroup', executed: true });
  const pods = await cluster.run(names('later', 6));
  await untilEvents(fleet, pods, ['Adopted'], 120_000);
  await fleet.simulator.control('DELETE', '/faults');

  // then each pod has its group, and the strangers live
  await judge(fleet, { strangers: [stranger, foreign] });
  await expectOneGroup(fleet, pods);
  await eventually(async () => (await fleet.database.query('select 1 from fleet.orphan')).rows.length === 1, {
    what: 'the stranger with our tag is seen, and shown',
    deadlineMs: 120_000,
  });
  expect(await fleet.simulator.requests({ action: 'DeleteContainerGroup' })).toEqual([]);
  const open = await fleet.simulator.groups({ open: 'true' });
  expect(open.map(({ containerGroupId }) => containerGroupId)).toEqual(expect.arrayContaining([stranger, foreign]));
});
