/** Fault 14: a control plane is killed after it wrote that a call is due and before the call left it; its successor makes the call with the same token. */
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names, untilEvents } from './support/one-group.ts';

const fleet = useFaultFleet();

it('is followed by a call with the token that was written', async () => {
  const { cluster } = fleet;
  await cluster.untilPhase(await cluster.run(['warm-up']));
  // given calls that are written down and do not leave the machine
  fleet.cloudProxy.blackHole('up');
  const pods = await cluster.run(names('due', 6));
  await untilEvents(fleet, pods, ['PlacementChosen']);
  for (const { uid } of pods) expect(await fleet.simulator.createsOf(uid)).toEqual([]);
  const tokens = await Promise.all(pods.map(({ uid }) => tokenOf(uid)));

  // when the process is killed, and what it wanted to say with it
  await fleet.controlPlane.kill9();
  fleet.cloudProxy.cut();
  await fleet.cloudProxy.heal();
  await fleet.startReplica();

  // then each call is made once its claim has ended, with that token
  await judge(fleet);
  await expectOneGroup(fleet, pods);
  for (const [index, { uid }] of pods.entries()) {
    const [create] = await fleet.simulator.createsOf(uid);
    expect(create!.clientToken).toBe(tokens[index]);
  }
});

async function tokenOf(uid: string): Promise<string> {
  const history = await fleet.history(uid);
  return history.find(({ type }) => type === 'PlacementChosen')!.data.clientToken;
}
