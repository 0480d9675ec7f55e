import { describe, expect, it } from 'vitest';
import { podsOf, type OnePod } from '../../spec/effects/one-pod.ts';
import { described, FAILED_READS, group } from '../../spec/effects/scripted-eci.ts';
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
import { DeleteEffects } from './delete-effects.ts';

const given = podsOf((parts, tools) => new DeleteEffects(parts, tools));

const running = [wanted, chosen, created, seen('Running')];
const done = { kind: 'done', requestId: 'r' } as const;
const ROW = `Delete ${GROUP}`;
const SENT = [`delete ${GROUP}`];
const LOOK = [`describe ${GROUP}`];
const deleteAccepted = {
  type: 'DeleteAccepted',
  data: { containerGroupId: GROUP, requestId: 'r' },
  cause: 'eci:r',
} as const;
const groupGone = {
  type: 'ContainerGroupGone',
  data: { containerGroupId: GROUP, evidence: 'the cloud knows no such group: it answered NotFound to our delete' },
  cause: `effect:Delete/${GROUP}`,
} as const;
const accepted = { events: [deleteAccepted], rows: { [`Confirm ${GROUP}`]: { afterMs: 1_000 } }, calls: SENT };

describe('the delete of a group that a read has shown', () => {
  it('is accepted, and is to be confirmed', async () => {
    const pod = await given(...running, stopped);
    pod.eci.answers('delete', done);
    await pod.when();
    pod.thenOnly(accepted);
    expect(pod.lane).toEqual({ taken: 1, factor: 1 });
  });

  it('is forced when that was asked for', async () => {
    const pod = await given(...running, stopped);
    await pod.put('Delete', GROUP, { force: true });
    pod.eci.answers('delete', done);
    await pod.when();
    pod.thenOnly({ ...accepted, calls: [`delete ${GROUP} by force`] });
  });

  it('proves that it is gone when the cloud knows no such group', async () => {
    const pod = await given(...running, stopped);
    pod.eci.answers('delete', { kind: 'not-found' });
    await pod.when();
    pod.thenOnly({ events: [groupGone], calls: SENT });
  });

  it.each([
    ['not possible now', { kind: 'conflict', code: 'IncorrectStatus' } as const, 1_500, 1],
    ['throttled', { kind: 'throttled' } as const, 750, 0.85],
    ['refused', { kind: 'refused', code: 'Forbidden.RAM', message: 'no' } as const, 3_750, 1],
  ])('is tried again when it is %s: nothing was done', async (_, answer, afterMs, factor) => {
    const pod = await given(...running, stopped);
    pod.eci.answers('delete', answer);
    await pod.when();
    pod.thenOnly({ rows: { [ROW]: { afterMs } }, calls: SENT });
    expect(pod.lane.factor).toBe(factor);
  });

  it.each([
    ['unknown', { kind: 'unknown', reason: 'no answer within the timeout' } as const],
    ['thrown', new Error('out of order')],
  ])('is tried again when its outcome is %s: it may have been done', async (_, answer) => {
    const pod = await given(...running, stopped);
    pod.eci.answers('delete', answer);
    await pod.when();
    pod.thenOnly({ rows: { [ROW]: { afterMs: 750, mayHaveBeenSent: true } }, calls: SENT });
    pod.eci.answers('delete', { kind: 'not-found' });
    await pod.when();
    pod.thenOnly({ events: [groupGone], calls: SENT });
  });

  it('is given back when its account cannot be used', async () => {
    const pod = await given(...running, stopped);
    pod.eci.trouble = new Error('the account was taken away');
    await pod.when();
    pod.thenOnly({ rows: { [ROW]: { afterMs: 750, mayHaveBeenSent: true } } });
    expect(pod.aside).toBe(1);
  });

  it('ends without a call when the group is gone already', async () => {
    const pod = await given(...running, stopped, deleted, gone);
    await pod.put('Delete', GROUP);
    await pod.when();
    pod.thenOnly({});
  });
});

