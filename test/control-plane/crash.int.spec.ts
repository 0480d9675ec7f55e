import { eventually } from '#libs/testing';
import { finalize, isClosed, lifeOf } from '#libs/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Death } from './death.ts';
import { LoopsRig } from './loops-rig.ts';

let rig: LoopsRig;
beforeAll(async () => {
  rig = await LoopsRig.start();
});
afterAll(() => rig.stop());

describe.each(['before', 'after'] as const)('a process that dies %s a step of its work', (when) => {
  // One life takes about eight such steps; the last ones meet a process that watches a running pod.
  it.each(Array.from({ length: 9 }, (_, i) => i + 1))(
    'leaves exactly one group to its successor: step %i',
    async (at) => {
      const uid = `${when}-${at}`;
      // given a process that will die
      const death = new Death(at, when);
      const first = rig.start(death.tap);
      await rig.runPod(uid);
      await eventually(async () => death.dead || (death.steps < at && lifeOf(await rig.state(uid)) === 'running'), {
        what: 'the process dies, or has no such step',
      });
      await first.stop();

      // when another one takes over
      const second = rig.start();
      await rig.hurryUntil(async () => lifeOf(await rig.state(uid)) === 'running', `pod ${uid} runs`);

      // then there was one create that took effect, and there is one group
      expect(await rig.groupsOf(uid)).toHaveLength(1);

      // and it ends as it should
      await rig.stopPod(uid);
      await rig.hurryUntil(async () => finalize(await rig.state(uid)), `pod ${uid} is finalized`);
      expect(isClosed(await rig.state(uid))).toBe(true);
      expect(await rig.groupsOf(uid, '&open=true')).toEqual([]);
      await second.stop();
    },
    90_000,
  );
});

describe('a process that dies while a pod is stopped', () => {
  it.each(
    Array.from({ length: 6 }, (_, i) => i + 1).flatMap((at) =>
      (['before', 'after'] as const).map((when) => [at, when] as const),
    ),
  )(
    'ends the group all the same: step %i, %s',
    async (at, when) => {
      const uid = `stop-${when}-${at}`;
      const quiet = rig.start();
      await rig.runPod(uid);
      await eventually(async () => lifeOf(await rig.state(uid)) === 'running', { what: `pod ${uid} runs` });
      await quiet.stop();

      // given a process that dies somewhere between the stop and the proof that the group is gone
      const death = new Death(at, when);
      const first = rig.start(death.tap);
      await rig.stopPod(uid);
      await eventually(async () => death.dead || finalize(await rig.state(uid)), {
        what: 'the process dies or is done',
      });
      await first.stop();

      // when another one takes over, then the pod may go
      const second = rig.start();
      await rig.hurryUntil(async () => finalize(await rig.state(uid)), `pod ${uid} is finalized`);
      expect(await rig.groupsOf(uid)).toHaveLength(1);
      expect(await rig.groupsOf(uid, '&open=true')).toEqual([]);
      await second.stop();
    },
    90_000,
  );
});
