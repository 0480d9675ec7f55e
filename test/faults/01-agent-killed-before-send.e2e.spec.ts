/** Fault 1: the agent is killed after it saw pods and before it sent them; what it finds at its next start becomes one stream each. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet({ kafka: 'own' });

it('sends what it finds when it comes back', async () => {
  const { cluster } = fleet;
  // given an agent that sees pods and reaches no broker
  await fleet.ownKafka!.agentsProxy.refuse();
  const pods = await cluster.run(names('seen', 8));
  await eventually(async () => (await cluster.health()).pods === pods.length, { what: 'the agent has seen the pods' });

  // when it is killed, and starts while the broker is there
  await cluster.agent.kill9();
  expect(await fleet.countEvents('PodIntentAccepted')).toBe(0);
  await fleet.ownKafka!.agentsProxy.heal();
  await cluster.agent.start();

  // then every pod runs, once
  await judge(fleet);
  await expectOneGroup(fleet, pods);
});
