/** PostgreSQL, the cloud, the API server or the control plane are away for longer than a minute: who needs them waits, says so once a minute, and goes on. */
import { eventually } from '#libs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';
import { beginOutage } from './support/outage.ts';

const fleet = useFaultFleet();

// What one test has broken must not be the next one's trouble.
afterEach(async () => {
  await Promise.all([fleet.postgresProxy.heal(), fleet.cloudProxy.heal(), fleet.apiProxy.heal(), fleet.cluster.back()]);
  await fleet.simulator.control('DELETE', '/faults');
});

/** Which check of `/health/ready` does not hold, once one says since when. */
async function untilNotReady(check: string): Promise<void> {
  await eventually(
    async () => {
      const { status, checks } = await fleet.readiness();
      return status === 503 && checks.some(({ name, since }) => name === check && since !== undefined);
    },
    { what: `the control plane says that ${check} does not work, and since when`, deadlineMs: 60_000 },
  );
  expect(await fleet.figure('eci_fleet_not_ready_seconds')).toBeGreaterThanOrEqual(0);
}

const untilReady = (): Promise<unknown> =>
  eventually(async () => (await fleet.readiness()).status === 200, {
    what: 'the control plane is ready again',
    deadlineMs: 90_000,
  });

describe('PostgreSQL', () => {
  it.each([
    ['refuses connections', () => fleet.postgresProxy.refuse()],
    ['swallows what is said to it', () => Promise.resolve(fleet.postgresProxy.blackHole())],
  ])('%s', async (how, begin) => {
    const { cluster } = fleet;
    const before = await cluster.run(names(`${how.slice(0, 4).trim()}-before`, 3));
    await cluster.untilPhase(before);

    const outage = beginOutage(fleet);
    await begin();
    const during = await cluster.run(names(`${how.slice(0, 4).trim()}-during`, 10));
    await cluster.remove(before);
    await untilNotReady('postgresql');
    await outage.endure();

    // What hung has been given up long ago.
    fleet.postgresProxy.cut();
    await fleet.postgresProxy.heal();
    await untilReady();
    await judge(fleet, { deadlineMs: 240_000 });
    await expectOneGroup(fleet, during);
  });
});

describe('the cloud', () => {
  it.each([
    ['cannot be reached', undefined],
    ['answers nonsense', 'garbage-200'],
    ['answers 503 in HTML', 'html-503'],
  ])('%s', async (how, kind) => {
    const { cluster } = fleet;
    const outage = beginOutage(fleet);
    if (kind === undefined) await fleet.cloudProxy.refuse();
    else await fleet.simulator.fault({ kind });
    const prefix = how.replace(/[^a-z]+/g, '-');
    const during = await cluster.run(names(prefix, 12));
    await outage.endure();

    if (kind === undefined) await fleet.cloudProxy.heal();
    else await fleet.simulator.control('DELETE', '/faults');
    await judge(fleet, { deadlineMs: 300_000 });
    for (const { uid } of during) expect(await fleet.simulator.groupsOf(uid)).toHaveLength(1);
  });
});

describe('the API server', () => {
  it.each([
    ['is away', () => fleet.cluster.away()],
    ['answers 500', () => Promise.resolve(fleet.cluster.refuse())],
  ])('%s', async (how, begin) => {
    const { cluster } = fleet;
    const prefix = how.replace(/[^a-z0-9]+/g, '-');
    const before = await cluster.run(names(`${prefix}-before`, 10));
    await cluster.untilPhase(before);
    const stops = await fleet.countEvents('StopRequested');

    const outage = beginOutage(fleet);
    await begin();
    const during = await cluster.run(names(`${prefix}-during`, 10));
    await cluster.remove(before.slice(0, 5));
    cluster.forgetHistory();
    await eventually(async () => (await cluster.health()).leaseAgeSeconds > 30, {
      what: 'the agent says how old its lease is',
      deadlineMs: 90_000,
    });
    await outage.endure();
    // A list that failed has stopped nothing.
    expect(await fleet.countEvents('StopRequested')).toBe(stops);

    await cluster.back();
    await judge(fleet, { deadlineMs: 240_000 });
    await expectOneGroup(fleet, during);
  });
});

describe('the control plane', () => {
  it('cannot be reached by agents', async () => {
    const { cluster } = fleet;
    const outage = beginOutage(fleet);
    await fleet.apiProxy.refuse();
    const during = await cluster.run(names('no-control-plane', 5));
    // Kafka carries what matters.
    await cluster.untilPhase(during);
    await outage.endure();
    await fleet.apiProxy.heal();
    await judge(fleet);
    await expectOneGroup(fleet, during);
  });
});
