/** Fault 36: a cluster's API server is away for a while and has forgotten its history when it returns; nothing is deleted, nothing is sent twice, and what changed meanwhile is done. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { complaints } from './support/logs.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet();

it('takes a failed list for no list', async () => {
  const { cluster } = fleet;
  const pods = await cluster.run(names('before', 12));
  await judge(fleet);
  const events = await fleet.countEvents();
  const since = Date.now();

  // given an API server that cannot be reached, then answers nonsense to every list
  await cluster.away();
  await eventually(async () => (await cluster.health()).status !== 'ok', {
    what: 'the agent says so',
    deadlineMs: 60_000,
  });
  await cluster.back();
  let refused = 0;
  cluster.refuse(({ verb }) => {
    const isRefused = verb === 'list' || verb === 'watch';
    if (isRefused) refused += 1;
    return isRefused;
  });
  // while people go on: they reach it by another way, once they see that their connections were closed
  await eventually(() => cluster.list(), { what: 'people reach the API server' });
  const more = await cluster.run(names('meanwhile', 6));
  const [deleted, erased] = pods;
  await cluster.remove([deleted!]);
  await cluster.erase([erased!]);
  const before = refused;
  await eventually(() => refused > before + 2, { what: 'the agent has tried', deadlineMs: 60_000 });

  // then no workload was touched
  expect((await fleet.simulator.requests({ action: 'DeleteContainerGroup' })).length).toBe(0);
  expect(await fleet.countEvents('StopRequested')).toBe(0);

  // when it is back, and knows no bookmark any more
  cluster.forgetHistory();
  await eventually(() => cluster.list(), { what: 'people reach the API server' });
  await cluster.back();

  // then a full comparison finds what changed, and nothing else
  await cluster.untilGone([deleted!, erased!]);
  await judge(fleet);
  await expectOneGroup(fleet, [...pods.slice(2), ...more]);
  expect(await fleet.countEvents('StopRequested')).toBe(2);
  expect(await fleet.countEvents('PodIntentAccepted')).toBe(pods.length + more.length);
  expect(await fleet.countEvents('PodChangeRefused')).toBe(0);
  expect(await fleet.countEvents()).toBeGreaterThan(events);
  const said = [...complaints(cluster.agent, { since })].sort(([, a], [, b]) => b - a);
  expect(said[0]?.[1] ?? 0, JSON.stringify(said)).toBeLessThan(60);
});
