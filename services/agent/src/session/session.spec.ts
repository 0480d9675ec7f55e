import { decodeJwt, exportJWK, generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { SESSION_PROBLEMS, type SessionRequest, type SessionResponse } from '#libs/contracts';
import { silentLogger } from '#libs/observability';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { ControlPlaneRefusal } from './control-plane-client.ts';
import type { Identity } from './identity-store.ts';
import { Session, type SessionState } from './session.ts';

interface World {
  readonly session: Session;
  readonly clock: VirtualClock;
  readonly asked: SessionRequest[];
  readonly states: SessionState[];
  readonly epochs: number[];
  joins: number;
  renewals: number;
  stored: { id: string; audience: string } | undefined;
  /** Milliseconds by which the control plane's clock is behind the agent's. */
  agentAheadMs: number;
  answer: (request: SessionRequest) => SessionResponse | ControlPlaneRefusal;
  answerJoin: () => string | ControlPlaneRefusal;
}

const refusal = (status: number, type = 'about:blank'): ControlPlaneRefusal =>
  new ControlPlaneRefusal(status, type, `refused with ${status}`);

function sessionOf(clock: VirtualClock, clusterId: string, epoch: number): SessionResponse {
  const at = (ms: number): string => new Date(clock.now() + ms).toISOString();
  const key = (kid: string, from: number, to: number) => ({
    kid,
    key: Buffer.alloc(32).toString('base64url'),
    notBefore: at(from),
    notAfter: at(to),
  });
  return {
    clusterId,
    fleet: 'f',
    agentEpoch: epoch,
    accessToken: 't',
    accessTokenExpiresAt: at(600_000),
    renewAfterSeconds: 240,
    envelopeKeys: [
      key('old', -90_000_000, -1),
      key('now', -1_000, 86_400_000),
      key('before', -2_000, 86_400_000),
      key('next', 3_600_000, 90_000_000),
    ],
    kafka: { brokers: [], security: 'plaintext', tls: false },
  };
}

async function worldWith(start: { cluster?: string; token?: string }): Promise<World> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  const { d: _, ...publicKey } = jwk;
  const next = await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey);
  const clock = new VirtualClock();
  const asked: SessionRequest[] = [];
  const states: SessionState[] = [];
  const epochs: number[] = [];
  let epoch = 0;
  const world: World = {
    clock,
    asked,
    states,
    epochs,
    agentAheadMs: 0,
    joins: 0,
    renewals: 0,
    stored: start.cluster === undefined ? undefined : { id: start.cluster, audience: 'a' },
    answer: (request) => sessionOf(clock, 'c', request.renewEpoch ?? ++epoch),
    answerJoin: () => 'c',
    session: new Session({
      client: {
        get answeredAt() {
          return clock.now() - world.agentAheadMs;
        },
        join: async () => {
          world.joins += 1;
          const answer = world.answerJoin();
          if (answer instanceof Error) throw answer;
          return { clusterId: answer, audience: 'a' };
        },
        session: async (request) => {
          asked.push(request);
          const answer = world.answer(request);
          if (answer instanceof Error) throw answer;
          return answer;
        },
      },
      identities: {
        load: async (): Promise<Identity> => ({ privateKey: jwk, publicKey, cluster: world.stored }),
        fingerprint: async () => 'uid',
        renew: async () => {
          world.renewals += 1;
          world.stored = undefined;
          return { privateKey: next, publicKey: { ...publicKey, kid: 'next' } };
        },
        joined: async (cluster) => {
          world.stored = { ...cluster };
        },
      },
      joinToken: start.token,
      nodeName: 'n',
      agentVersion: '1',
      clock,
      random: new SeededRandom(1),
      ids: new SeededIds(new SeededRandom(2)),
      logger: silentLogger,
      onSession: ({ agentEpoch }) => epochs.push(agentEpoch),
      onAnswer: () => undefined,
      onStatus: ({ state }) => states.push(state),
    }),
  };
  world.session.start();
  return world;
}

/** Signing takes real time, so the clock is moved step by step until the condition holds. */
const until = (world: World, condition: () => boolean): Promise<void> =>
  expect
    .poll(
      async () => {
        if (!condition()) await world.clock.advance(1_000);
        return condition();
      },
      { interval: 1, timeout: 5_000 },
    )
    .toBe(true);

