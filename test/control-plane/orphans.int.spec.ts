import { foldOrphan, isClosed, isOpenOrphan, lifeOf, orphanStreamId } from '#libs/domain';
import { SystemIds } from '#libs/runtime';
import { eventually } from '#libs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { OrphanStreams } from '../../services/control-plane/src/orphans/orphan-streams.ts';
import { orphanEvent } from '../../services/control-plane/src/streams/stored-events.ts';
import { Death } from './death.ts';
import { LoopsRig } from './loops-rig.ts';
import type { Tap } from './running-loops.ts';
import { ACCOUNT, FLEET, REGION } from './names.ts';
import { makeStrangersGroup } from './stranger.ts';

let rig: LoopsRig;
afterEach(() => rig.stop());

const life = async (uid: string): Promise<string> => lifeOf(await rig.state(uid));
const runs = (uid: string) =>
  eventually(async () => (await life(uid)) === 'running', { what: `pod ${uid} is running` });
const idOf = (containerGroupId: string) => ({ accountId: ACCOUNT, region: REGION, containerGroupId });
const historyOf = async (group: string): Promise<readonly string[]> => {
  const streamId = orphanStreamId(idOf(group));
  return ((await rig.store().loadMany([streamId])).get(streamId) ?? []).map(({ type }) => type);
};
const stateOf = async (group: string) => {
  const streamId = orphanStreamId(idOf(group));
  const events = (await rig.store().loadMany([streamId])).get(streamId) ?? [];
  return foldOrphan(events.map(orphanEvent));
};
const isOpen = async (group: string): Promise<boolean> =>
  (await rig.groups('&open=true')).some(({ containerGroupId }) => containerGroupId === group);
const lists = async (): Promise<number> => (await rig.requests('DescribeContainerGroups')).length;
const deletes = async (): Promise<number> => (await rig.requests('DeleteContainerGroup')).length;
const streams = (): OrphanStreams => new OrphanStreams({ store: rig.store(), clock: rig.clock, ids: new SystemIds() });
const remove = (group: string) =>
  streams().execute(
    orphanStreamId(idOf(group)),
    { type: 'RequestRemoval', by: 'jo', reason: 'a test' },
    { actor: 'operator:jo' },
  );
const quarantined = (group: string) =>
  rig.hurryUntil(async () => (await stateOf(group)).phase === 'quarantined', `${group} is in quarantine`, 310_000);

/** One pod runs, so that the place is observed. */
async function begin(): Promise<void> {
  rig = await LoopsRig.start();
  rig.start();
  await rig.runPod('u1');
  await runs('u1');
}

/** A pod runs, and the removal of an orphan was asked for while no process is there to do it; returns the orphan. */
async function removalAsked(): Promise<string> {
  rig = await LoopsRig.start();
  const quiet = rig.start();
  await rig.runPod('u1');
  await runs('u1');
  const orphan = await makeStrangersGroup(rig, 'never-heard-of', 1);
  await quarantined(orphan);
  await quiet.stop();
  await remove(orphan);
  return orphan;
}

