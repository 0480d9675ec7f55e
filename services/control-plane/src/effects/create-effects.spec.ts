import type { RefusalClass } from '#libs/domain';
import { describe, expect, it } from 'vitest';
import { placement } from '../../../../libs/domain/spec/samples.ts';
import { FROZEN, podsOf, type OnePod } from '../../spec/effects/one-pod.ts';
import { chosen, created, edited, found, GROUP, inDoubt, refusedBy, stopped, wanted } from '../../spec/effects/told.ts';
import { CreateEffects } from './create-effects.ts';

const given = podsOf((parts, tools) => new CreateEffects(parts, tools));

const SENT = ['create token-1'];
const done = { kind: 'done', containerGroupId: GROUP, requestId: 'r' } as const;
const unknown = { kind: 'unknown', reason: 'no answer within the timeout' } as const;
const ofCreate = { cause: 'effect:Create/1' } as const;
const groupCreated = {
  type: 'ContainerGroupCreated',
  data: { attempt: 1, containerGroupId: GROUP, requestId: 'r' },
  cause: 'eci:r',
} as const;
const adopted = { type: 'Adopted', data: { attempt: 1, containerGroupId: GROUP }, cause: 'eci:r' } as const;
const refused = (refusalClass: RefusalClass) => ({
  type: 'CreateRefused' as const,
  data: { attempt: 1, code: `Code.${refusalClass}`, class: refusalClass, message: 'why' },
  ...ofCreate,
});
const outcomeUnknown = (reason: string) => ({
  type: 'CreateOutcomeUnknown' as const,
  data: { attempt: 1, reason },
  ...ofCreate,
});
const CALLS_ENDED = { afterMs: 1_000, data: { callsEnded: true } };
const BY_ANOTHER = { afterMs: 20_000, held: true };

/** A call that may have gone out: its claim was confirmed, and nobody heard of it again. */
async function sentByOneWhoDied(pod: OnePod): Promise<void> {
  pod.eci.answers('create', () => pod.steal().then(() => Promise.reject(new Error('died'))));
  await pod.when();
  pod.thenOnly({ rows: { 'Create 1': { ...BY_ANOTHER, mayHaveBeenSent: true } }, calls: SENT });
}

describe('a create that is due', () => {
  it('makes the group', async () => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', done);
    await pod.when();
    pod.thenOnly({ events: [groupCreated], calls: SENT });
    expect(pod.eci.sent).toEqual([FROZEN]);
    expect(pod.lane.taken).toBe(1);
  });

  it.each(['STOCK_OUT', 'VSWITCH_IP_EXHAUSTED'] as const)(
    'that is refused as %s is followed by another placement',
    async (refusalClass) => {
      const pod = await given(wanted, chosen);
      pod.eci.answers('create', refusedBy(refusalClass));
      await pod.when();
      pod.thenOnly({ events: [refused(refusalClass)], rows: { 'Place next': {} }, calls: SENT });
      const told = refusalClass === 'STOCK_OUT' ? ['capacity/acc/cn-hangzhou/2-4Gi/on-demand refused'] : [];
      expect(pod.told).toEqual(told);
    },
  );

  it.each(['QUOTA', 'AUTH'] as const)(
    'that is refused as %s parks the pod behind the gate of its account',
    async (refusalClass) => {
      const pod = await given(wanted, chosen);
      pod.eci.answers('create', refusedBy(refusalClass));
      await pod.when();
      const gate = { kind: 'account', accountId: 'acc', class: refusalClass };
      const parked = {
        type: 'Parked',
        data: { gate, reason: `Code.${refusalClass}`, message: 'why' },
        ...ofCreate,
      } as const;
      pod.thenOnly({ events: [refused(refusalClass), parked], calls: SENT });
      expect(pod.gate).toBe(`account/acc/${refusalClass}`);
      expect(pod.told).toEqual([`account/acc/${refusalClass} refused`]);
    },
  );

  it.each(['NOT_FOUND', 'INVALID_REQUEST'] as const)('that is refused as %s rejects the pod', async (refusalClass) => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', refusedBy(refusalClass));
    await pod.when();
    const code = `Code.${refusalClass}`;
    const rejected = {
      type: 'PodRejected',
      data: { field: 'request', reason: `ECI refused it with ${code}: why`, code },
      ...ofCreate,
    } as const;
    pod.thenOnly({ events: [refused(refusalClass), rejected], calls: SENT });
    expect(pod.told).toEqual([]);
  });

  it('whose account has no key that can be read is refused like one whose key is wrong', async () => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', { kind: 'retry', reason: 'no credential', noCredential: true });
    await pod.when();
    const [code, message] = ['CredentialUnavailable', 'no credential'];
    const gate = { kind: 'account', accountId: 'acc', class: 'AUTH' };
    pod.thenOnly({
      events: [
        { type: 'CreateRefused', data: { attempt: 1, code, class: 'AUTH', message }, ...ofCreate },
        { type: 'Parked', data: { gate, reason: code, message }, ...ofCreate },
      ],
      calls: SENT,
    });
  });

  it.each([
    ['unknown', unknown, unknown.reason],
    ['thrown', new Error('out of order'), 'out of order'],
  ])('whose outcome is %s is repeated soon, and looked up later', async (_, answer, reason) => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', answer);
    await pod.when();
    pod.thenOnly({
      events: [outcomeUnknown(reason)],
      rows: { 'Create 1': { afterMs: 750, mayHaveBeenSent: true }, 'LookUp 1': { afterMs: 60_000 } },
      calls: SENT,
    });
  });

  it('that did not reach the cloud is sent again as if it had never been sent, and costs no token', async () => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', { kind: 'retry', reason: 'no answer: ECONNREFUSED' });
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': { afterMs: 375 } }, calls: SENT });
    expect(pod.lane).toEqual({ taken: 0, factor: 1 });
  });

  it('that is throttled is sent again, and slows its lane down', async () => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', { kind: 'retry', reason: 'Throttling.User', throttled: true });
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': { afterMs: 750 } }, calls: SENT });
    expect(pod.lane.factor).toBe(0.85);
  });

  it('whose secrets are gone is set aside, for nothing can be sent', async () => {
    const pod = await given(wanted, chosen);
    await pod.forgetSecrets();
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': { afterMs: 750 } } });
    expect(pod.aside).toBe(1);
  });

  it('whose account cannot be used when it is sent is given back', async () => {
    const pod = await given(wanted, chosen);
    pod.eci.trouble = new Error('the account was taken away');
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': { afterMs: 750, mayHaveBeenSent: true } } });
  });
});

