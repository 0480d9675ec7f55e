/** Fault 38: an agent's clock is an hour ahead, the control plane's five minutes behind, and both jump back; order comes from versions, and nothing waits for the time it lost. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { doctor, judge } from './support/judge.ts';
import { linesOf } from './support/logs.ts';
import { expectOneGroup, names } from './support/one-group.ts';
import { WrongClock } from './support/wrong-clock.ts';

const HOUR = 3_600_000;
const ofAgent = new WrongClock();
const ofControlPlane = new WrongClock();
const fleet = useFaultFleet({ agent: ofAgent.env, controlPlane: ofControlPlane.env });

it('does not depend on what time it is', async () => {
  const { cluster, controlPlane } = fleet;
  const wave = async (name: string): Promise<void> => {
    const pods = await cluster.run(names(name, 4));
    await cluster.untilPhase(pods, 'Running', 45_000);
    await cluster.remove(pods.slice(0, 2));
    await cluster.untilGone(pods.slice(0, 2), 45_000);
    await expectOneGroup(fleet, pods);
  };
  await wave('right');

  // given an agent whose clock jumps an hour ahead while it works, and that begins anew so
  ofAgent.set(HOUR);
  await wave('agent-ahead');
  await cluster.agent.stop();
  await cluster.agent.start();
  await eventually(async () => (await cluster.health()).status === 'ok', {
    what: 'the agent has a session',
    deadlineMs: 30_000,
  });
  await wave('agent-begun-ahead');
  // Somebody is told.
  expect(linesOf(cluster.agent).filter(({ msg }) => msg.includes('clock')).length).toBeGreaterThan(0);

  // and a control plane whose clock jumps back five minutes, and that begins anew so
  ofControlPlane.set(-HOUR / 12);
  await wave('service-behind');
  await controlPlane.stop();
  await controlPlane.start();
  await wave('service-begun-behind');

  // when both jump to the right time
  ofControlPlane.set(0);
  ofAgent.set(0);
  await wave('right-again');

  // then every stream is in order, by its versions and by the time of the database
  await judge(fleet, { wrongClock: true });
  const { rows } = await fleet.database.query(
    `select a.stream_id, b.version from es.event a join es.event b on b.stream_id = a.stream_id and b.version = a.version + 1
      where b.recorded_at < a.recorded_at or (b.transaction_id, b.position) < (a.transaction_id, a.position)`,
  );
  expect(rows).toEqual([]);
  // and the doctor tells whose clock was wrong: lives of groups are told by it
  expect((await doctor(fleet)).join('\n')).toContain('compare the clocks');
});
