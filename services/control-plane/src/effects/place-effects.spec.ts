import { streamIdOf } from '#libs/domain';
import { CloudAccountUnusable } from '#libs/eci';
import { describe, expect, it } from 'vitest';
import { need, runPod } from '../../../../libs/domain/spec/samples.ts';
import { nginxContainer } from '../../../../libs/kubernetes/spec/pod-samples.ts';
import { podsOf, sampleIntent, STREAM } from '../../spec/effects/one-pod.ts';
import { chosen, created, edited, GROUP, refusedBy, seen, stopped, wanted } from '../../spec/effects/told.ts';
import { clientTokenOf } from './client-token.ts';
import { PlaceEffects } from './place-effects.ts';

const given = podsOf((parts, tools) => new PlaceEffects(parts, tools));

const cause = 'effect:Place/next';
const tokenOf = (attempt: number): string => clientTokenOf('f', STREAM, attempt);
const done = { kind: 'done', containerGroupId: GROUP, requestId: 'r' } as const;
const placed = (attempt = 1, over: object = {}) => ({
  type: 'PlacementChosen' as const,
  data: {
    attempt,
    clientToken: tokenOf(attempt),
    accountId: 'acc',
    region: 'cn-hangzhou',
    candidates: [
      { vSwitchId: 'vsw-1', reason: "place 1 of 2 in the profile's order" },
      { vSwitchId: 'vsw-2', reason: "place 2 of 2 in the profile's order" },
    ],
    specs: ['2-4Gi'],
    chargeType: 'on-demand',
    policyVersion: 'ordered-list/1',
    why: ['2-4Gi (on-demand) on 2 vSwitches in one request'],
    seed: 2 ** 31,
    requestDigest: expect.any(String) as string,
    ...over,
  },
  cause,
});
const groupCreated = (attempt = 1) => ({
  type: 'ContainerGroupCreated' as const,
  data: { attempt, containerGroupId: GROUP, requestId: 'r' },
  cause: 'eci:r',
});
const parked = (gate: object, reason: string, message: string) => ({
  type: 'Parked' as const,
  data: { gate, reason, message },
  cause,
});
const ACCOUNT = { kind: 'account', accountId: 'acc', class: 'AUTH' } as const;
const CAPACITY = {
  kind: 'capacity',
  accountId: 'acc',
  region: 'cn-hangzhou',
  specFamily: '2-4Gi',
  chargeType: 'on-demand',
} as const;
const SENT = [`create ${tokenOf(1)}`];

describe('a pod that is to be placed', () => {
  it('is placed, and its group is made', async () => {
    const pod = await given(wanted);
    pod.eci.answers('create', done);
    await pod.when();
    pod.thenOnly({ events: [placed(), groupCreated()], calls: SENT });
    const { placement, identity } = JSON.parse(pod.eci.sent[0]!.request) as { placement: object; identity: object };
    expect(placement).toMatchObject({ vSwitchIds: ['vsw-1', 'vsw-2'], ordered: true, specs: ['2-4Gi'], spot: false });
    expect(identity).toMatchObject({ fleet: 'f', clusterId: 'k1', podUid: 'u1', attempt: 1 });
  });

  it.each([
    ['unknown', { kind: 'unknown', reason: 'x' } as const, { afterMs: 750, mayHaveBeenSent: true }],
    ['not sent', { kind: 'retry', reason: 'x' } as const, { afterMs: 375 }],
  ])('whose create is %s is placed; its Create row goes on with the same request', async (kind, answer, row) => {
    const pod = await given(wanted);
    pod.eci.answers('create', answer);
    await pod.when();
    const isUnknown = kind === 'unknown';
    const outcome = {
      type: 'CreateOutcomeUnknown',
      data: { attempt: 1, reason: 'x' },
      cause: 'effect:Create/1',
    } as const;
    pod.thenOnly({
      events: [placed(), ...(isUnknown ? [outcome] : [])],
      rows: { 'Create 1': row, ...(isUnknown && { 'LookUp 1': { afterMs: 60_000 } }) },
      calls: SENT,
    });
  });

  it('whose create is refused for want of stock is parked when nothing else may be tried', async () => {
    const pod = await given(wanted);
    pod.eci.answers('create', refusedBy('STOCK_OUT'));
    await pod.when();
    const refused = { attempt: 1, code: 'Code.STOCK_OUT', class: 'STOCK_OUT', message: 'why' };
    pod.thenOnly({
      events: [placed(), { type: 'CreateRefused', data: refused, cause: 'effect:Create/1' }],
      rows: { 'Place next': {} },
      calls: SENT,
    });
    await pod.when();
    pod.thenOnly({
      events: [parked(CAPACITY, 'STOCK_OUT', '2-4Gi (on-demand) had no stock in attempt 1: Code.STOCK_OUT')],
    });
    expect(pod.gate).toBe('capacity/acc/cn-hangzhou/2-4Gi/on-demand');
  });

  it('is placed once more, as another attempt under another token, when the attempt before was refused', async () => {
    const pod = await given(wanted, chosen, {
      type: 'RecordCreate',
      attempt: 1,
      outcome: refusedBy('VSWITCH_IP_EXHAUSTED'),
    });
    pod.eci.answers('create', done);
    await pod.when();
    const second = placed(2, {
      candidates: [{ vSwitchId: 'vsw-2', reason: "place 1 of 1 in the profile's order" }],
      why: ['without vsw-1: no free addresses', '2-4Gi (on-demand) on 1 vSwitch in one request'],
    });
    pod.thenOnly({ events: [second, groupCreated(2)], calls: [`create ${tokenOf(2)}`] });
  });

  it('and has a group already needs nothing: the work ends', async () => {
    const pod = await given(wanted, chosen, created, seen());
    await pod.put('Place', 'next');
    await pod.when();
    pod.thenOnly({});
  });
});

