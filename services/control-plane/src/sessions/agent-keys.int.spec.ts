import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topics } from '#libs/contracts';
import { InProcessLog, InProcessMessaging, type TopicSpec } from '#libs/messaging';
import { Metrics, silentLogger } from '#libs/observability';
import { SystemClock, SystemIds } from '#libs/runtime';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { ClusterChanges } from '../clusters/cluster-changes.ts';
import { ClusterDirectory } from '../clusters/cluster-directory.ts';
import { clusterTag, clusterView } from '../clusters/cluster-view.ts';
import type { ClusterRow } from '../clusters/cluster-row.ts';
import { agentOf } from '../clusters/principal.ts';
import { ClusterRegistration } from '../clusters/registration.ts';
import { Standings } from '../clusters/standings.ts';
import { sweepRights } from '../clusters/sweep-rights.ts';
import { testConfig } from '../../spec/for-specs.ts';
import { Refusal } from '../answers/refusal.ts';
import { EnvelopeKeys } from '../keys/envelope-keys.ts';
import { MasterKey } from '../keys/master-key.ts';
import { StatusKeys } from '../keys/status-keys.ts';
import { ClusterTopics } from '../publish/cluster-topics.ts';
import { AccessTokens } from './access-tokens.ts';
import { AgentJoin, audienceOf } from './join.ts';
import { AgentSessions } from './session.ts';

const FLEET = 'eci-fleet';
const FINGERPRINT = 'uid-of-kube-system';
const clock = new SystemClock();
const masterKey = new MasterKey(Buffer.from('cd'.repeat(16) + '17'.repeat(16), 'hex'));

/** Whoever does I/O waits for its turn first. */
type Turn = () => Promise<void>;

class TakingTurns extends InProcessMessaging {
  private readonly turn: Turn;

  constructor(log: InProcessLog, turn: Turn) {
    super(log);
    this.turn = turn;
  }

  override async ensureTopics(specs: readonly TopicSpec[]): Promise<readonly string[]> {
    await this.turn();
    return super.ensureTopics(specs);
  }

  override async grantCluster(principal: string): Promise<void> {
    await this.turn();
    await super.grantCluster(principal);
  }

  override async revokeCluster(principal: string): Promise<void> {
    await this.turn();
    await super.revokeCluster(principal);
  }

  override async deleteTopic(name: string): Promise<void> {
    await this.turn();
    await super.deleteTopic(name);
  }
}

/** Statements outside of transactions, and transactions as a whole, wait for their turn: one inside would hold the row that others need. */
const inTurns = (turn: Turn): pg.Pool =>
  new Proxy(pool, {
    get(target, name) {
      if (name !== 'query' && name !== 'connect') return Reflect.get(target, name) as unknown;
      return async (...parameters: unknown[]) => {
        await turn();
        return (target[name] as (...all: unknown[]) => Promise<unknown>).apply(target, parameters);
      };
    },
  });

/** Stops the first to come at its n-th I/O, until it is let go; all others pass. */
class Stop {
  private left: number;
  private readonly stopped = Promise.withResolvers<void>();
  private readonly released = Promise.withResolvers<void>();

  constructor(nth: number) {
    this.left = nth;
  }

  readonly turn: Turn = () => {
    this.left -= 1;
    if (this.left !== 0) return Promise.resolve();
    this.stopped.resolve();
    return this.released.promise;
  };

  /** Returns whether the work was stopped, and not over before. */
  at(work: Promise<unknown>): Promise<boolean> {
    return Promise.race([this.stopped.promise.then(() => true), work.then(() => false)]);
  }

  release(): void {
    this.released.resolve();
  }
}

interface Key {
  readonly publicJwk: JWK;
  readonly privateKey: CryptoKey;
}

const BY = { actor: 'operator:jo' };

let database: TestDatabase;
let pool: pg.Pool;
let tokens: AccessTokens;
let agentKeys: readonly Key[];
let clusters = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 8 });
  await pool.query(
    `insert into fleet.account (id, name, credential, source, created_at, updated_at) values ('a', 'a', '{}', 'api', now(), now())`,
  );
  const { tokenKey } = await testConfig(database.url, {});
  tokens = await AccessTokens.open({ tokenKey, fleet: FLEET, issuer: FLEET, audience: FLEET, clock });
  agentKeys = await Promise.all(
    [1, 2, 3].map(async () => {
      const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
      return { publicJwk: await exportJWK(publicKey), privateKey };
    }),
  );
});

afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

/** One fleet of one cluster. */
async function world() {
  let turn: Turn = () => Promise.resolve();
  const takeTurn: Turn = () => turn();
  const log = new InProcessLog(clock);
  const messaging = new TakingTurns(log, takeTurn);
  const turning = inTurns(takeTurn);
  const standings = new Standings(turning);
  const keys = new EnvelopeKeys({ pool: turning, masterKey, clock });
  const directory = new ClusterDirectory({ pool: turning, clock });
  const clusterTopics = new ClusterTopics({
    messaging,
    fleet: FLEET,
    standing: (id) => standings.of(id),
    refill: () => Promise.resolve(),
  });
  const changes = new ClusterChanges({ pool: turning, clock, ids: new SystemIds() });
  const base = {
    pool: turning,
    changes,
    clock,
    fleet: FLEET,
    logger: silentLogger,
    keys,
    topics: clusterTopics,
    directory,
  };
  const registration = new ClusterRegistration(base);
  const join = new AgentJoin(base);
  const sessions = new AgentSessions({
    ...base,
    statusKeys: new StatusKeys({ pool: turning, masterKey, clock }),
    metrics: new Metrics(),
    tokens,
    sealsPods: false,
    kafka: { brokers: [], security: 'plaintext', tls: false },
  });
  const id = `i${++clusters}`;
  const { joinToken } = await registration.register({ id }, BY);
  const tag = async (): Promise<string> => {
    const { rows } = await pool.query<ClusterRow>('select * from fleet.cluster where id = $1', [id]);
    return clusterTag(clusterView(rows[0]!, clock.now()));
  };
  // What sessions were answered.
  const given: { readonly generation: number; readonly kids: readonly string[] }[] = [];
  const steps = {
    join: async (key: Key, token: string) =>
      join.join({ token, publicKey: { ...key.publicJwk }, clusterFingerprint: FINGERPRINT }),
    session: async (key: Key) => {
      const assertion = await new SignJWT({})
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuer(id)
        .setSubject(id)
        .setAudience(audienceOf(FLEET))
        .setIssuedAt()
        .setExpirationTime('2m')
        .setJti(crypto.randomUUID())
        .sign(key.privateKey);
      const answer = await sessions.open({
        assertion,
        clusterFingerprint: FINGERPRINT,
        agentId: await calculateJwkThumbprint(key.publicJwk),
        agentVersion: '1',
        nodeName: 'n',
      });
      const claims = JSON.parse(Buffer.from(answer.accessToken.split('.')[1]!, 'base64url').toString()) as {
        sub: string;
      };
      given.push({
        generation: agentOf(FLEET, claims.sub)!.generation,
        kids: answer.envelopeKeys.map(({ kid }) => kid),
      });
    },
    rotate: async () => registration.rotate(id, await tag(), BY),
    unregister: async () => registration.unregister(id, await tag(), BY),
    prepare: () => clusterTopics.prepare(id),
    newToken: () => registration.newToken(id, BY),
  };
  return {
    id,
    steps,
    stopAt(nth: number): Stop {
      const stop = new Stop(nth);
      ({ turn } = stop);
      return stop;
    },
    joinToken: joinToken.token,
    given,
    standing: () => standings.of(id),
    rights: () => [...log.granted],
    hasTopic: () => log.topic(topics(FLEET).cluster(id)) !== undefined,
    envelopeKeys: async () =>
      (await pool.query<{ kid: string }>('select kid from fleet.envelope_key where cluster_id = $1', [id])).rows.map(
        ({ kid }) => kid,
      ),
    sweep: () => sweepRights({ messaging, standings, fleet: FLEET }),
  };
}

type World = Awaited<ReturnType<typeof world>>;
const [first, second] = [0, 1];