describe('the session of an agent', () => {
  it('joins, opens a session, and renews it in time with its epoch', async () => {
    const world = await worldWith({ token: 'once' });

    await until(world, () => world.asked.length === 2);

    expect(world.joins).toBe(1);
    expect(world.stored?.id).toBe('c');
    expect(world.asked.map((a) => a.renewEpoch)).toEqual([undefined, 1]);
    expect(world.asked[0]!.agentId).toBe(world.asked[1]!.agentId);
    expect(world.epochs).toEqual([1]);
    expect(world.session.speaking).toBe(true);
    await world.session.stop();
  });

  it('does not join again after a restart', async () => {
    const world = await worldWith({ cluster: 'c', token: 'once' });

    await until(world, () => world.session.speaking);

    expect(world.joins).toBe(0);
    await world.session.stop();
  });

  it('seals with the newest key in force, and with none that has ended', async () => {
    const world = await worldWith({ cluster: 'c' });
    await until(world, () => world.session.speaking);

    expect(world.session.envelopeKey()?.kid).toBe('now');
    world.answer = () => refusal(503);
    await world.clock.advance(200_000_000);

    expect(world.session.envelopeKey()).toBeUndefined();
    await world.session.stop();
  });

  it('goes on speaking while the control plane is away, and comes back', async () => {
    const world = await worldWith({ cluster: 'c' });
    await until(world, () => world.session.speaking);
    const answer = world.answer;

    world.answer = () => refusal(503);
    await until(world, () => world.session.status.state === 'away');
    expect(world.session.speaking).toBe(true);

    world.answer = answer;
    await until(world, () => world.session.status.state === 'live');
    expect(world.epochs).toEqual([1]);
    await world.session.stop();
  });

  it('stops for good when it is superseded', async () => {
    const world = await worldWith({ cluster: 'c' });
    await until(world, () => world.session.speaking);
    world.answer = () => refusal(409, SESSION_PROBLEMS.superseded);

    await until(world, () => world.session.status.state === 'superseded');

    const asked = world.asked.length;
    await world.clock.advance(3_600_000);
    expect(world.asked.length).toBe(asked);
    expect(world.session.speaking).toBe(false);
    expect(() => world.session.accessToken()).toThrow('superseded');
    await world.session.stop();
  });

  it('is silent while revoked, and begins a new session when it is let in again', async () => {
    const world = await worldWith({ cluster: 'c' });
    await until(world, () => world.session.speaking);
    const answer = world.answer;
    world.answer = () => refusal(403, SESSION_PROBLEMS.revoked);
    await until(world, () => world.session.status.state === 'revoked');
    expect(world.session.speaking).toBe(false);

    world.answer = answer;

    await until(world, () => world.session.speaking);
    expect(world.epochs).toEqual([1, 2]);
    await world.session.stop();
  });

  it('joins anew with a fresh token when the control plane does not know its cluster', async () => {
    const world = await worldWith({ cluster: 'gone', token: 'fresh' });
    const answer = world.answer;
    world.answer = (request) => (world.stored?.id === 'gone' ? refusal(401) : answer(request));

    await until(world, () => world.session.speaking);

    expect(world.joins).toBe(1);
    expect(world.stored?.id).toBe('c');
    await world.session.stop();
  });

  it('makes a new key when its own was retired, joins with that, and tries on with it when the answer is lost', async () => {
    const world = await worldWith({ cluster: 'gone', token: 'fresh' });
    const answer = world.answer;
    world.answer = (request) => (world.stored?.id === 'c' ? answer(request) : refusal(401));
    world.answerJoin = () => {
      if (world.renewals === 0) return refusal(403, SESSION_PROBLEMS.retiredKey);
      return world.joins === 2 ? refusal(503) : 'c';
    };

    await until(world, () => world.session.speaking);

    expect([world.renewals, world.joins]).toEqual([1, 3]);
    await world.session.stop();
  });

  it('stays refused with a spent token, tries it once, and keeps what it is', async () => {
    const world = await worldWith({ cluster: 'gone', token: 'spent' });
    world.answer = () => refusal(401);
    world.answerJoin = () => refusal(403, SESSION_PROBLEMS.unknownToken);

    await until(world, () => world.asked.length >= 4);

    expect(world.joins).toBe(1);
    expect(world.session.status.state).toBe('refused');
    expect(world.stored?.id).toBe('gone');
    await world.session.stop();
  });

  it('says that it needs a token', async () => {
    const world = await worldWith({});

    await until(world, () => world.session.status.state === 'refused');

    expect(world.session.status.detail).toContain('JOIN_TOKEN');
    await world.session.stop();
  });

  it('tells the time by the control plane’s clock when its own is wrong', async () => {
    const world = await worldWith({ cluster: 'c' });
    await until(world, () => world.states.includes('live'));
    const hour = 3_600_000;
    let epoch = 1;
    // A control plane that looks at the times of assertions, and whose answers hold its own times.
    world.answer = (request) => {
      const now = (world.clock.now() - world.agentAheadMs) / 1000;
      const { exp = 0 } = decodeJwt(request.assertion);
      if (exp < now || exp > now + 300) return refusal(401);
      const theirs = { now: () => world.clock.now() - world.agentAheadMs } as VirtualClock;
      return sessionOf(theirs, 'c', request.renewEpoch ?? ++epoch);
    };

    for (const aheadMs of [hour, -hour, 0]) {
      world.agentAheadMs = aheadMs;
      const calls = world.asked.length;
      await until(world, () => world.asked.length > calls + 1 && world.session.status.state === 'live');
      expect(world.session.envelopeKey()?.kid).toBe('now');
      expect(world.session.accessToken().expiresAt).toBeGreaterThan(world.clock.now());
    }
    await world.session.stop();
  });
});
