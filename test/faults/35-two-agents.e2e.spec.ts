/** Fault 35: two agents hold the credentials of one cluster; the newest wins, the older stops and says so, another cluster is refused, and a fight raises an alarm. */
import { eventually, type TestProcess } from '#libs/testing';
import { expect, it } from 'vitest';
import { FaultCluster } from './support/cluster.ts';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';
import { shortPauses } from './support/wrong-clock.ts';

// An agent renews its session every four minutes: here after seconds.
const fleet = useFaultFleet({ agent: shortPauses(4_000) });

it('lets one of them speak', async () => {
  const { cluster } = fleet;
  const first = cluster.agent;
  const before = await cluster.run(names('before', 4));
  await judge(fleet);

  // given a second agent with everything the first one has, and pods that come at that moment
  const second = await fleet.startAgent(cluster);
  const during = await cluster.run(names('during', 6));

  // then the older one stops and says so; every pod has one group
  await untilSays(first, 'superseded');
  expect((await cluster.health(second)).status).toBe('ok');
  const after = await cluster.run(names('after', 4));
  await judge(fleet);
  await expectOneGroup(fleet, [...before, ...during, ...after]);
  expect((await view()).alarm).toBeUndefined();

  // when the same credentials are used from another cluster
  const stranger = await FaultCluster.start('stranger');
  try {
    await copyCredentials(cluster, stranger);
    const thief = await fleet.startAgent(stranger, {}, { ready: false });

    // then it gets no session, whatever it presents, and learns why
    await eventually(async () => JSON.stringify(await stranger.health(thief)).includes('belongs to another cluster'), {
      what: 'the agent in the other cluster is refused',
    });
    expect((await cluster.health(second)).status).toBe('ok');
    await thief.kill9();
  } finally {
    await stranger.stop();
  }

  // when two agents keep taking the session from each other, because each is started again when it has lost it
  let [winner, loser] = [second, first];
  for (let round = 0; round < 3; round++) {
    await loser.stop();
    await loser.start();
    [winner, loser] = [loser, winner];
    await untilSays(loser, 'superseded');
  }

  // then operators are told, and still every pod has one group
  await eventually(async () => (await view()).alarm?.code === 'session-flapping', { what: 'an alarm is raised' });
  expect(await fleet.figure('eci_fleet_agent_session_flapping_total')).toBeGreaterThan(0);
  const last = await cluster.run(names('last', 4));
  await judge(fleet);
  await expectOneGroup(fleet, last);
  expect((await cluster.health(winner)).status).toBe('ok');
});

function view(): Promise<{ alarm?: { code: string } }> {
  return fleet.api.call('GET', '/clusters/alpha');
}

async function untilSays(agent: TestProcess, status: string): Promise<void> {
  await eventually(async () => (await fleet.cluster.health(agent)).status === status, {
    what: `an agent says that it is ${status}`,
    deadlineMs: 30_000,
  });
}

/** What a careless backup carries from one cluster to another. */
async function copyCredentials(from: FaultCluster, to: FaultCluster): Promise<void> {
  const { items } = await from.ask('GET', '/api/v1/secrets');
  const secret = items.find(({ metadata }: { metadata: { name: string } }) => metadata.name === 'eci-fleet-agent');
  const { name, namespace } = secret.metadata;
  await to
    .ask('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
    .catch((error: unknown) => expect(String(error)).toContain('409'));
  await to.ask('POST', `/api/v1/namespaces/${namespace}/secrets`, {
    metadata: { name, namespace },
    type: secret.type,
    data: secret.data,
  });
}
