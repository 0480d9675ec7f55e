/** Fault 5: all brokers are lost with everything they held; agents send inventories into the new log, and PostgreSQL is the truth. */
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet({ kafka: 'own', clusters: ['alpha', 'beta'] });

it('goes on with an empty broker, without a restart and without a second group', async () => {
  // given pods that run, and pods that came and went while there was no broker
  const running = await Promise.all(fleet.clusters.map((cluster) => cluster.run(names('before', 5))));
  await judge(fleet);
  const events = await fleet.countEvents('PodIntentAccepted', 'PlacementChosen', 'ContainerGroupCreated');
  await fleet.ownKafka!.rig.process.kill9();
  const [alpha, beta] = fleet.clusters as [typeof fleet.cluster, typeof fleet.cluster];
  const late = await alpha.run(names('during', 5));
  await beta.remove(running[1]!.slice(0, 2));

  // when a broker with nothing on it takes the old one's place
  await fleet.replaceKafka();

  // then everything is as users want it, and nothing was made again
  await judge(fleet, { deadlineMs: 300_000 });
  await expectOneGroup(fleet, [...running[0]!, ...late]);
  expect(await fleet.countEvents('PodIntentAccepted', 'PlacementChosen', 'ContainerGroupCreated')).toBe(
    events + 3 * late.length,
  );
});
