/**
 * Fault 27: the control plane is down while groups finish, and the cloud forgets them after its hour; their pods end with an unknown outcome and its
 * evidence: neither lost nor running.
 */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { names } from './support/one-group.ts';
import { WrongClock } from './support/wrong-clock.ts';

// Two lists count when they are a minute apart: time is let fly instead of waiting.
const clock = new WrongClock({ flies: true });
const fleet = useFaultFleet({
  controlPlane: clock.env,
  // It keeps the last hundred for longer, too; here none.
  simulator: { scenario: { settings: { retention: { finalLast: 0 } } } },
});

it('says that it does not know', async () => {
  const { cluster, controlPlane } = fleet;
  // given jobs at work, beside servers
  await fleet.simulator.behave({ id: 'job', match: { container: 'job' }, runMs: 600_000, exitCode: 0 });
  const servers = await cluster.run(names('server', 3));
  const job = { restartPolicy: 'Never', containers: [{ name: 'job', image: 'busybox' }] };
  const jobs = await cluster.run(names('job', 4), job);
  await judge(fleet);

  // when they finish, and two hours pass in the cloud, while nobody looks
  await controlPlane.stop();
  await fleet.simulator.control('PATCH', '/clock', { advanceMs: 900_000 });
  await fleet.simulator.control('PATCH', '/clock', { advanceMs: 6_300_000 });
  clock.set(61_000);
  await controlPlane.start();
  await eventually(async () => (await inventories()) === 1, { what: 'a first inventory is taken', deadlineMs: 60_000 });
  // One list that lacks them is not enough.
  expect(await fleet.countEvents('ContainerGroupGone')).toBe(0);
  clock.set(131_000);

  // then each job has failed for an unknown outcome, with what was seen last, and nobody started it again
  await cluster.untilPhase(jobs, 'Failed', 60_000);
  for (const { name, uid } of jobs) {
    const history = await fleet.history(uid);
    const failed = history.find(({ type }) => type === 'ContainerGroupFailed');
    expect(failed?.data, name).toMatchObject({ reason: 'OutcomeUnknown' });
    expect(failed?.data, name).toHaveProperty('lastSeen');
    const gone = history.find(({ type }) => type === 'ContainerGroupGone');
    expect(JSON.stringify(gone?.data), name).toContain('two complete lists');
    expect(await fleet.simulator.createsOf(uid), name).toHaveLength(1);
    expect(JSON.stringify((await cluster.get(name)).status), name).toContain('OutcomeUnknown');
  }

  // and the servers run on
  await cluster.untilPhase(servers);
  await judge(fleet, { notRunning: jobs.map(({ uid }) => uid) });
});

async function inventories(): Promise<number> {
  return (await fleet.figure('eci_fleet_observe_inventory_seconds_count')) ?? 0;
}
