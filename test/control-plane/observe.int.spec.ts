import { lifeOf } from '#libs/domain';
import { eventually } from '#libs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { LoopsRig } from './loops-rig.ts';
import { CLUSTER } from './names.ts';
import { makeStrangersGroup } from './stranger.ts';

let rig: LoopsRig;
afterEach(() => rig.stop());

const life = async (uid: string): Promise<string> => lifeOf(await rig.state(uid));
const lives = (uid: string, wanted: string) =>
  eventually(async () => (await life(uid)) === wanted, { what: `pod ${uid} is ${wanted}` });

const makeGroup = (podUid: string, attempt: number, over: { fleet?: string; clusterId?: string } = {}) =>
  makeStrangersGroup(rig, podUid, attempt, over);

describe('observing the cloud', () => {
  it('notices a group that somebody else removed, after two lists and a direct read', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await rig.runPod('u1');
    await rig.runPod('u2');
    await lives('u1', 'running');
    await lives('u2', 'running');
    const id = (await rig.state('u1')).group?.containerGroupId as string;
    await rig.simulator.control('DELETE', `/groups/${id}`);

    await rig.hurryUntil(async () => (await life('u1')) === 'failed', 'the loss is noticed', 70_000);
    const state = await rig.state('u1');
    expect(state.end).toMatchObject({ kind: 'failed', reason: 'OutcomeUnknown' });
    expect((await rig.history('u1')).slice(-2)).toEqual(['ContainerGroupFailed', 'ContainerGroupGone']);
    expect(await life('u2')).toBe('running');
    expect(await rig.groupsOf('u1')).toHaveLength(1);
  });

  it.each([1, 12])('concludes nothing from lists that are empty although there are groups (%i)', async (length) => {
    rig = await LoopsRig.start();
    rig.start();
    const uids = Array.from({ length }, (_, i) => `u${i}`);
    await Promise.all(uids.map((uid) => rig.runPod(uid)));
    for (const uid of uids) await lives(uid, 'running');
    await rig.simulator.control('PATCH', '/settings', { account: { permission: 'empty-lists' } });
    const before = (await rig.requests('DescribeContainerGroups')).length;
    await rig.hurryUntil(
      async () => (await rig.requests('DescribeContainerGroups')).length >= before + 4,
      'four more lists were asked for',
      310_000,
    );
    for (const uid of uids) expect(await life(uid)).toBe('running');
  });

  it('deletes a late twin of a pod, and leaves its current group alone', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await rig.runPod('u1');
    await lives('u1', 'running');
    // given a create of an older attempt that went out late
    const twin = await makeGroup('u1', 7);
    await rig.hurryUntil(
      async () => (await rig.groups('&open=true')).every((group) => group.containerGroupId !== twin),
      'the twin is gone',
      30_000,
    );
    expect(await rig.history('u1')).toContain('OrphanFound');
    await rig.hurryUntil(
      async () => Object.keys((await rig.state('u1')).twins).length === 0,
      'the twin is proven gone',
    );
    expect(await life('u1')).toBe('running');
    expect(await rig.groupsOf('u1', '&open=true')).toHaveLength(1);
  });

  it('keeps a group of ours without a stream for an operator, and looks away from those of others', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await rig.runPod('u1');
    await lives('u1', 'running');
    const orphan = await makeGroup('never-heard-of', 1);
    await makeGroup('u1', 3, { fleet: 'another-fleet' });
    await rig.hurryUntil(
      async () => (await rig.pool.query('select 1 from fleet.orphan')).rows.length > 0,
      'the orphan is noted',
      30_000,
    );
    const { rows } = await rig.pool.query('select container_group_id, pod_uid, cluster_id from fleet.orphan');
    expect(rows).toEqual([{ container_group_id: orphan, pod_uid: 'never-heard-of', cluster_id: CLUSTER }]);
    expect(await rig.groups('&open=true')).toHaveLength(3);
    expect(await rig.history('u1')).not.toContain('OrphanFound');
  });

  it('finds the group of a pod that ran before its stream began', async () => {
    rig = await LoopsRig.start();
    const id = await makeGroup('u1', 2);
    rig.start();
    await rig.runPod('u1', { phase: 'Running' });
    await lives('u1', 'running');
    const state = await rig.state('u1');
    expect([state.group?.containerGroupId, state.attempt?.number]).toEqual([id, 2]);
    expect(await rig.requests('CreateContainerGroup')).toHaveLength(1);
  });

  it('goes on where another replica stopped', async () => {
    rig = await LoopsRig.start();
    const first = rig.start();
    rig.start();
    await rig.runPod('u1');
    await lives('u1', 'running');
    await first.stop();
    await rig.runPod('u2');
    await rig.hurryUntil(async () => (await life('u2')) === 'running', 'the pod runs', 5_000);
    expect(await rig.groups()).toHaveLength(2);
  });
});

