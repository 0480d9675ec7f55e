/** Fault 2: the agent is killed after it sent pods and before the broker's answer came; it sends them again, and the repeat changes nothing. */
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { KafkaDesk } from './support/kafka.ts';
import { expectOneGroup, names, untilEvents } from './support/one-group.ts';

const fleet = useFaultFleet({ kafka: 'own' });

it('makes one stream of what came twice', async () => {
  const { cluster } = fleet;
  // given an agent that is connected, and to whom the broker's answers do not come any more
  await cluster.untilPhase(await cluster.run(['warm-up']));
  fleet.ownKafka!.agentsProxy.blackHole('down');
  const pods = await cluster.run(names('sent', 8));
  await untilEvents(fleet, pods, ['PodIntentAccepted']);

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
  for (const { uid } of pods) expect(keys.filter((key) => key.endsWith(uid)).length).toBeGreaterThan(1);
});
