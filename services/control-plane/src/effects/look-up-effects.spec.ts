import { streamIdOf, type ContainerGroupCommand } from '#libs/domain';
import { describe, expect, it } from 'vitest';
import { runPod } from '../../../../libs/domain/spec/samples.ts';
import { podsOf, type OnePod } from '../../spec/effects/one-pod.ts';
import { FAILED_READS, group, listed } from '../../spec/effects/scripted-eci.ts';
import {
  chosen,
  containersChanged,
  created,
  edited,
  found,
  GROUP,
  inDoubt,
  stopped,
  wanted,
} from '../../spec/effects/told.ts';
import { LookUpEffects } from './look-up-effects.ts';

const given = podsOf((parts, tools) => new LookUpEffects(parts, tools));

const cause = 'effect:LookUp/1';
const LIST = 'list pod u1 attempt 1';
const doubtful = [wanted, chosen, inDoubt];
const adopted = { type: 'Adopted', data: { attempt: 1, containerGroupId: GROUP }, cause } as const;
const SEEN = { ...containersChanged('Running'), cause };
const CREATE = { afterMs: -60_000 };

describe('an attempt whose outcome is not known', () => {
  it('is settled by the group that carries its tags', async () => {
    const pod = await given(...doubtful);
    pod.eci.answers('list', listed(group(GROUP)));
    await pod.when();
    pod.thenOnly({ events: [adopted, SEEN], calls: [LIST] });
  });

  it('of a stopped pod is settled by it as well, and the group is deleted', async () => {
    const pod = await given(...doubtful, stopped);
    pod.eci.answers('list', listed(group(GROUP)));
    await pod.when();
    pod.thenOnly({ events: [adopted, SEEN], rows: { [`Delete ${GROUP}`]: {} }, calls: [LIST] });
  });

  it('that made several has one of them, which has not ended; the others are late twins', async () => {
    const pod = await given(...doubtful);
    pod.eci.answers('list', listed(group('eci-ended', 'Succeeded'), group(GROUP), group('eci-more')));
    await pod.when();
    const ended = { containerGroupId: 'eci-ended', status: 'Succeeded', attempt: 1 };
    const evidence = 'it had ended by itself: Succeeded';
    pod.thenOnly({
      events: [
        adopted,
        SEEN,
        { type: 'OrphanFound', data: { containerGroupId: 'eci-more', status: 'Running', attempt: 1 }, cause },
        { type: 'OrphanFound', data: ended, cause },
        { type: 'ContainerGroupGone', data: { containerGroupId: 'eci-ended', evidence }, cause },
      ],
      rows: { 'Delete eci-more': { afterMs: 60_000 } },
      calls: [LIST],
    });
  });

  it.each([
    ['fleet', { fleet: 'another' }],
    ['cluster', { clusterId: 'k2' }],
    ['pod', { podUid: 'u2' }],
    ['attempt', { attempt: 2 }],
  ])('is not settled by a group of another %s, whatever the list was asked for', async (_, identity) => {
    const pod = await given(...doubtful);
    pod.eci.answers('list', listed(group(GROUP, 'Running', identity)), listed(group('eci-2')));
    await pod.when();
    pod.thenOnly({
      rows: { 'LookUp 1': { afterMs: 10_000, data: { closingMs: 10_000 } } },
      calls: [LIST, 'list fleet'],
    });
  });
});

/** Does the work until the row is gone; each list of the pod is empty, and the fleet shows what it does. */
async function until(pod: OnePod, row: string): Promise<void> {
  for (let turn = 0; turn < 20 && pod.rows()[row]; turn++) {
    pod.eci.answers('list', listed(), listed());
    await pod.when();
  }
}

describe('an attempt that made nothing', () => {
  it('is absent after two lists that are more than a minute apart, both begun when its last call had ended', async () => {
    const pod = await given(...doubtful);
    const begun = pod.clock.now();
    await until(pod, 'LookUp 1');
    const [first, second] = [60_000 + 60_000, 60_000 + 60_000 + 70_000].map((ms) => begun + ms);
    const evidence = `two complete look-ups by tag, at ${first} and ${second} (epoch ms), found no group`;
    pod.thenOnly({
      events: [{ type: 'ContainerGroupGone', data: { attempt: 1, evidence }, cause }],
      rows: { 'Place next': {} },
      calls: [LIST, 'list fleet'],
    });
    expect(pod.eci.calls).toEqual(Array.from({ length: 3 }, () => [LIST, 'list fleet']).flat());
  });

  it('takes its Create row away first, so that no further call goes out', async () => {
    const pod = await given(...doubtful);
    expect(pod.rows()).toHaveProperty(['Create 1']);
    pod.eci.answers('list', listed(), listed());
    await pod.when();
    pod.thenOnly({
      rows: { 'LookUp 1': { afterMs: 10_000, data: { closingMs: 10_000 } } },
      calls: [LIST, 'list fleet'],
    });
  });

  it('waits without a call and without a token while its last call may be on its way', async () => {
    const pod = await given(...doubtful);
    await pod.put('LookUp', '1', { closingMs: 50_000 });
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': {}, 'LookUp 1': { afterMs: 10_000, data: { closingMs: 60_000 } } } });
    expect(pod.lane.taken).toBe(0);
  });

  it('needs no such pause when its calls have ended', async () => {
    const pod = await given(...doubtful);
    await pod.put('LookUp', '1', { callsEnded: true });
    const firstAt = pod.clock.now();
    pod.eci.answers('list', listed(), listed());
    await pod.when();
    const data = { callsEnded: true, firstAt, absentMs: 10_000 };
    pod.thenOnly({ rows: { 'Create 1': {}, 'LookUp 1': { afterMs: 10_000, data } }, calls: [LIST, 'list fleet'] });
  });

  it('of a pod that ran before anybody knew of it: nobody can say how it ended', async () => {
    const pod = await given(runPod({ podPhase: 'Running' }));
    const firstAt = pod.clock.now();
    await until(pod, 'LookUp 0');
    const evidence = `two complete look-ups by tag, at ${firstAt} and ${firstAt + 70_000} (epoch ms), found no group`;
    const [reason, message] = ['OutcomeUnknown', `The end of the container group was not seen: ${evidence}.`];
    pod.thenOnly({
      events: [
        { type: 'ContainerGroupFailed', data: { reason, message }, cause: 'effect:LookUp/0' },
        { type: 'ContainerGroupGone', data: { attempt: 0, evidence }, cause: 'effect:LookUp/0' },
      ],
      calls: ['list pod u1', 'list fleet'],
    });
  });
});

