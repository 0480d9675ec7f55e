/** Fault 4: the broker is away for long; agents wait, the service goes on with what it has, and its return is no storm. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';
import { beginOutage } from './support/outage.ts';

const fleet = useFaultFleet({ kafka: 'own' });

it('waits, says so, and catches up', async () => {
  const { cluster } = fleet;
  const { proxy, agentsProxy } = fleet.ownKafka!;
  // given pods that run, one of which will end by itself, and a broker that hangs
  await fleet.simulator.behave({ match: { image: 'ends' }, runMs: 8_000, exitCode: 0 });
  const [ending] = await cluster.run(['ending'], {
    restartPolicy: 'Never',
    containers: [{ name: 'main', image: 'ends' }],
  });
  const before = await cluster.run(names('before', 5));
  await cluster.untilPhase([ending!, ...before]);
  const outage = beginOutage(fleet);
  for (const wire of [proxy, agentsProxy]) {
    wire.blackHole();
    wire.cut();
  }
  const [opened, agentsOpened] = [proxy.opened, agentsProxy.opened];
  const during = await cluster.run(names('during', 30));
  await cluster.remove(before.slice(0, 2));

  // then both sides say what is wrong, and the cloud is heard all the while
  await eventually(
    async () => {
      const { status, checks } = await fleet.readiness();
      const check = checks.find(({ name }) => name === 'messaging');
      return status === 503 && check?.reason?.includes('Kafka') && check.since !== undefined;
    },
    { what: 'the control plane says that Kafka is away, and since when', deadlineMs: 60_000 },
  );
  await eventually(async () => (await cluster.health()).messaging === 'away', {
    what: 'the agent says that messaging is away',
    deadlineMs: 60_000,
  });
  expect(await fleet.figure('eci_fleet_not_ready_seconds')).toBeGreaterThan(0);
  await eventually(async () => (await fleet.eventTypes(ending!.uid)).includes('ContainerGroupSucceeded'), {
    what: 'the end of a group is written',
    deadlineMs: 60_000,
  });
  await outage.endure();
  expect(await fleet.countEvents('PodIntentAccepted')).toBe(1 + before.length);
  // Tries back off: a few connections in a second would be hundreds by now.
  expect(proxy.opened - opened).toBeLessThan(120);
  expect(agentsProxy.opened - agentsOpened).toBeLessThan(120);

  // when it is back
  for (const wire of [proxy, agentsProxy]) wire.cut();
  await Promise.all([proxy.heal(), agentsProxy.heal()]);

  // then everything is done, and nobody had to be restarted
  await judge(fleet, { notRunning: [ending!.uid], deadlineMs: 240_000 });
  await expectOneGroup(fleet, during);
  await cluster.untilPhase([ending!], 'Succeeded');
  await eventually(async () => (await fleet.readiness()).status === 200, { what: 'the control plane is ready' });
  expect((await throttled()).length).toBe(0);
});

async function throttled(): Promise<readonly unknown[]> {
  return (await fleet.simulator.requests()).filter(({ outcome }) => outcome?.code?.startsWith('Throttling'));
}
