import { lifeOf } from '#libs/domain';
import { eventually } from '#libs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { LoopsRig } from './loops-rig.ts';

let rig: LoopsRig;
afterEach(() => rig.stop());

const life = async (uid: string): Promise<string> => lifeOf(await rig.state(uid));
const lookUps = async (): Promise<number> =>
  (
    await rig.simulator.control<{ requests: unknown[] }>(
      'GET',
      '/ledger/requests?limit=5000&action=DescribeContainerGroups&param.Tag.3.Value=doubtful',
    )
  ).requests.length;

describe('a caller whose permission to see was taken', () => {
  it('does not take a group for absent that it may not see, and makes no second one', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await rig.runPod('u1');
    await eventually(async () => (await life('u1')) === 'running', { what: 'another pod runs' });
    // given creates that take effect and whose answers are lost, while lists are empty
    await rig.simulator.control('PATCH', '/settings', { account: { permission: 'empty-lists' } });
    await rig.simulator.control('POST', '/faults', {
      id: 'lost',
      kind: 'lost-answer',
      action: 'CreateContainerGroup',
    });
    await rig.runPod('doubtful');
    await eventually(async () => (await rig.groupsOf('doubtful')).length > 0, { what: 'the create took effect' });
    await rig.hurryUntil(async () => (await lookUps()) >= 5, 'it was looked for again and again', 65_000);
    expect((await rig.state('doubtful')).attempt).toMatchObject({ number: 1, outcome: 'unknown' });

    // when it may see again
    await rig.simulator.control('PATCH', '/settings', { account: { permission: 'ok' } });
    await rig.simulator.control('DELETE', '/faults/lost');
    await rig.hurryUntil(async () => (await life('doubtful')) === 'running', 'the pod runs', 30_000);
    expect(await rig.groupsOf('doubtful')).toHaveLength(1);
  });
});
