import { streamIdOf, type ContainerGroupCommand } from '#libs/domain';
import { describe, expect, it } from 'vitest';
import { podsOf, type OnePod } from '../../spec/effects/one-pod.ts';
import { described, group } from '../../spec/effects/scripted-eci.ts';
import { chosen, containersChanged, created, GROUP, seen, stopped, wanted } from '../../spec/effects/told.ts';
import { DeleteEffects } from './delete-effects.ts';

const given = podsOf((parts, tools) => new DeleteEffects(parts, tools));

const OTHER = 'eci-2';
const OTHERS_STREAM = streamIdOf('k1', 'u2');
const createdOther: ContainerGroupCommand = {
  type: 'RecordCreate',
  attempt: 1,
  outcome: { kind: 'done', containerGroupId: OTHER, requestId: 'r0' },
};
const done = { kind: 'done', requestId: 'r' } as const;

/** Two pods whose groups are to be deleted, before any read has shown them. */
async function twoUnseen(): Promise<OnePod> {
  const pod = await given(wanted, chosen, created, stopped);
  for (const command of [wanted, chosen, createdOther, stopped]) await pod.sayOf(OTHERS_STREAM, command);
  return pod;
}

describe('groups that are to be deleted', () => {
  it('are looked at in one read; those that it shows are deleted at once, the others are waited for', async () => {
    const pod = await twoUnseen();
    pod.eci.answers('describe', described(group(OTHER, 'Pending')));
    pod.eci.answers('delete', done);
    await pod.when();
    pod.thenOnly({
      events: [
        { ...containersChanged('Pending', OTHER), cause: `effect:Delete/${OTHER}` },
        { type: 'DeleteAccepted', data: { containerGroupId: OTHER, requestId: 'r' }, cause: 'eci:r' },
      ],
      rows: { [`Delete ${GROUP}`]: { afterMs: 1_000, data: { unseenMs: 1_000 } } },
      calls: [`describe ${GROUP} ${OTHER}`, `delete ${OTHER}`],
    });
    expect(Object.keys(pod.rows(OTHERS_STREAM))).toEqual([`Confirm ${OTHER}`]);
  });

  it('are not looked at when a read has shown them before', async () => {
    const pod = await given(wanted, chosen, created, seen(), stopped);
    pod.eci.answers('delete', done);
    await pod.when();
    expect(pod.eci.calls).toEqual([`delete ${GROUP}`]);
  });

  it('are deleted though the look throws, when they were waited for', async () => {
    const pod = await given(wanted, chosen, created, stopped);
    await pod.put('Delete', GROUP, { unseenMs: 5_000 });
    pod.eci.answers('describe', new Error('out of order'));
    pod.eci.answers('delete', done);
    await pod.when();
    expect(pod.eci.calls).toEqual([`describe ${GROUP}`, `delete ${GROUP}`]);
    expect(Object.keys(pod.rows())).toEqual([`Confirm ${GROUP}`]);
  });

  it('that ended by themselves are said to have, and are deleted all the same', async () => {
    const pod = await given(wanted, chosen, created, stopped);
    pod.eci.answers('describe', described(group(GROUP, 'Succeeded')));
    pod.eci.answers('delete', done);
    await pod.when();
    const cause = `effect:Delete/${GROUP}`;
    pod.thenOnly({
      events: [
        { ...containersChanged('Succeeded'), cause },
        { type: 'ContainerGroupSucceeded', data: { containerGroupId: GROUP }, cause },
        { type: 'DeleteAccepted', data: { containerGroupId: GROUP, requestId: 'r' }, cause: 'eci:r' },
      ],
      rows: { [`Confirm ${GROUP}`]: { afterMs: 1_000 } },
      calls: [`describe ${GROUP}`, `delete ${GROUP}`],
    });
  });

  it('whose sight others wrote meanwhile are deleted on what is known by then', async () => {
    const pod = await given(wanted, chosen, created, stopped);
    pod.eci.answers('describe', () => pod.say(seen('Pending')).then(() => described(group(GROUP, 'Pending'))));
    pod.eci.answers('delete', done);
    await pod.when();
    pod.thenOnly({
      events: [{ type: 'DeleteAccepted', data: { containerGroupId: GROUP, requestId: 'r' }, cause: 'eci:r' }],
      rows: { [`Confirm ${GROUP}`]: { afterMs: 1_000 } },
      calls: [`describe ${GROUP}`, `delete ${GROUP}`],
    });
  });
});
