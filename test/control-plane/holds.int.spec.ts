import { finalize, lifeOf } from '#libs/domain';
import { eventually } from '#libs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { HoldDesk } from '../../services/control-plane/src/holds/hold-desk.ts';
import { HoldReader } from '../../services/control-plane/src/holds/hold-reader.ts';
import { Death } from './death.ts';
import { LoopsRig } from './loops-rig.ts';
import { CLUSTER } from './names.ts';

let rig: LoopsRig;
afterEach(() => rig.stop());

const life = async (uid: string): Promise<string> => lifeOf(await rig.state(uid));
const uids = (count: number, prefix = 'u'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const countOf = async (uid: string, type: string): Promise<number> =>
  (await rig.history(uid)).filter((each) => each === type).length;
const heldOf = async (among: readonly string[]): Promise<string[]> => {
  const states = await Promise.all(among.map((uid) => rig.state(uid)));
  return among.filter((_, i) => states[i]?.held);
};
const stoppedOf = async (among: readonly string[]): Promise<string[]> => {
  const states = await Promise.all(among.map((uid) => rig.state(uid)));
  return among.filter((_, i) => states[i]?.stop);
};
const desk = (): HoldDesk => new HoldDesk(rig.pool);
const reader = (): HoldReader => new HoldReader(rig.pool);

/** Pods that run; at most `count` counted stops pass in five minutes. */
async function running(pods: readonly string[], count = 3): Promise<void> {
  rig = await LoopsRig.start();
  rig.limits = { percent: 0, count, windowMs: 300_000 };
  rig.start();
  await Promise.all(pods.map((uid) => rig.runPod(uid)));
  for (const uid of pods) await eventually(async () => (await life(uid)) === 'running', { what: `pod ${uid} runs` });
}

/** All stops were decided: each pod is stopped or held. */
const decided = (pods: readonly string[]) =>
  eventually(async () => (await heldOf(pods)).length + (await stoppedOf(pods)).length === pods.length, {
    what: 'every stop is decided',
  });

describe('the mass-delete guard', () => {
  it('holds what comes in masses and nobody was seen asking for, with a row and an event for each', async () => {
    const pods = uids(8);
    await running(pods);

    // when an API server came back from an old backup: all pods are absent
    await Promise.all(pods.map((uid) => rig.stopPod(uid, 'Absent')));
    await decided(pods);

    // then no more than three were let through, and what runs runs on
    const held = await heldOf(pods);
    expect(held.length).toBeGreaterThanOrEqual(5);
    expect(await rig.groups('&open=true')).not.toHaveLength(0);
    const { items } = await reader().list();
    expect(items).toMatchObject([
      { clusterId: CLUSTER, held: held.length, denied: 0, active: { id: `${CLUSTER}/1`, allowance: 3 } },
    ]);
    const { items: stops } = await reader().stops(CLUSTER, { limit: 50 });
    expect(stops.map(({ podUid }) => podUid).sort()).toEqual(held);
    expect(stops[0]).toMatchObject({ namespace: 'default', reason: 'Absent', hold: `${CLUSTER}/1` });
    for (const uid of held) expect([await life(uid), finalize(await rig.state(uid))]).toEqual(['running', false]);

    // when the stops are repeated, then nothing changes
    // (what the cloud says meanwhile is no answer to them)
    const saidOfStops = () =>
      Promise.all(held.map(async (uid) => (await rig.history(uid)).filter((type) => type.startsWith('Stop'))));
    const before = await saidOfStops();
    await Promise.all(held.map((uid) => rig.stopPod(uid, 'Absent')));
    await rig.runPod('later');
    await eventually(async () => (await life('later')) === 'running', { what: 'the log was read to its end' });
    expect(await saidOfStops()).toEqual(before);

    // when an operator releases them, then each is stopped, once
    expect(
      await desk().decide({
        clusterId: CLUSTER,
        verdict: 'release',
        which: { all: true },
        by: 'jo',
        actor: 'operator:admin',
        reason: 'a restore',
      }),
    ).toEqual({
      stops: held.length,
      ended: `${CLUSTER}/1`,
      notHeld: [],
    });
    await rig.hurryUntil(async () => (await rig.groups('&open=true')).length === 1, 'all but one are gone', 5_000);
    for (const uid of held) {
      expect([await countOf(uid, 'StopReleased'), await countOf(uid, 'StopRequested')]).toEqual([1, 1]);
      expect((await rig.groupsOf(uid)).length).toBe(1);
      // who was let in acts; how he calls himself is what he says
      const released = (await rig.events(uid)).find(({ type }) => type === 'StopReleased');
      expect(released).toMatchObject({ metadata: { actor: 'operator:admin' }, data: { by: 'operator:jo' } });
    }
    expect((await reader().list()).items).toEqual([]);
  });

  it('never holds deletes that were seen, however many there are', async () => {
    const pods = uids(8);
    await running(pods);
    await Promise.all(pods.map((uid) => rig.stopPod(uid, 'Deleted')));
    await rig.hurryUntil(async () => (await rig.groups('&open=true')).length === 0, 'all are gone', 5_000);
    expect(await heldOf(pods)).toEqual([]);
  });

  it('counts evictions after an outage of the node across replicas and restarts', async () => {
    const pods = uids(10);
    await running(pods, 4);
    const second = rig.start();
    // given four that were let through, one by one
    for (const uid of pods.slice(0, 4)) await rig.stopPod(uid, 'Deleted', 'DeletionByTaintManager');
    await eventually(async () => (await stoppedOf(pods)).length === 4, { what: 'four pass' });
    await second.stop();
    rig.start();

    // when the rest follows within the window, on other processes
    for (const uid of pods.slice(4)) await rig.stopPod(uid, 'Deleted', 'DeletionByTaintManager');
    await decided(pods);
    expect(await heldOf(pods)).toEqual(pods.slice(4));
    expect(await rig.groups('&open=true')).not.toHaveLength(0);
  });

  it('forgets what passed when the window is over', async () => {
    const pods = uids(6);
    await running(pods);
    for (const uid of pods.slice(0, 3)) await rig.stopPod(uid, 'Absent');
    await eventually(async () => (await stoppedOf(pods)).length === 3, { what: 'three pass' });
    await rig.hurry(301_000);
    for (const uid of pods.slice(3)) await rig.stopPod(uid, 'Absent');
    await decided(pods);
    expect(await heldOf(pods)).toEqual([]);
  });

  it('lets a pod go on that is there again, and one that somebody deletes be deleted', async () => {
    const pods = uids(5);
    await running(pods, 0);
    await Promise.all(pods.map((uid) => rig.stopPod(uid, 'Absent')));
    await eventually(async () => (await heldOf(pods)).length === 5, { what: 'all are held' });

    await rig.runPod('u0');
    await rig.stopPod('u1', 'Deleted');
    await eventually(async () => (await heldOf(pods)).length === 3, { what: 'two holds end' });
    await rig.hurryUntil(async () => finalize(await rig.state('u1')), 'the deleted pod may go', 5_000);
    expect([await life('u0'), await countOf('u0', 'StopRequested')]).toEqual(['running', 0]);
    expect((await reader().list()).items).toMatchObject([{ held: 3 }]);
  });

  it('keeps pods running that an operator denies, shown until they are released', async () => {
    const pods = uids(4);
    await running(pods, 0);
    await Promise.all(pods.map((uid) => rig.stopPod(uid, 'Absent')));
    await eventually(async () => (await heldOf(pods)).length === 4, { what: 'all are held' });

    // one is released by name, the rest denied
    expect(
      await desk().decide({ clusterId: CLUSTER, verdict: 'release', which: { only: ['u0', 'nobody'] }, by: 'jo' }),
    ).toEqual({
      stops: 1,
      notHeld: ['nobody'],
    });
    await rig.hurryUntil(async () => finalize(await rig.state('u0')), 'the released pod may go', 5_000);
    await desk().decide({
      clusterId: CLUSTER,
      verdict: 'deny',
      which: { all: true },
      by: 'jo',
      reason: 'the API server lies',
    });
    await eventually(async () => (await reader().list()).items[0]?.denied === 3, { what: 'three are denied' });
    await Promise.all(pods.slice(1).map((uid) => rig.stopPod(uid, 'Absent')));
    await rig.runPod('later');
    await eventually(async () => (await life('later')) === 'running', { what: 'the log was read to its end' });
    for (const uid of pods.slice(1)) expect(await life(uid)).toBe('running');
    const { items } = await reader().stops(CLUSTER, { limit: 10 });
    expect(items[0]).toMatchObject({ denied: { by: 'operator:jo', reason: 'the API server lies' } });

    // and in the end they are released after all
    await desk().decide({ clusterId: CLUSTER, verdict: 'release', which: { all: true }, by: 'jo' });
    await rig.hurryUntil(async () => (await rig.groups('&open=true')).length === 1, 'they are gone', 5_000);
  });

  it('ends by itself once nothing is held any more', async () => {
    const pods = uids(3);
    await running(pods, 1);
    await Promise.all(pods.slice(0, 2).map((uid) => rig.stopPod(uid, 'Absent')));
    await rig.stopPod('u2', 'Absent');
    await decided(pods);
    for (const uid of await heldOf(pods)) await rig.runPod(uid);
    await eventually(async () => (await heldOf(pods)).length === 0, { what: 'the pods are back' });
    await rig.hurry(301_000);
    await eventually(async () => (await reader().list()).items.length === 0, { what: 'the hold ends' });
    const stopped = await stoppedOf(pods);
    const alive = pods.find((uid) => !stopped.includes(uid)) as string;
    await rig.stopPod(alive, 'Absent');
    await eventually(async () => (await rig.state(alive)).stop, { what: 'one stop passes again' });
    expect((await reader().list()).items).toEqual([]);
  });
});

describe('a process that dies while the guard holds', () => {
  it.each([1, 2, 3, 4].flatMap((at) => (['before', 'after'] as const).map((when) => [at, when] as const)))(
    'loses no stop, lets no more through, and releases each once: step %i, %s',
    async (at, when) => {
      const pods = uids(6, `${when}${at}-`);
      rig = await LoopsRig.start();
      rig.limits = { percent: 0, count: 2, windowMs: 300_000 };
      const quiet = rig.start();
      await Promise.all(pods.map((uid) => rig.runPod(uid)));
      for (const uid of pods) await eventually(async () => (await life(uid)) === 'running', { what: `${uid} runs` });
      await quiet.stop();

      // given a process that dies somewhere on the way
      const death = new Death(at, when);
      const first = rig.start(death.tap);
      for (const uid of pods) await rig.stopPod(uid, 'Absent');
      await eventually(
        async () => death.dead || (await heldOf(pods)).length + (await stoppedOf(pods)).length === pods.length,
        { what: 'the process dies or is done' },
      );
      await first.stop();

      // when another takes over
      const second = rig.start();
      await decided(pods);
      expect((await stoppedOf(pods)).length).toBeLessThanOrEqual(2);
      await second.stop();

      // and one that carries out a release dies as well
      const again = new Death(at, when);
      const third = rig.start(again.tap);
      await desk().decide({ clusterId: CLUSTER, verdict: 'release', which: { all: true }, by: 'jo' });
      await eventually(async () => again.dead || (await heldOf(pods)).length === 0, { what: 'it dies or is done' });
      await third.stop();
      rig.start();
      await rig.hurryUntil(async () => (await rig.groups('&open=true')).length === 0, 'all are gone');
      for (const uid of pods) {
        expect(await countOf(uid, 'StopRequested')).toBe(1);
        expect(await rig.groupsOf(uid)).toHaveLength(1);
      }
    },
    90_000,
  );
});
