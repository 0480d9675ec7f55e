import { eventually } from '#libs/testing';
import { lifeOf } from '#libs/domain';
import { afterEach, describe, expect, it } from 'vitest';
import { LoopsRig } from './loops-rig.ts';

let rig: LoopsRig;
afterEach(() => rig.stop());

const life = async (uid: string): Promise<string> => lifeOf(await rig.state(uid));

describe('one pod, all the way', () => {
  it('runs, is seen running with its address, is stopped and proven gone', async () => {
    rig = await LoopsRig.start();
    rig.start();

    // when an agent asks for a pod
    await rig.runPod('u1');
    await eventually(async () => (await life('u1')) === 'running', { what: 'the pod runs' });

    // then one group runs it, landed, with an address
    const state = await rig.state('u1');
    expect(state.group?.podIp).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(state.group?.landed).toMatchObject({ zone: 'cn-hangzhou-h', vSwitchId: 'vsw-demo-h' });
    expect(await rig.groupsOf('u1')).toHaveLength(1);
    expect((await rig.history('u1')).slice(0, 3)).toEqual([
      'PodIntentAccepted',
      'PlacementChosen',
      'ContainerGroupCreated',
    ]);

    // when it is deleted
    await rig.stopPod('u1');
    await eventually(async () => (await life('u1')) === 'gone', { what: 'the pod is gone' });

    // then nothing of it is left, here or there
    expect(await rig.groupsOf('u1', '&open=true')).toEqual([]);
    expect((await rig.history('u1')).slice(-2)).toEqual(['DeleteAccepted', 'ContainerGroupGone']);
    expect(await rig.effects()).toEqual([]);
    expect((await rig.pool.query('select * from es.sealed')).rows).toEqual([]);
  });
});