describe('a pod that cannot be placed', () => {
  it('because its account cannot be used is parked, and says so', async () => {
    const pod = await given(wanted);
    pod.eci.trouble = new CloudAccountUnusable('unknown-account', 'account acc is not configured');
    await pod.when();
    pod.thenOnly({ events: [parked(ACCOUNT, 'AccountUnusable', 'account acc is not configured')] });
  });

  it('because its account may not be used in the region is rejected', async () => {
    const pod = await given(wanted);
    pod.eci.trouble = new CloudAccountUnusable('region', 'acc may not be used in cn-hangzhou');
    await pod.when();
    const data = { field: 'profile.region', reason: 'acc may not be used in cn-hangzhou' };
    pod.thenOnly({ events: [{ type: 'PodRejected', data, cause }] });
  });

  it('because of a trouble of ours is given back, with its token', async () => {
    const pod = await given(wanted);
    pod.eci.trouble = new RangeError('a mistake');
    await pod.when();
    pod.thenOnly({ rows: { 'Place next': { afterMs: 750 } } });
    expect(pod.aside).toBe(1);
    expect(pod.lane.taken).toBe(0);
  });

  it('because its account is refused waits behind the gate', async () => {
    const pod = await given(wanted);
    const another = streamIdOf('k1', 'u2');
    await pod.sayOf(another, wanted);
    await pod.sayOf(another, { type: 'Park', gate: ACCOUNT, reason: 'x', message: 'x' });
    await pod.when();
    const message = 'account acc is refused by the cloud (AUTH); one pod at a time tries';
    pod.thenOnly({ events: [parked(ACCOUNT, 'GateShut', message)] });
  });

  it('because there is no stock for anybody waits behind the gate', async () => {
    const pod = await given(wanted);
    const another = streamIdOf('k1', 'u2');
    await pod.sayOf(another, wanted);
    await pod.sayOf(another, { type: 'Park', gate: CAPACITY, reason: 'x', message: 'x' });
    await pod.when();
    pod.thenOnly({ events: [parked(CAPACITY, 'GateShut', '2-4Gi (on-demand): its gate is shut')] });
  });

  it('because the cloud has nothing like it is rejected by the field', async () => {
    const pod = await given();
    await pod.sayOf(STREAM, wanted, sampleIntent({ hostNetwork: true }));
    await pod.when();
    const data = { field: 'spec.hostNetwork', reason: expect.any(String) as string };
    pod.thenOnly({ events: [{ type: 'PodRejected', data, cause }] });
  });
});

