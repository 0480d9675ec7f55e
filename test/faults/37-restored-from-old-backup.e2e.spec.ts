/**
 * Fault 37: a cluster is restored from an old backup, and most of its pods have vanished at once; the mass-delete guard holds their groups until an
 * operator has decided, while a pod that somebody deletes goes as ever.
 */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import type { Made } from './support/cluster.ts';
import { useFaultFleet } from './support/fleet.ts';
import { isOpen, judge } from './support/judge.ts';
import { names } from './support/one-group.ts';

/** Beyond so many, and a fifth of the cluster, the guard asks. */
const COUNT = 8;
const fleet = useFaultFleet({ controlPlane: { FLEET_MASS_DELETE_COUNT: String(COUNT) } });

it('asks before it deletes what nobody was seen deleting', async () => {
  const { cluster } = fleet;
  const pods = await cluster.run(names('restored', 24));
  await judge(fleet);

  // given a cluster that comes back without two thirds of its pods, after its agent looked away
  await cluster.agent.stop();
  const vanished = pods.slice(0, 16);
  await cluster.erase(vanished);
  cluster.forgetHistory();
  await eventually(() => cluster.list(), { what: 'the API server answers' });
  await cluster.agent.start();

  // then the guard fires, and tells whom it holds
  await eventually(async () => ((await hold())?.held ?? 0) >= vanished.length - COUNT, {
    what: 'stops are held',
    deadlineMs: 60_000,
  });
  // and nothing more is deleted than it lets through, while what somebody deletes goes
  const [deleted] = pods.slice(16);
  await cluster.remove([deleted!]);
  await cluster.untilGone([deleted!]);
  const { held } = (await hold())!;
  expect(await openGroups(vanished)).toBe(held);
  expect(held).toBeGreaterThanOrEqual(vanished.length - COUNT);
  expect(await fleet.countEvents('StopHeld')).toBe(held);

  // when an operator lets them go
  const { etag } = (await hold())!;
  const all = { all: true, by: 'judge', reason: 'the backup was old' };
  await fleet.api.call('POST', '/holds/alpha/release', all, { 'if-match': etag });

  // then all is as the cluster says
  await judge(fleet);
  expect(await openGroups(vanished)).toBe(0);
  expect((await hold())?.held ?? 0).toBe(0);
  expect(await fleet.countEvents('ContainerGroupFailed')).toBe(0);
});

async function hold(): Promise<{ held: number; etag: string } | undefined> {
  const { items } = await fleet.api.call('GET', '/holds');
  return (items as { clusterId: string; held: number; etag: string }[]).find(({ clusterId }) => clusterId === 'alpha');
}

async function openGroups(pods: readonly Made[]): Promise<number> {
  const uids = new Set(pods.map(({ uid }) => uid));
  const groups = await fleet.simulator.groups();
  return groups.filter((group) => isOpen(group) && uids.has(group.tags['eci-fleet-pod-uid'] ?? '')).length;
}
