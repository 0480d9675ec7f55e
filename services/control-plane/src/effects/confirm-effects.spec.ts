import { streamIdOf } from '#libs/domain';
import { describe, expect, it } from 'vitest';
import { podsOf } from '../../spec/effects/one-pod.ts';
import { described, FAILED_READS, group, listed } from '../../spec/effects/scripted-eci.ts';
import {
  chosen,
  containersChanged,
  created,
  deleted,
  edited,
  gone,
  GROUP,
  seen,
  stopped,
  wanted,
} from '../../spec/effects/told.ts';
import { ConfirmEffects } from './confirm-effects.ts';

const given = podsOf((parts, tools) => new ConfirmEffects(parts, tools));

const cause = `effect:Confirm/${GROUP}`;
const ROW = `Confirm ${GROUP}`;
const LOOK = `describe ${GROUP}`;
const other = group('eci-other', 'Running', { podUid: 'u2' });
const shownAndDeleted = [wanted, chosen, created, seen('Running'), stopped, deleted];
const neverShown = [wanted, chosen, created, stopped, deleted];
const groupGone = (evidence: string) => ({
  type: 'ContainerGroupGone' as const,
  data: { containerGroupId: GROUP, evidence },
  cause,
});
const WITNESSED = groupGone('after our delete a read by id returned another group, but not this one');
const SECOND_DELETE = groupGone('the cloud answered NotFound to a second delete');

describe('a deleted group that is still there', () => {
  it('is observed, and looked at again: soon at first, seldom later', async () => {
    const pod = await given(...shownAndDeleted);
    pod.eci.answers('describe', described(group(GROUP, 'Terminating')));
    await pod.when();
    pod.thenOnly({
      events: [{ ...containersChanged('Terminating'), cause }],
      rows: { [ROW]: { afterMs: 1_000, data: { presentMs: 1_000 } } },
      calls: [LOOK],
    });
    for (const [presentMs, afterMs] of [
      [15_000, 3_000],
      [120_000, 30_000],
    ] as const) {
      await pod.put('Confirm', GROUP, { presentMs });
      pod.eci.answers('describe', described(group(GROUP, 'Terminating')));
      await pod.when();
      pod.thenOnly({ rows: { [ROW]: { afterMs, data: { presentMs: presentMs + afterMs } } }, calls: [LOOK] });
    }
  });

  it.each([
    ['Running', { [`Delete ${GROUP}`]: {} }],
    ['Terminating', {}],
  ] as const)('after two minutes and %s is deleted again unless it is on its way out', async (status, rows) => {
    const pod = await given(...shownAndDeleted, seen(status));
    await pod.put('Confirm', GROUP, { presentMs: 121_000, missedMs: 5_000 });
    pod.eci.answers('describe', described(group(GROUP, status)));
    await pod.when();
    pod.thenOnly({ rows: { [ROW]: { afterMs: 30_000, data: { presentMs: 151_000 } }, ...rows }, calls: [LOOK] });
  });

  it('is proven gone when it is a twin that ended by itself', async () => {
    const pod = await given(wanted, chosen, created, seen(), {
      type: 'RecordTwin',
      containerGroupId: 'eci-twin',
      status: 'Running',
    });
    await pod.put('Confirm', 'eci-twin');
    pod.eci.answers('describe', described(group('eci-twin', 'Succeeded')));
    await pod.when();
    const data = { containerGroupId: 'eci-twin', evidence: 'it ended by itself: Succeeded' };
    pod.thenOnly({
      events: [{ type: 'ContainerGroupGone', data, cause: 'effect:Confirm/eci-twin' }],
      calls: ['describe eci-twin'],
    });
  });
});