/** What may be under way when the end comes. */
const UNDER_WAY: Readonly<Record<string, (w: World) => Promise<unknown>>> = {
  'a session': (w) => w.steps.session(agentKeys[first]!),
  'a join with the same key': async (w) => w.steps.join(agentKeys[first]!, (await w.steps.newToken()).token),
  'a join with another key': async (w) => w.steps.join(agentKeys[second]!, (await w.steps.newToken()).token),
  'a look after its topic': (w) => w.steps.prepare(),
  'an unregistering': (w) => w.steps.unregister(),
  'a rotation': (w) => w.steps.rotate(),
};

/** What happens meanwhile, from beginning to end. */
const MEANWHILE: Readonly<Record<string, (w: World) => Promise<unknown>>> = {
  'it is unregistered': (w) => w.steps.unregister(),
  'its key is taken away': (w) => w.steps.rotate(),
  'an agent with another key joins and speaks': async (w) => {
    await w.steps.join(agentKeys[second]!, (await w.steps.newToken()).token);
    await w.steps.session(agentKeys[second]!);
  },
  'its key is taken away, another joins, and it is unregistered': async (w) => {
    await w.steps.join(agentKeys[second]!, (await w.steps.rotate()).token);
    await w.steps.unregister();
  },
};

/** Nobody has a right or a key but the agent of the newest key, and no process has to clean up. */
async function expectNothingLeftOver(w: World, what: string): Promise<void> {
  const { registered, joined, generation } = await w.standing();
  const rights = w.rights().map((principal) => agentOf(FLEET, principal)?.generation);
  const kids = await w.envelopeKeys();
  expect(rights, what).toEqual(joined ? [generation] : []);
  if (!joined) expect(kids, what).toEqual([]);
  if (!registered) expect(w.hasTopic(), what).toBe(false);
  for (const each of w.given)
    if (each.generation !== generation || !registered)
      expect(
        each.kids.filter((kid) => kids.includes(kid)),
        what,
      ).toEqual([]);
  expect(await w.sweep(), what).toBe(0);
}

describe('what an agent is given', () => {
  for (const [underWay, begin] of Object.entries(UNDER_WAY))
    it(`ends with its key or its cluster, wherever ${underWay} is when that comes`, { timeout: 300_000 }, async () => {
      for (const [meanwhile, end] of Object.entries(MEANWHILE)) {
        for (let nth = 1, stopped = true; stopped; nth++) {
          // given an agent that speaks, and a call that is stopped before its n-th I/O
          const w = await world();
          await w.steps.join(agentKeys[first]!, w.joinToken);
          await w.steps.session(agentKeys[first]!);
          const stop = w.stopAt(nth);
          const work = begin(w).catch((error: unknown) => error);
          stopped = await stop.at(work);

          // when the end comes meanwhile, and the call goes on
          if (stopped) await end(w).catch(mustBeSaid);
          stop.release();
          const outcome = await work;
          if (outcome instanceof Error) mustBeSaid(outcome);

          // then
          await expectNothingLeftOver(w, `${underWay}, stopped before I/O ${nth}, and ${meanwhile}`);
          expect(nth).toBeLessThan(40);
        }
      }
    });

  it('ends also when a process dies between granting and looking again', async () => {
    // given an agent that speaks, and a process that grants, and dies before it sees that its cluster was unregistered
    const other = await world();
    await other.steps.join(agentKeys[first]!, other.joinToken);
    const w = await world();
    for (let nth = 1; w.rights().length === 0; nth++) {
      const stop = w.stopAt(nth);
      await stop.at(w.steps.join(agentKeys[first]!, w.joinToken));
    }
    w.stopAt(0);
    await pool.query('update fleet.cluster set unregistered_at = now(), public_key = null where id = $1', [w.id]);

    // when another one sweeps
    expect(await w.sweep()).toBe(1);

    // then nothing is left, and who may speak goes on
    expect(w.rights()).toEqual([]);
    expect(await other.sweep()).toBe(0);
    expect(other.rights()).toHaveLength(1);
  });
});

/** A call that came too late is told so. */
function mustBeSaid(error: unknown): void {
  expect(error).toBeInstanceOf(Refusal);
}
