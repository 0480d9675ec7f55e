/** Fault 21: the cloud gives a quarter of the quota that was agreed; we slow down, clusters get equal shares, and neither gates nor zones are blamed. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import type { FaultCluster, Made } from './support/cluster.ts';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const PODS = 50;
const fleet = useFaultFleet({ clusters: ['alpha', 'beta'], replicas: [{}, {}] });

it('slows down, and blames nobody', async () => {
  const [alpha, beta] = fleet.clusters as [FaultCluster, FaultCluster];
  await alpha.untilPhase(await alpha.run(['warm-up']));
  // given a cloud that takes 4 creates a second, where a hundred at once and 16 a second were agreed
  await fleet.simulator.control('PUT', '/buckets', { CreateContainerGroup: { ratePerSecond: 4, burst: 8 } });

  // when two clusters want far more than that, one of them a little earlier
  const ofAlpha = await alpha.run(names('storm', PODS));
  const ofBeta = await beta.run(names('storm', PODS / 2));

  // then we are slower after a while than we could be
  await eventually(async () => (await factor()) < 0.8, { what: 'the lane gives less', deadlineMs: 60_000 });
  await judge(fleet, { deadlineMs: 240_000 });

  // and each pod had one attempt, under one token; nobody was parked
  await expectOneGroup(fleet, [...ofAlpha]);
  expect(await fleet.countEvents('PlacementChosen')).toBe(1 + ofAlpha.length + ofBeta.length);
  expect(await fleet.countEvents('Parked', 'CreateRefused', 'CreateOutcomeUnknown')).toBe(0);
  const { rows: gates } = await fleet.database.query<{ gate: string }>('select gate from es.gate');
  expect(gates).toEqual([]);

  // and nobody had to wait for the other: while both wanted groups, neither got much more than twice as many
  const order = (await fleet.simulator.groups())
    .map(({ tags, history }) => ({ cluster: tags['eci-fleet-cluster'], at: Date.parse(history[0]!.at) }))
    .sort((a, b) => a.at - b.at)
    .map(({ cluster }) => cluster);
  // The last two may be sleeping off a refusal of theirs, which is nobody else's doing.
  const whenBetaWasDone = order.flatMap((name, at) => (name === 'beta' ? [at + 1] : [])).at(-3)!;
  const alphaBefore = order.slice(0, whenBetaWasDone).filter((cluster) => cluster === 'alpha').length;
  const early = await createdBefore(ofAlpha, ofBeta);
  expect(alphaBefore - early, order.join(' ')).toBeLessThanOrEqual(ofBeta.length * 2);

  // and once the burst that was agreed had met the cloud, most calls were taken: a storm of refused calls would be no way to slow down. How much of
  // the burst goes out before the first refusal comes back is a matter of speed, so it does not count.
  const creates = (await fleet.simulator.requests({ action: 'CreateContainerGroup' })).slice(
    1 + ofAlpha.length + ofBeta.length,
  );
  const throttled = creates.filter(({ outcome }) => outcome?.code?.startsWith('Throttling')).length;
  process.stdout.write(`${throttled} of ${creates.length} creates after the burst were throttled\n`);
  expect(throttled).toBeLessThan(creates.length / 2);
});

/** What throttling left of our rate. */
async function factor(): Promise<number> {
  const { rows } = await fleet.database.query<{ factor: number }>(
    `select coalesce(min(factor), 1) as factor from es.lane where lane like '%/create'`,
  );
  return rows[0]!.factor;
}

/** How many of these groups were made before the first of the others was wanted. */
async function createdBefore(these: readonly Made[], others: readonly Made[]): Promise<number> {
  const { rows } = await fleet.database.query<{ count: number }>(
    `select count(*)::int as count from es.event
      where type = 'ContainerGroupCreated' and stream_id = any ($1)
        and recorded_at < (select min(recorded_at) from es.event where type = 'PodIntentAccepted' and stream_id = any ($2))`,
    [these.map(({ uid }) => `container_group:alpha:${uid}`), others.map(({ uid }) => `container_group:beta:${uid}`)],
  );
  return rows[0]!.count;
}