describe('an open group of ours that no stream knows', () => {
  it('is noted while it is young, and goes into quarantine when it is not', async () => {
    await begin();
    const orphan = await makeStrangersGroup(rig, 'never-heard-of', 2);
    const foreign = await makeStrangersGroup(rig, 'theirs', 1, { fleet: 'another-fleet' });
    // The next inventory is due, and ten minutes are not over.
    await rig.hurry(310_000);
    await eventually(async () => (await rig.pool.query('select 1 from fleet.orphan')).rows.length > 0, {
      what: 'it is noted',
      deadlineMs: 20_000,
    });
    expect(await historyOf(orphan)).toEqual([]);
    await quarantined(orphan);
    const { facts, phase } = await stateOf(orphan);
    expect(facts).toMatchObject({ podUid: 'never-heard-of', attempt: 2, cpu: 2, memoryGiB: 4, accountId: ACCOUNT });
    expect(phase).toBe('quarantined');

    // nobody is touched without a word of an operator: not the orphan, not the foreign group, not the pod's own
    const before = await lists();
    await rig.hurryUntil(async () => (await lists()) >= before + 4, 'further lists', 310_000);
    expect([await isOpen(orphan), await isOpen(foreign), await life('u1')]).toEqual([true, true, 'running']);
    expect(await historyOf(foreign)).toEqual([]);
    expect(await deletes()).toBe(0);
    // and it is said once
    expect(await historyOf(orphan)).toEqual(['OrphanQuarantined']);
  });

  it('is removed when an operator says so, once, with proof and a name', async () => {
    await begin();
    rig.start();
    const orphan = await makeStrangersGroup(rig, 'never-heard-of', 1);
    await quarantined(orphan);
    await remove(orphan);
    await remove(orphan);
    await rig.hurryUntil(async () => (await stateOf(orphan)).phase === 'removed', 'it is removed', 5_000);
    expect(await isOpen(orphan)).toBe(false);
    expect(await historyOf(orphan)).toEqual([
      'OrphanQuarantined',
      'OrphanRemovalRequested',
      'OrphanDeleteAccepted',
      'OrphanRemoved',
    ]);
    expect((await stateOf(orphan)).removal).toMatchObject({ by: 'jo', reason: 'a test' });
    expect(await rig.effects()).toEqual([]);
    expect(await life('u1')).toBe('running');
    const { rows } = await rig.pool.query('select phase, decided_by, ended_at is null as open from fleet.orphan_case');
    expect(rows).toEqual([{ phase: 'removed', decided_by: 'jo', open: false }]);
  });

  it('is not taken for removed by one who may not see it, nor anything else', async () => {
    await begin();
    const orphan = await makeStrangersGroup(rig, 'never-heard-of', 1);
    await quarantined(orphan);
    // given a group that takes its time to end
    await rig.simulator.control('PATCH', '/settings', { latencies: { terminatingMs: [600_000, 600_000] } });
    await remove(orphan);
    await rig.hurryUntil(
      async () => (await historyOf(orphan)).includes('OrphanDeleteAccepted'),
      'its delete is accepted',
      5_000,
    );

    // when the permission to see is taken
    await rig.simulator.control('PATCH', '/settings', { account: { permission: 'empty-lists' } });
    const before = await lists();
    await rig.hurryUntil(async () => (await lists()) >= before + 12, 'it is looked for again and again', 31_000);
    expect([(await stateOf(orphan)).phase, await isOpen(orphan)]).toEqual(['removing', true]);

    // and given back, after the group has gone
    await rig.simulator.control('PATCH', '/clock', { advanceMs: 700_000 });
    await rig.simulator.control('PATCH', '/settings', { account: { permission: 'ok' } });
    await rig.hurryUntil(async () => (await stateOf(orphan)).phase === 'removed', 'it is removed', 31_000);
    expect([await isOpen(orphan), await life('u1')]).toEqual([false, 'running']);
  });

  it('is removed by the policy after its time, but not when somebody keeps it', async () => {
    rig = await LoopsRig.start();
    rig.orphanPolicy = { kind: 'remove-after', afterMs: 3_600_000 };
    rig.start();
    await rig.runPod('u1');
    await runs('u1');
    const doomed = await makeStrangersGroup(rig, 'doomed', 1);
    const kept = await makeStrangersGroup(rig, 'kept', 1);
    await quarantined(doomed);
    await quarantined(kept);
    await streams().execute(
      orphanStreamId(idOf(kept)),
      { type: 'Keep', by: 'jo', reason: 'mine' },
      { actor: 'operator:jo' },
    );
    await rig.hurryUntil(async () => (await stateOf(doomed)).phase === 'removed', 'the policy removes it', 600_000);
    expect((await stateOf(doomed)).removal).toMatchObject({ by: 'policy' });
    expect([(await stateOf(kept)).phase, await isOpen(kept)]).toEqual(['kept', true]);
  });

  it('is left to a stream that claims it, also when its removal was asked for a moment before', async () => {
    await begin();
    const orphan = await makeStrangersGroup(rig, 'u2', 3);
    await quarantined(orphan);
    // when its pod's agent speaks at last
    await rig.runPod('u2', { phase: 'Running' });
    await eventually(async () => (await rig.state('u2')).intent, { what: 'the stream begins' });
    await remove(orphan);
    await rig.hurryUntil(async () => (await stateOf(orphan)).phase === 'closed', 'the orphan is closed', 5_000);
    await rig.hurryUntil(async () => (await life('u2')) === 'running', 'the pod has its group', 5_000);
    expect((await rig.state('u2')).group?.containerGroupId).toBe(orphan);
    expect([await isOpen(orphan), await deletes()]).toEqual([true, 0]);
    expect((await historyOf(orphan)).at(-1)).toBe('OrphanClosed');
  });

  it('closes by itself when its stream appears, when it ends, or when somebody else removes it', async () => {
    await begin();
    const [adopted, removed] = [await makeStrangersGroup(rig, 'u2', 1), await makeStrangersGroup(rig, 'u3', 1)];
    await quarantined(adopted);
    await quarantined(removed);
    await rig.runPod('u2', { phase: 'Running' });
    await rig.simulator.control('DELETE', `/groups/${removed}`);
    for (const group of [adopted, removed])
      await rig.hurryUntil(async () => (await stateOf(group)).phase === 'closed', `${group} is closed`, 70_000);
    expect(await isOpen(adopted)).toBe(true);
    const { rows } = await rig.pool.query(
      'select container_group_id, ended_how from fleet.orphan_case order by ended_how',
    );
    expect(rows).toMatchObject([
      { container_group_id: adopted, ended_how: expect.stringContaining('claimed') as string },
      { container_group_id: removed, ended_how: expect.stringContaining('vanished') as string },
    ]);
  });

  it('is neither found nor lost by lists that are cut off or empty', async () => {
    await begin();
    const orphans: string[] = [];
    for (let i = 0; i < 12; i++) orphans.push(await makeStrangersGroup(rig, `lost-${i}`, 1));
    await rig.hurry(700_000);
    // fault 26: the second page never comes whole
    await rig.simulator.control('POST', '/faults', {
      id: 'cut',
      kind: 'truncate-page',
      page: 'cut',
      action: 'DescribeContainerGroups',
      match: { 'Tag.1.Value': FLEET },
    });
    let before = await lists();
    await rig.hurryUntil(async () => (await lists()) >= before + 6, 'lists fail', 40_000);
    expect((await rig.pool.query('select 1 from fleet.orphan')).rows).toEqual([]);
    await rig.simulator.control('DELETE', '/faults/cut');
    for (const each of orphans) await quarantined(each);

    // fault 25: the permission is lost, lists are empty
    await rig.simulator.control('PATCH', '/settings', { account: { permission: 'empty-lists' } });
    before = await lists();
    await rig.hurryUntil(async () => (await lists()) >= before + 4, 'empty lists', 310_000);
    for (const each of orphans) expect((await stateOf(each)).phase).toBe('quarantined');
    expect((await rig.pool.query('select 1 from fleet.orphan')).rows).toHaveLength(12);
    expect(await life('u1')).toBe('running');
  });
});