describe('a list that proves nothing', () => {
  it.each(Object.entries(FAILED_READS))('because it is %s is asked for again', async (name, answer) => {
    const pod = await given(...doubtful);
    pod.eci.answers('list', answer);
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': CREATE, 'LookUp 1': { afterMs: 1_500 } }, calls: [LIST] });
    expect(pod.lane.factor).toBe(name === 'throttled' ? 0.85 : 1);
  });

  it.each([
    ['others should be there, and the fleet shows none', listed()],
    ['the fleet is not shown', FAILED_READS.unknown],
  ])('because %s takes nothing away and keeps what was proven', async (_, fleet) => {
    const pod = await given(...doubtful);
    const stream = streamIdOf('k1', 'u2');
    for (const command of [wanted, chosen, created]) await pod.sayOf(stream, command);
    pod.known.set(GROUP, stream);
    await pod.put('LookUp', '1', { callsEnded: true, firstAt: 5, absentMs: 70_000 });
    pod.eci.answers('list', listed(), fleet);
    await pod.when();
    const data = { callsEnded: true, firstAt: 5, absentMs: 70_000 };
    pod.thenOnly({ rows: { 'Create 1': {}, 'LookUp 1': { afterMs: 1_500, data } }, calls: [LIST, 'list fleet'] });
  });

  it.each([
    ['throws', undefined],
    ['cannot be asked for with this account', new Error('the account was taken away')],
  ])('because it %s is given back', async (_, trouble) => {
    const pod = await given(...doubtful);
    pod.eci.trouble = trouble;
    pod.eci.answers('list', new Error('out of order'));
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': CREATE, 'LookUp 1': { afterMs: 750 } }, calls: trouble ? [] : [LIST] });
    expect(pod.aside).toBe(1);
  });
});

describe('a claim that is lost', () => {
  it('while it is listed: whoever has it finds the group', async () => {
    const pod = await given(...doubtful);
    pod.eci.answers('list', () => pod.steal().then(() => listed(group(GROUP))));
    await pod.when();
    pod.thenOnly({
      rows: { 'Create 1': { afterMs: -120_001 }, 'LookUp 1': { afterMs: 60_000, held: true } },
      calls: [LIST],
    });
  });

  it('before its absence is written: it is not', async () => {
    const pod = await given(...doubtful);
    await pod.put('LookUp', '1', { callsEnded: true, firstAt: 5, absentMs: 70_000 });
    pod.before('append', () => pod.steal());
    pod.eci.answers('list', listed(), listed());
    await pod.when();
    const data = { callsEnded: true, firstAt: 5, absentMs: 70_000 };
    pod.thenOnly({
      rows: { 'Create 1': { afterMs: -60_001 }, 'LookUp 1': { afterMs: 60_000, held: true, data } },
      calls: [LIST, 'list fleet'],
    });
  });
});

describe('a stream that others write to', () => {
  it('has the group all the same; one that was stopped meanwhile deletes it', async () => {
    const pod = await given(...doubtful);
    pod.eci.answers('list', () => pod.say(stopped).then(() => listed(group(GROUP))));
    await pod.when();
    pod.thenOnly({ events: [adopted, SEEN], rows: { [`Delete ${GROUP}`]: {} }, calls: [LIST] });
  });

  it('without end: the work is given back', async () => {
    const pod = await given(...doubtful);
    pod.before('append', ...Array.from({ length: 10 }, (_, i) => () => pod.say(edited(i + 2))));
    pod.eci.answers('list', listed(group(GROUP)));
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': CREATE, 'LookUp 1': { afterMs: 750 } }, calls: [LIST] });
  });

  it.each<[string, ContainerGroupCommand]>([
    ['found', found],
    ['created', created],
  ])('and have settled the attempt as %s: the work ends without a call', async (_, command) => {
    const pod = await given(...doubtful, command);
    await pod.put('LookUp', '1');
    await pod.when();
    pod.thenOnly({});
  });
});
