/** Fault 2: the agent is killed after it sent pods and before the broker's answer came; it sends them again, and the repeat changes nothing. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { KafkaDesk } from './support/kafka.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet({ kafka: 'own' });

it('makes one stream of what came twice', async () => {
  const { cluster } = fleet;
  // given an agent that is connected, and to whom the broker's answers do not come any more
  await cluster.untilPhase(await cluster.run(['warm-up']));
  fleet.ownKafka!.agentsProxy.blackHole('down');
  const pods = await cluster.run(names('sent', 8));
  // The first batch arrives; what comes after it waits for an answer.
  const arrived = await eventually(
    async () => {
      const types = await Promise.all(pods.map(({ uid }) => fleet.eventTypes(uid)));
      const there = pods.filter((_, index) => types[index]!.length > 0);
      return there.length > 0 && there;
    },
    { what: 'intents have arrived', deadlineMs: 30_000 },
  );

  // when it is killed and starts again
  await cluster.agent.kill9();
  fleet.ownKafka!.agentsProxy.cut();
  await fleet.ownKafka!.agentsProxy.heal();
  await cluster.agent.start();

  // then every pod runs once, although its intent is in the log twice
  await judge(fleet);
  await expectOneGroup(fleet, pods);
  const kafka = new KafkaDesk(fleet);
  const keys = (await kafka.read(kafka.names.intents)).map(({ message }) => String(message.key));
  for (const { uid } of arrived) expect(keys.filter((key) => key.endsWith(uid)).length).toBeGreaterThan(1);
});