describe('a group that no read has shown', () => {
  const unseen = (): Promise<OnePod> => given(wanted, chosen, created, stopped);

  it('is looked at first: what is shown is said, and then it is deleted', async () => {
    const pod = await unseen();
    pod.eci.answers('describe', described(group(GROUP, 'Pending')));
    pod.eci.answers('delete', done);
    await pod.when();
    const sight = { ...containersChanged('Pending'), cause: `effect:Delete/${GROUP}` };
    pod.thenOnly({ ...accepted, events: [sight, deleteAccepted], calls: [...LOOK, ...SENT] });
  });

  it('is waited for, for five seconds; NotFound then proves nothing for a minute', async () => {
    const pod = await unseen();
    for (let unseenMs = 1_000; unseenMs <= 5_000; unseenMs += 1_000) {
      pod.eci.answers('describe', described());
      await pod.when();
      pod.thenOnly({ rows: { [ROW]: { afterMs: 1_000, data: { unseenMs } } }, calls: LOOK });
    }
    for (let notFoundMs = 3_000; notFoundMs <= 60_000; notFoundMs += 3_000) {
      pod.eci.answers('describe', described());
      pod.eci.answers('delete', { kind: 'not-found' });
      await pod.when();
      const data = { unseenMs: 5_000, notFoundMs };
      pod.thenOnly({ rows: { [ROW]: { afterMs: 3_000, data } }, calls: [...LOOK, ...SENT] });
    }
    pod.eci.answers('describe', described());
    pod.eci.answers('delete', { kind: 'not-found' });
    await pod.when();
    pod.thenOnly({ events: [groupGone], calls: [...LOOK, ...SENT] });
  });

  it.each(Object.entries(FAILED_READS))('is waited for when the look is %s', async (_, answer) => {
    const pod = await unseen();
    pod.eci.answers('describe', answer);
    await pod.when();
    pod.thenOnly({ rows: { [ROW]: { afterMs: 1_000, data: { unseenMs: 1_000 } } }, calls: LOOK });
  });

  it('is deleted without waiting when a delete may have gone out before', async () => {
    const pod = await unseen();
    pod.eci.answers('describe', described(), described(), described(), described(), described(), described());
    for (let i = 0; i < 5; i++) await pod.when();
    pod.eci.answers('delete', { kind: 'unknown', reason: 'x' });
    await pod.when();
    expect(pod.rows()[ROW]).toMatchObject({ mayHaveBeenSent: true });
    pod.eci.answers('describe', new Error('out of order'));
    pod.eci.answers('delete', done);
    await pod.when();
    pod.thenOnly({ ...accepted, calls: [...LOOK, ...SENT] });
  });
});

describe('a late twin', () => {
  it('is deleted where it was found, without a look, and the stream keeps its own group', async () => {
    const place = { accountId: 'acc', region: 'cn-hangzhou' };
    const twin = { type: 'RecordTwin', containerGroupId: 'eci-twin', status: 'Running', ...place } as const;
    const pod = await given(...running, twin);
    pod.eci.answers('delete', done);
    await pod.when();
    pod.thenOnly({
      events: [{ ...deleteAccepted, data: { containerGroupId: 'eci-twin', requestId: 'r' } }],
      rows: { 'Confirm eci-twin': { afterMs: 1_000 } },
      calls: ['delete eci-twin'],
    });
    expect((await pod.state()).group).toMatchObject({ containerGroupId: GROUP, open: true });
  });
});

describe('a claim that is lost', () => {
  it('before the call is made: nothing is sent', async () => {
    const pod = await given(...running, stopped);
    await pod.when(() => pod.steal());
    pod.thenOnly({ rows: { [ROW]: { afterMs: 20_000, held: true } } });
  });

  it.each([
    ['accepted', done],
    ['not found', { kind: 'not-found' } as const],
    ['unknown', { kind: 'unknown', reason: 'x' } as const],
  ])('while the call is made that is %s: whoever has it finds out', async (_, answer) => {
    const pod = await given(...running, stopped);
    pod.eci.answers('delete', () => pod.steal().then(() => answer));
    await pod.when();
    pod.thenOnly({ rows: { [ROW]: { afterMs: 20_000, held: true, mayHaveBeenSent: true } }, calls: SENT });
  });
});

describe('a stream that others write to', () => {
  it('has the outcome all the same, of one call', async () => {
    const pod = await given(...running, stopped);
    pod.eci.answers('delete', () => pod.say(seen('Terminating')).then(() => done));
    await pod.when();
    pod.thenOnly(accepted);
  });

  it('without end: the delete is given back as one that may have been sent', async () => {
    const pod = await given(...running, { type: 'RecordTwin', containerGroupId: 'eci-twin', status: 'Running' });
    pod.before('append', ...Array.from({ length: 10 }, (_, i) => () => pod.say(edited(i + 2))));
    pod.eci.answers('delete', done);
    await pod.when();
    pod.thenOnly({ rows: { 'Delete eci-twin': { afterMs: 750, mayHaveBeenSent: true } }, calls: ['delete eci-twin'] });
  });
});
