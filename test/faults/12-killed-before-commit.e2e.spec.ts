/** Fault 12: a control plane is killed after it sent an append and before that was committed; nothing has happened, and its successor reads the batch again. */
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet();

it('leaves nothing half done', async () => {
  const { cluster } = fleet;
  await cluster.untilPhase(await cluster.run(['warm-up']));
  const offsets = await inbox();
  // given a control plane that waits for its append
  const blocked = await fleet.blockAppends();
  const pods = await cluster.run(names('unwritten', 8));
  await blocked.untilWaiting('intake waits to append');

  // when it is killed
  await fleet.controlPlane.kill9();
  await blocked.discardAndRelease();

  // then nothing was written, and no offset has moved over these pods
  expect(await Promise.all(pods.map(({ uid }) => fleet.eventTypes(uid)))).toEqual(pods.map(() => []));
  expect(await inbox()).toEqual(offsets);

  // and a successor does all of it
  await fleet.startReplica();
  await judge(fleet);
  await expectOneGroup(fleet, pods);
});

async function inbox(): Promise<unknown[]> {
  const { rows } = await fleet.database.query(
    `select partition, epoch, next_offset from es.inbox_offset order by partition`,
  );
  return rows;
}