describe('a late twin', () => {
  it('of a pod that is long gone is found after two hours of standstill, and deleted without an operator', async () => {
    rig = await LoopsRig.start();
    const first = rig.start();
    await rig.runPod('u1');
    await rig.runPod('u2');
    await runs('u1');
    await runs('u2');
    await rig.stopPod('u1');
    await rig.stopPod('u1', 'ObjectGone');
    await rig.hurryUntil(async () => isClosed(await rig.state('u1')), 'the stream is closed', 5_000);
    await first.stop();

    // given a create of a paused process that went out while nobody was there
    const twin = await makeStrangersGroup(rig, 'u1', 1);
    await rig.hurry(7_200_000);
    rig.start();
    await rig.hurryUntil(async () => !(await isOpen(twin)), 'the twin is gone', 30_000);
    await rig.hurryUntil(async () => isClosed(await rig.state('u1')), 'the stream is closed again', 5_000);
    expect(await rig.history('u1')).toContain('OrphanFound');
    expect(await historyOf(twin)).toEqual([]);
    expect(await life('u2')).toBe('running');
    expect(await rig.groupsOf('u2', '&open=true')).toHaveLength(1);
  });

  it('in another region than its pod is deleted where it is', async () => {
    await begin();
    await rig.runPod('b1', {
      resolved: {
        profile: {
          region: 'cn-beijing',
          vSwitchIds: ['vsw-demo-beijing-f'],
          securityGroupId: 'sg-demo-beijing',
          enableClusterIp: true,
        },
      },
    });
    await runs('b1');
    const twin = await makeStrangersGroup(rig, 'u1', 9, { region: 'cn-beijing' });
    await rig.hurryUntil(async () => !(await isOpen(twin)), 'the twin is gone', 30_000);
    await rig.hurryUntil(
      async () => Object.keys((await rig.state('u1')).twins).length === 0,
      'the twin is proven gone',
      5_000,
    );
    expect([await life('u1'), await life('b1')]).toEqual(['running', 'running']);
    expect((await rig.history('u1')).filter((type) => type === 'OrphanFound')).toHaveLength(1);
  });
});