describe('a pod whose intent is too old', () => {
  const ASKED = { 'Place next': { afterMs: 30_000 }, 'Refresh intent': {} };
  const tokens = [{ path: 'token', issuedAt: '2025-12-31T22:00:00.000Z', expiresAt: '2025-12-31T23:00:00.000Z' }];

  it.each(['are expired', 'are not there'])(
    'because its tokens %s waits for its agent, which is asked once',
    async (why) => {
      const pod = await given(why === 'are expired' ? runPod({ tokens }) : wanted);
      if (why === 'are not there') await pod.forgetSecrets();
      await pod.when();
      pod.thenOnly({ rows: ASKED });
      expect(pod.lane.taken).toBe(0);
    },
  );

  it('is placed with tokens that age, but live, when its agent has not answered for two minutes', async () => {
    const ageing = [{ path: 'token', issuedAt: '2025-12-31T23:00:00.000Z', expiresAt: '2026-01-01T00:10:00.000Z' }];
    const pod = await given(runPod({ tokens: ageing }));
    for (let asked = 0; asked < 4; asked++) {
      await pod.when();
      pod.thenOnly({ rows: ASKED });
    }
    pod.eci.answers('create', done);
    await pod.when();
    pod.thenOnly({ events: [placed(), groupCreated()], calls: SENT });
  });

  it('is placed at once when its agent has answered', async () => {
    const pod = await given(runPod({ tokens }));
    await pod.when();
    await pod.say(runPod({ sequence: 2, digests: { 'env/a': 'h2' } }));
    pod.eci.answers('create', done);
    await pod.when();
    pod.thenOnly({ events: [placed(), groupCreated()], calls: SENT });
  });
});

describe('a claim that is lost', () => {
  it('before the choice is written: nothing is sent', async () => {
    const pod = await given(wanted);
    await pod.when(() => pod.steal());
    pod.thenOnly({ rows: { 'Place next': { afterMs: 20_000, held: true } } });
  });

  it('while the call is made: its answer is taken as evidence', async () => {
    const pod = await given(wanted);
    pod.eci.answers('create', async () => {
      await pod.put('Place', 'next');
      await pod.clock.advance(60_001);
      await pod.take('Create');
      return done;
    });
    await pod.when();
    pod.thenOnly({
      events: [placed(), { type: 'Adopted', data: { attempt: 1, containerGroupId: GROUP }, cause: 'eci:r' }],
      rows: {
        'Place next': { afterMs: -60_001 },
        'Create 1': { afterMs: 20_000, held: true, mayHaveBeenSent: true },
      },
      calls: SENT,
    });
  });
});

describe('a pod that is stopped', () => {
  it('before the choice is written: nothing is sent', async () => {
    const pod = await given(wanted);
    pod.before('append', () => pod.say(stopped));
    await pod.when();
    pod.thenOnly({});
  });

  it('between the choice and the call: the group is deleted when it was made', async () => {
    const pod = await given(wanted);
    pod.before('confirmClaims', () => pod.say(stopped));
    pod.eci.answers('create', done);
    await pod.when();
    pod.thenOnly({ events: [placed(), groupCreated()], rows: { [`Delete ${GROUP}`]: {} }, calls: SENT });
  });
});

describe('a stream that others write to', () => {
  it('is chosen for anew, on what it is by then', async () => {
    const pod = await given(wanted);
    const later = need({ vSwitches: [{ vSwitchId: 'vsw-3' }] });
    const refreshed = runPod({ sequence: 2, mapped: { ok: true, need: later } });
    const intent = sampleIntent({ containers: [nginxContainer({ image: 'nginx:later' })] });
    pod.before('append', () => pod.sayOf(STREAM, refreshed, intent));
    pod.eci.answers('create', done);
    await pod.when();
    const anew = placed(1, {
      candidates: [{ vSwitchId: 'vsw-3', reason: "place 1 of 1 in the profile's order" }],
      why: ['2-4Gi (on-demand) on 1 vSwitch in one request'],
    });
    pod.thenOnly({ events: [anew, groupCreated()], calls: SENT });
    expect(pod.eci.sent[0]!.request).toContain('nginx:later');
  });

  it('without end is given back, and nothing is sent', async () => {
    const pod = await given(wanted);
    pod.before('append', ...Array.from({ length: 10 }, (_, i) => () => pod.say(edited(i + 2))));
    await pod.when();
    pod.thenOnly({ rows: { 'Place next': { afterMs: 750 } } });
    expect(pod.aside).toBe(1);
  });
});