describe('a repeat after an unknown outcome', () => {
  const repeated = async (): Promise<OnePod> => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', unknown);
    await pod.when();
    return pod;
  };
  const LOOK_UP = { afterMs: 59_250 };

  it('sends the same bytes under the same token', async () => {
    const pod = await repeated();
    pod.eci.answers('create', done);
    await pod.when();
    pod.thenOnly({ events: [groupCreated], calls: SENT });
    expect(pod.eci.sent).toEqual([FROZEN, FROZEN]);
  });

  it('proves nothing when it is refused: the repeats end, and a look-up settles the attempt', async () => {
    const pod = await repeated();
    pod.eci.answers('create', refusedBy('INVALID_REQUEST'));
    await pod.when();
    pod.thenOnly({ rows: { 'LookUp 1': CALLS_ENDED }, calls: SENT });
  });

  it('that is unknown as well says nothing new, and is repeated ever later', async () => {
    const pod = await repeated();
    pod.eci.answers('create', unknown);
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': { afterMs: 1_500, mayHaveBeenSent: true }, 'LookUp 1': LOOK_UP }, calls: SENT });
  });

  it('that was not sent may have been sent all the same: the call before was', async () => {
    const pod = await repeated();
    pod.eci.answers('create', { kind: 'retry', reason: 'no answer: ECONNREFUSED' });
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': { afterMs: 750, mayHaveBeenSent: true }, 'LookUp 1': LOOK_UP }, calls: SENT });
  });

  it('is not sent once the cloud may have forgotten the token', async () => {
    const pod = await repeated();
    await pod.clock.advance(30 * 60_000);
    await pod.when();
    pod.thenOnly({ rows: { 'LookUp 1': CALLS_ENDED } });
  });

  it('is not sent without the secrets: a look-up settles the attempt', async () => {
    const pod = await repeated();
    await pod.forgetSecrets();
    await pod.when();
    pod.thenOnly({ rows: { 'LookUp 1': CALLS_ENDED } });
  });
});

describe('a create that somebody sent who died', () => {
  const reason = 'an earlier call may have been sent, and its outcome was not recorded';

  it('is sent once more, when it was said that its outcome is unknown', async () => {
    const pod = await given(wanted, chosen);
    await sentByOneWhoDied(pod);
    pod.eci.answers('create', done);
    await pod.when();
    pod.thenOnly({ events: [outcomeUnknown(reason), groupCreated], calls: SENT });
  });

  it('is looked up when the repeat is refused', async () => {
    const pod = await given(wanted, chosen);
    await sentByOneWhoDied(pod);
    pod.eci.answers('create', refusedBy('STOCK_OUT'));
    await pod.when();
    pod.thenOnly({ events: [outcomeUnknown(reason)], rows: { 'LookUp 1': CALLS_ENDED }, calls: SENT });
  });

  it('is not sent again when the claim is lost before that is written', async () => {
    const pod = await given(wanted, chosen);
    await sentByOneWhoDied(pod);
    pod.before('append', () => pod.steal());
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': { ...BY_ANOTHER, mayHaveBeenSent: true } } });
  });

  it('is not sent again when the pod was stopped meanwhile', async () => {
    const pod = await given(wanted, chosen);
    await sentByOneWhoDied(pod);
    pod.before('append', () => pod.say(stopped));
    await pod.when();
    pod.thenOnly({ events: [outcomeUnknown(reason)], rows: { 'LookUp 1': {} } });
  });
});