describe('a deleted group that a read does not return', () => {
  const WITNESSES = [LOOK, 'list fleet', `${LOOK} eci-other`];

  it('is gone when the read returned another, and it was shown before', async () => {
    const pod = await given(...shownAndDeleted);
    pod.eci.answers('describe', described(), described(other));
    pod.eci.answers('list', listed(other));
    await pod.when();
    pod.thenOnly({ events: [WITNESSED], calls: WITNESSES });
  });

  it('is not yet gone when it was never shown: it is deleted once more, and gone after a minute', async () => {
    const pod = await given(...neverShown);
    pod.eci.answers('describe', described(), described(other));
    pod.eci.answers('list', listed(other));
    pod.eci.answers('delete', { kind: 'done', requestId: 'r' });
    await pod.when();
    const data = { deleteTriedMs: 0, missedMs: 2_000 };
    pod.thenOnly({ rows: { [ROW]: { afterMs: 2_000, data } }, calls: [...WITNESSES, `delete ${GROUP}`] });

    await pod.put('Confirm', GROUP, { missedMs: 60_000 });
    pod.eci.answers('describe', described(other));
    await pod.when();
    pod.thenOnly({ events: [WITNESSED], calls: [`${LOOK} eci-other`] });
  });

  it('is gone when a second delete is answered with NotFound', async () => {
    const pod = await given(...shownAndDeleted);
    pod.eci.answers('describe', described());
    pod.eci.answers('list', listed());
    pod.eci.answers('delete', { kind: 'not-found' });
    await pod.when();
    pod.thenOnly({ events: [SECOND_DELETE], calls: [LOOK, 'list fleet', `delete ${GROUP}`] });
  });

  it('where nothing else is there, is gone ten seconds after a second delete was accepted', async () => {
    const pod = await given(...shownAndDeleted);
    pod.eci.answers('delete', { kind: 'done', requestId: 'r' });
    for (const missedMs of [5_000, 10_000]) {
      pod.eci.answers('describe', described());
      pod.eci.answers('list', listed());
      await pod.when();
      const data = { deleteTriedMs: 0, deletedAgainMs: 0, missedMs };
      const again = missedMs === 5_000 ? [`delete ${GROUP}`] : [];
      pod.thenOnly({ rows: { [ROW]: { afterMs: 5_000, data } }, calls: [LOOK, 'list fleet', ...again] });
    }
    pod.eci.answers('describe', described());
    pod.eci.answers('list', listed());
    await pod.when();
    pod.thenOnly({
      events: [groupGone('after our delete reads by id did not return it for 10 s, and no other group is there')],
      calls: [LOOK, 'list fleet'],
    });
  });

  it.each([
    ['refused', { kind: 'refused', code: 'Forbidden.RAM', message: 'no' } as const],
    ['not possible now', { kind: 'conflict', code: 'IncorrectStatus' } as const],
    ['throttled', { kind: 'throttled' } as const],
    ['unknown', { kind: 'unknown', reason: 'x' } as const],
  ])('is waited for when the second delete is %s', async (_, answer) => {
    const pod = await given(...shownAndDeleted);
    pod.eci.answers('describe', described());
    pod.eci.answers('list', listed());
    pod.eci.answers('delete', answer);
    await pod.when();
    const data = { deleteTriedMs: 0, missedMs: 5_000 };
    pod.thenOnly({
      rows: { [ROW]: { afterMs: 5_000, data } },
      calls: [LOOK, 'list fleet', `delete ${GROUP}`],
    });
  });

  it.each([
    [0, 5_000],
    [60_000, 30_000],
  ])(
    'is not gone, however often it was missed (%i ms), where others should be and none is shown',
    async (missedMs, afterMs) => {
      const pod = await given(...shownAndDeleted);
      const stream = streamIdOf('k1', 'u2');
      for (const command of [wanted, chosen, created]) await pod.sayOf(stream, command);
      pod.known.set(GROUP, stream);
      await pod.put('Confirm', GROUP, { missedMs, deleteTriedMs: 0, deletedAgainMs: 0 });
      pod.eci.answers('describe', described());
      pod.eci.answers('list', listed());
      await pod.when();
      const data = { missedMs: missedMs + afterMs, deleteTriedMs: 0, deletedAgainMs: 0 };
      pod.thenOnly({ rows: { [ROW]: { afterMs, data } }, calls: [LOOK, 'list fleet'] });
    },
  );
});

describe('a read that brings nothing', () => {
  it.each(Object.entries(FAILED_READS))('because it is %s is tried again', async (name, answer) => {
    const pod = await given(...shownAndDeleted);
    pod.eci.answers('describe', answer);
    await pod.when();
    pod.thenOnly({ rows: { [ROW]: { afterMs: 750 } }, calls: [LOOK] });
    expect(pod.lane.factor).toBe(name === 'throttled' ? 0.85 : 1);
  });

  it.each([
    ['throws', (): Error | undefined => undefined],
    ['cannot be made with this account', () => new Error('the account was taken away')],
  ])('because it %s is given back', async (_, trouble) => {
    const pod = await given(...shownAndDeleted);
    pod.eci.trouble = trouble();
    pod.eci.answers('describe', new Error('out of order'));
    await pod.when();
    pod.thenOnly({ rows: { [ROW]: { afterMs: 750 } }, calls: pod.eci.trouble ? [] : [LOOK] });
    expect(pod.aside).toBe(1);
  });
});

describe('a claim that is lost', () => {
  it('while it is read: whoever has it proves it', async () => {
    const pod = await given(...shownAndDeleted);
    pod.eci.answers('describe', () => pod.steal().then(() => described()));
    pod.eci.answers('list', listed());
    pod.eci.answers('delete', { kind: 'not-found' });
    await pod.when();
    pod.thenOnly({
      rows: { [ROW]: { afterMs: 60_000, held: true } },
      calls: [LOOK, 'list fleet', `delete ${GROUP}`],
    });
  });

  it('before a pause is written: it is not', async () => {
    const pod = await given(...shownAndDeleted);
    pod.eci.answers('describe', () => pod.steal().then(() => described(group(GROUP, 'Running'))));
    await pod.when();
    pod.thenOnly({ rows: { [ROW]: { afterMs: 60_000, held: true } }, calls: [LOOK] });
  });
});

describe('a stream that others write to', () => {
  it('has the proof all the same', async () => {
    const pod = await given(...shownAndDeleted);
    pod.eci.answers('describe', () => pod.say(seen('Terminating')).then(() => described()));
    pod.eci.answers('list', listed());
    pod.eci.answers('delete', { kind: 'not-found' });
    await pod.when();
    pod.thenOnly({ events: [SECOND_DELETE], calls: [LOOK, 'list fleet', `delete ${GROUP}`] });
  });

  it('without end: the work is given back', async () => {
    const pod = await given(wanted, chosen, created, seen());
    await pod.say({ type: 'RecordTwin', containerGroupId: 'eci-twin', status: 'Running' });
    await pod.put('Confirm', 'eci-twin');
    pod.before('append', ...Array.from({ length: 10 }, (_, i) => () => pod.say(edited(i + 2))));
    pod.eci.answers('describe', described(group('eci-twin', 'Succeeded')));
    await pod.when();
    expect(pod.rows()['Confirm eci-twin']).toMatchObject({ afterMs: 750, mayHaveBeenSent: false });
    expect(pod.aside).toBe(1);
  });

  it('and have proven it already: the work ends without a call', async () => {
    const pod = await given(...shownAndDeleted, gone);
    await pod.put('Confirm', GROUP);
    await pod.when();
    pod.thenOnly({});
  });
});