describe('groups that the cloud forgot while nobody looked', () => {
  it('end as finished with an unknown outcome, with the evidence', async () => {
    rig = await LoopsRig.start();
    const first = rig.start();
    for (const uid of ['u1', 'u2']) await rig.runPod(uid);
    for (const uid of ['u1', 'u2']) await runs(uid);
    await first.stop();
    // fault 27: it ended, an hour passed, and the cloud keeps no record of it
    const id = (await rig.state('u1')).group?.containerGroupId as string;
    await rig.simulator.control('DELETE', `/groups/${id}`);
    await rig.hurry(7_200_000);
    rig.start();
    await rig.hurryUntil(async () => (await life('u1')) === 'failed', 'it is said', 70_000);
    const state = await rig.state('u1');
    expect(state.end).toMatchObject({ reason: 'OutcomeUnknown' });
    expect(state.end?.message).toContain('two complete lists');
    expect(await life('u2')).toBe('running');
  });
});

describe('an orphan that is gone before its removal began', () => {
  it('was not removed by us', async () => {
    const orphan = await removalAsked();
    await rig.simulator.control('DELETE', `/groups/${orphan}`);
    rig.start();
    await rig.hurryUntil(async () => !isOpenOrphan(await stateOf(orphan)), 'it is over');
    expect(await historyOf(orphan)).toEqual(['OrphanQuarantined', 'OrphanRemovalRequested', 'OrphanClosed']);
    const { rows } = await rig.pool.query('select ended_how from fleet.orphan_case');
    expect(rows).toMatchObject([{ ended_how: expect.stringContaining('vanished') as string }]);
    expect([await rig.effects(), await deletes()]).toEqual([[], 0]);
  });
});

describe('a process that dies while it removes an orphan', () => {
  it('has removed it, although another finds it gone first, who cannot know of the delete', async () => {
    const orphan = await removalAsked();

    // given a delete that went out, and a process that died before it heard so
    const death = new Death(1, 'after', ['cloud']);
    const first = rig.start(death.tap);
    await eventually(() => death.dead, { what: 'the process dies', deadlineMs: 20_000 });
    await first.stop();
    await eventually(async () => !(await isOpen(orphan)), { what: 'the group is gone' });

    // when those who watch the place see that, long before anybody goes on with the removal
    const idle: Tap = (port, name, loop) =>
      name === 'queue' && loop === 'effects'
        ? new Proxy(port, { get: (on, key) => (key === 'dueLanes' ? () => [] : Reflect.get(on, key)) })
        : port;
    const second = rig.start(idle);
    const before = await lists();
    await rig.hurryUntil(async () => (await lists()) >= before + 6, 'it is looked for', 70_000);
    await second.stop();

    // then the removal ends it
    rig.start();
    await rig.hurryUntil(async () => !isOpenOrphan(await stateOf(orphan)), 'it is over');
    expect(await historyOf(orphan)).toEqual(['OrphanQuarantined', 'OrphanRemovalRequested', 'OrphanRemoved']);
    expect(await rig.effects()).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5, 6].flatMap((at) => (['before', 'after'] as const).map((when) => [at, when] as const)))(
    'leaves it to its successor, who removes it and nothing else: step %i, %s',
    async (at, when) => {
      const orphan = await removalAsked();

      const death = new Death(at, when);
      const first = rig.start(death.tap);
      await eventually(async () => death.dead || (await stateOf(orphan)).phase === 'removed', {
        what: 'the process dies or is done',
        deadlineMs: 20_000,
      });
      await first.stop();

      rig.start();
      await rig.hurryUntil(async () => (await stateOf(orphan)).phase === 'removed', 'it is removed');
      expect(await isOpen(orphan)).toBe(false);
      expect((await historyOf(orphan)).filter((type) => type === 'OrphanDeleteAccepted').length).toBeLessThanOrEqual(1);
      expect(await rig.effects()).toEqual([]);
      expect(await life('u1')).toBe('running');
      expect(await rig.groups('&open=true')).toHaveLength(1);
    },
    90_000,
  );
});