describe('a claim that is lost', () => {
  it('before the call is made: nothing is sent', async () => {
    const pod = await given(wanted, chosen);
    await pod.when(() => pod.steal());
    pod.thenOnly({ rows: { 'Create 1': BY_ANOTHER } });
  });

  it('while the call is made that makes the group: its answer is taken as evidence', async () => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', () => pod.steal().then(() => done));
    await pod.when();
    pod.thenOnly({ events: [adopted], rows: { 'Create 1': { ...BY_ANOTHER, mayHaveBeenSent: true } }, calls: SENT });
  });

  it.each([
    ['refused', refusedBy('STOCK_OUT')],
    ['unknown', unknown],
    ['not sent', { kind: 'retry', reason: 'no answer: ECONNREFUSED' } as const],
  ])('while the call is made that is %s: whoever has it finds out', async (_, answer) => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', () => pod.steal().then(() => answer));
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': { ...BY_ANOTHER, mayHaveBeenSent: true } }, calls: SENT });
  });
});

describe('a pod that is stopped', () => {
  it('before the call is made: it is said that it never was', async () => {
    const pod = await given(wanted, chosen);
    await pod.when(() => pod.say(stopped));
    const evidence = 'the create request was never sent';
    pod.thenOnly({ events: [{ type: 'ContainerGroupGone', data: { attempt: 1, evidence }, ...ofCreate }] });
  });

  it('after a call that may have been sent: no further one is, and a look-up settles the attempt', async () => {
    const pod = await given(wanted, chosen);
    await sentByOneWhoDied(pod);
    await pod.when(() => pod.say(stopped));
    pod.thenOnly({ rows: { 'LookUp 1': CALLS_ENDED } });
  });

  it.each([
    ['done: the group is deleted', done, [groupCreated], { [`Delete ${GROUP}`]: {} }],
    ['refused: there is nothing to delete', refusedBy('STOCK_OUT'), [refused('STOCK_OUT')], {}],
    ['unknown: a look-up settles it', unknown, [outcomeUnknown(unknown.reason)], { 'LookUp 1': CALLS_ENDED }],
  ])('while the call is made that is %s', async (_, answer, events, rows) => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', () => pod.say(stopped).then(() => answer));
    await pod.when();
    pod.thenOnly({ events, rows, calls: SENT });
  });

  it('while the call is made that is not sent: it is not sent again', async () => {
    const pod = await given(wanted, chosen);
    pod.eci.answers('create', () => pod.say(stopped).then(() => ({ kind: 'retry', reason: 'x' }) as const));
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': { afterMs: 375 }, 'LookUp 1': { afterMs: 90_000 } }, calls: SENT });
    await pod.when();
    const evidence = 'the create request was never sent';
    pod.thenOnly({ events: [{ type: 'ContainerGroupGone', data: { attempt: 1, evidence }, ...ofCreate }] });
  });
});

describe('a stream that others write to', () => {
  it('has the outcome all the same, of one call', async () => {
    const pod = await given(wanted, chosen);
    pod.before(
      'append',
      () => pod.say(edited(2)),
      () => pod.say(edited(3)),
    );
    pod.eci.answers('create', done);
    await pod.when();
    pod.thenOnly({ events: [groupCreated], calls: SENT });
  });

  it('without end: the create is given back as one that may have been sent', async () => {
    const pod = await given(wanted, chosen);
    pod.before('append', ...Array.from({ length: 10 }, (_, i) => () => pod.say(edited(i + 2))));
    pod.eci.answers('create', done);
    await pod.when();
    pod.thenOnly({ rows: { 'Create 1': { afterMs: 750, mayHaveBeenSent: true } }, calls: SENT });
    expect(pod.aside).toBe(1);
  });

  it.each([
    ['found', [found]],
    ['created', [{ ...created }]],
  ])('and have settled the attempt as %s: the work ends without a call', async (_, commands) => {
    const pod = await given(wanted, chosen, inDoubt);
    await pod.put('Create', '1');
    await pod.when(() => pod.say(...commands));
    pod.thenOnly({});
  });

  it('and have chosen another attempt: the work of the one before ends, and the other goes on', async () => {
    const outcome = refusedBy('STOCK_OUT');
    const second = { type: 'ChoosePlacement', choice: placement(2) } as const;
    const pod = await given(wanted, chosen, { type: 'RecordCreate', attempt: 1, outcome }, second);
    await pod.put('Create', '1');
    pod.eci.answers('create', done);
    await pod.when();
    const made = { attempt: 2, containerGroupId: GROUP, requestId: 'r' };
    pod.thenOnly({ events: [{ type: 'ContainerGroupCreated', data: made, cause: 'eci:r' }], calls: SENT });
  });
});