describe('inventories', () => {
  const inventory = (inventoryId: string, pods: readonly Record<string, unknown>[], chunk = 0, chunks = 1) =>
    rig.send({ kind: 'Inventory', inventoryId, chunk, chunks, pods } as Parameters<LoopsRig['send']>[0]);
  const pod = (uid: string, over: Record<string, unknown> = {}) => ({
    uid,
    resourceVersion: '1',
    phase: 'Running',
    ...over,
  });
  const asked = async (name: string): Promise<readonly string[]> =>
    (await rig.said())
      .filter(({ value }) => value?.['name'] === name)
      .flatMap(({ value }) => value?.['uids'] as string[]);

  /** One after the other as an agent sends them: those that come while its cluster rests from the one before are not answered. */
  const inventoriesUntilAsked = async (pods: readonly Record<string, unknown>[], uid: string): Promise<void> => {
    let sent = 0;
    const answered = async (): Promise<boolean> => {
      await inventory(`i${++sent}`, pods);
      return (await asked('Recheck')).includes(uid);
    };
    await rig.hurryUntil(answered, `the agent is asked for ${uid}`, 61_000);
    // The first one alone says nothing of it.
    expect(sent).toBeGreaterThan(1);
  };

  it('ask the agent what they lack, say again what was not written, and stop nothing', async () => {
    rig = await LoopsRig.start();
    rig.start();
    for (const uid of ['u1', 'u2']) await rig.runPod(uid);
    for (const uid of ['u1', 'u2']) await lives(uid, 'running');

    // when an inventory comes in two parts, of which one pod is missing and one is behind
    await inventory('i1', [pod('u2', { revision: 1 })], 0, 2);
    await inventory('i1', [pod('x', { waitingFor: 'a Secret' })], 1, 2);

    // then
    await eventually(async () => (await asked('Recheck')).includes('u1'), { what: 'the agent is asked for u1' });
    const { version } = await rig.state('u2');
    await eventually(
      async () => (await rig.said()).some(({ key, value }) => key === 'u2' && value?.['revision'] === version),
      {
        what: 'the status of u2 is published again',
      },
    );
    expect(await asked('Recheck')).toEqual(['u1']);
    expect(await rig.groups('&open=true')).toHaveLength(2);
  });

  it('ask for the pod of a closed stream when two of them lack it, and conclude nothing before the agent answers', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await rig.runPod('u1');
    await lives('u1', 'running');
    await rig.stopPod('u1');
    await lives('u1', 'gone');
    await inventoriesUntilAsked([], 'u1');
    expect((await rig.state('u1')).podObjectGone).toBe(false);
    await rig.stopPod('u1', 'Absent');
    await eventually(async () => (await rig.state('u1')).podObjectGone, { what: 'the object is gone' });
    const { rows } = await rig.pool.query('select closed_at from es.stream');
    expect(rows[0].closed_at).not.toBeNull();
  });

  it('ask for a pod without a stream when two of them show it', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await inventoriesUntilAsked([pod('lost')], 'lost');
  });
});
