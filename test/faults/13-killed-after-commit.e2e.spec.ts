/** Fault 13: a control plane is killed after its append was committed and before Kafka hears of it; its successor goes on where the database stands. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { exhaustCreates, restoreCreates } from '../e2e/support/lanes.ts';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names, untilEvents } from './support/one-group.ts';

// Nothing but the log speaks of these pods.
const fleet = useFaultFleet({ agent: { INVENTORY_SECONDS: '3600' } });

it('reads nothing twice', async () => {
  const { cluster } = fleet;
  await cluster.untilPhase(await cluster.run(['warm-up']));
  // given intents that are committed, and a control plane that is killed with that
  await exhaustCreates(fleet.database);
  const pods = await cluster.run(names('written', 8));
  await untilEvents(fleet, pods, ['PodIntentAccepted']);
  await fleet.controlPlane.kill9();
  const before = await offsets();

  // when a successor takes over
  const successor = await fleet.startReplica();
  const [later] = await cluster.run(['later']);
  await untilEvents(fleet, [later!], ['PodIntentAccepted']);

  // then it has read one message of a pod, the new one, beside what an agent says by itself; and the offsets tell of the same messages
  const ofPods = () => fleet.figure('eci_fleet_intake_messages_total{kind="RunPod"}', successor);
  await eventually(async () => (await ofPods()) !== undefined, { what: 'the message of the new pod has been handled' });
  expect(await ofPods()).toBe(1);
  await eventually(
    async () => (await fleet.figure('eci_fleet_intake_messages_total', successor)) === (await offsets()) - before,
    { what: 'the offsets have moved by what was handled' },
  );
  await restoreCreates(fleet.database);
  await judge(fleet);
  await expectOneGroup(fleet, [...pods, later!]);
  expect(await ofPods()).toBe(1);
  await eventually(async () => (await fleet.readiness(successor)).status === 200, { what: 'the successor is ready' });
});

async function offsets(): Promise<number> {
  const { rows } = await fleet.database.query<{ sum: number }>(
    `select sum(next_offset)::int as sum from es.inbox_offset`,
  );
  return rows[0]!.sum;
}
