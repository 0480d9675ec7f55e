/** A backlog of an hour, scaled: it drains within the quota and the agent's own rate, and pods that come meanwhile do not stand behind it. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import type { Made } from './support/cluster.ts';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { names } from './support/one-group.ts';

/** Creates a second, and at once: as we are told, and as the cloud grants them, which forgives a machine that stands still for seconds. */
const RATE = 6;
const BURST = 6;
const GRANTED_BURST = 36;
/** A minute and a quarter at that rate. */
const BACKLOG = 480;
const KUBERNETES_QPS = 60;

const bucket = { ratePerSecond: RATE, burst: GRANTED_BURST };
const account = {
  id: 'default',
  credential: {
    kind: 'environment',
    accessKeyIdVariable: 'ECI_ACCESS_KEY',
    accessKeySecretVariable: 'ECI_SECRET_KEY',
  },
  regions: [],
  quotas: { create: { perMinute: 60 * RATE, burst: BURST } },
};

const fleet = useFaultFleet({
  kafka: 'own',
  simulator: { scenario: { settings: { buckets: { CreateContainerGroup: bucket, '*': null } } } },
  controlPlane: { FLEET_ACCOUNTS: JSON.stringify([account]) },
  agent: { KUBERNETES_QPS: String(KUBERNETES_QPS) },
});

it('serves who comes now while an hour of pods drains', async () => {
  const { cluster } = fleet;
  const { proxy, agentsProxy } = fleet.ownKafka!;
  await cluster.untilPhase(await cluster.run(['warm-up']));
  // given pods of an hour without a broker
  await Promise.all([proxy.refuse(), agentsProxy.refuse()]);
  const backlog = await cluster.run(names('backlog', BACKLOG));
  await eventually(async () => (await cluster.health()).messaging === 'away', {
    what: 'the agent says that messaging is away',
    deadlineMs: 60_000,
  });

  // when it is back, and the backlog has begun to move
  const returned = Date.now();
  await Promise.all([proxy.heal(), agentsProxy.heal()]);
  await eventually(async () => (await created(backlog)) > 0, { what: 'the backlog moves', deadlineMs: 60_000 });

  // then each pod that comes is asked for within ten seconds, while the backlog still waits
  const fresh: Made[] = [];
  for (let round = 0; round < 8; round++) {
    const [pod] = await cluster.run([`fresh-${round}`]);
    fresh.push(pod!);
    await eventually(async () => (await fleet.simulator.createsOf(pod!.uid)).length > 0, {
      what: `fresh pod ${round} is asked for`,
      deadlineMs: 10_000,
      everyMs: 100,
    });
  }
  const waiting = BACKLOG - (await created(backlog));
  expect(waiting).toBeGreaterThan(BACKLOG / 4);
  // And the backlog moves on all the while, its oldest first.
  const before = await created(backlog);
  await eventually(async () => (await created(backlog)) > before, { what: 'the backlog moves on', deadlineMs: 10_000 });

  // and in the end all of it is there, within the quota and within the agent's rate
  await judge(fleet, { deadlineMs: 300_000 });
  const creates = (await fleet.simulator.requests({ action: 'CreateContainerGroup' })).filter(
    ({ at }) => Date.parse(at) >= returned,
  );
  const refused = creates.filter(({ outcome }) => outcome?.code?.startsWith('Throttling'));
  expect(refused.length).toBeLessThanOrEqual(creates.length * 0.005);
  const times = creates.map(({ at }) => Date.parse(at));
  for (const seconds of [1, 10, 60]) expect(most(times, seconds)).toBeLessThanOrEqual(GRANTED_BURST + RATE * seconds);
  const asked = cluster.requests.filter(({ at, verb, kind }) => at >= returned && verb !== 'watch' && kind !== 'Lease');
  // A second's worth may be saved up; another is for a machine that stood still.
  for (const seconds of [5, 30])
    expect(
      most(
        asked.map(({ at }) => at),
        seconds,
      ),
    ).toBeLessThanOrEqual(KUBERNETES_QPS * (seconds + 2));
});

/** How many of these pods have been asked for. */
async function created(pods: readonly Made[]): Promise<number> {
  const groups = new Set((await fleet.simulator.groups()).map(({ tags }) => tags['eci-fleet-pod-uid']));
  return pods.filter(({ uid }) => groups.has(uid)).length;
}

/** The most of these times, in order, that fall into any span of so many seconds. */
function most(times: readonly number[], seconds: number): number {
  let [from, largest] = [0, 0];
  for (const [index, at] of times.entries()) {
    while (times[from]! <= at - seconds * 1_000) from += 1;
    largest = Math.max(largest, index - from + 1);
  }
  return largest;
}
