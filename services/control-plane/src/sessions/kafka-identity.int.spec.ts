import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentGroup, inventoryKey, topics, type SessionResponse } from '#libs/contracts';
import { KafkaMessaging, type IncomingMessage } from '#libs/messaging';
import {
  createTestDatabase,
  eventually,
  sharedKafka,
  startKafka,
  topicPrefix,
  type KafkaRig,
  type TestDatabase,
} from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { call, TestAgent, testConfig, unregister } from '../../spec/for-specs.ts';

/** What a session says of Kafka must let an agent do its work there, and nothing else: tried on a broker that checks tokens and ACLs. */

const fleet = `${topicPrefix()}fleet`;
const names = topics(fleet);
let database: TestDatabase;
let rig: KafkaRig | undefined;
let plane: ControlPlane;
let plainBrokers: readonly string[];

beforeAll(async () => {
  const shared = await sharedKafka();
  rig = shared.oauth ? undefined : await startKafka({ oauth: true });
  const oauth = shared.oauth ?? rig!.oauth!;
  plainBrokers = rig?.brokers ?? shared.brokers;
  database = await createTestDatabase();
  plane = await startControlPlane(
    await testConfig(database.url, {
      FLEET_NAME: fleet,
      FLEET_ROLES: 'api',
      KAFKA_BROKERS: plainBrokers.join(','),
      KAFKA_BROKERS_FOR_AGENTS: oauth.brokers.join(','),
      KAFKA_SECURITY_FOR_AGENTS: 'oauthbearer',
      FLEET_TOKEN_KEY: JSON.stringify(oauth.tokens.privateJwk),
      FLEET_TOKEN_ISSUER: oauth.tokens.issuer,
      FLEET_TOKEN_AUDIENCE: oauth.tokens.audience,
    }),
  );
});

afterAll(async () => {
  await plane?.stop();
  await rig?.stop();
  await database?.drop();
});

async function sessionOf(id: string): Promise<SessionResponse> {
  const { body } = await call<{ joinToken: { token: string } }>(plane.url, 'POST', '/api/v1/clusters', {
    body: { id },
  });
  return joinedWith(id, body.joinToken.token);
}

/** An agent with a key of its own. */
async function joinedWith(id: string, token: string): Promise<SessionResponse> {
  const agent = await TestAgent.create(plane.url, { fingerprint: `uid-${id}` });
  expect((await agent.join(token)).status).toBe(200);
  const { status, body: session } = await agent.session();
  expect(status).toBe(200);
  return session;
}

function connect(session: SessionResponse): KafkaMessaging {
  expect(session.kafka.security).toBe('oauthbearer');
  return new KafkaMessaging({
    brokers: session.kafka.brokers,
    clientId: `agent.${session.clusterId}`,
    security: { kind: 'oauthbearer', token: () => Promise.resolve(session.accessToken) },
  });
}

describe('an agent on Kafka', () => {
  it('writes intents and reads its own topic, not that of another cluster, and nothing once it is unregistered', async () => {
    const [one, two] = [await sessionOf('one'), await sessionOf('two')];
    const [first, second] = [connect(one), connect(two)];
    try {
      await first.publish(names.intents, [{ key: inventoryKey('one'), value: Buffer.from('{}') }]);

      const heard: IncomingMessage[] = [];
      await first.consume({
        topics: [names.cluster('one')],
        group: agentGroup(fleet, 'one'),
        handle: ({ messages }) => {
          heard.push(...messages);
          return Promise.resolve();
        },
      });
      // The control plane's own connection is the only one that may write there.
      await expect(first.publish(names.cluster('one'), [{ key: 'u1', value: null }], 5_000)).rejects.toMatchObject({
        code: 'refused',
      });
      await expect(second.publish(names.cluster('one'), [{ key: 'u1', value: null }], 5_000)).rejects.toMatchObject({
        code: 'refused',
      });

      const stolen: IncomingMessage[] = [];
      await second.consume({
        topics: [names.cluster('one')],
        group: agentGroup(fleet, 'two'),
        handle: ({ messages }) => {
          stolen.push(...messages);
          return Promise.resolve();
        },
      });
      const superUser = connectPlain();
      try {
        await superUser.publish(names.cluster('one'), [{ key: 'u1', value: Buffer.from('status') }]);
      } finally {
        await superUser.close();
      }
      await eventually(() => heard.some((m) => m.key === 'u1'), {
        what: 'the agent hears of its pod',
        deadlineMs: 30_000,
      });
      expect(stolen).toEqual([]);

      expect((await unregister(plane.url, 'one')).status).toBe(204);
      await eventually(
        async () => {
          const failure = await first
            .publish(names.intents, [{ key: inventoryKey('one'), value: Buffer.from('{}') }], 5_000)
            .then(
              () => undefined,
              (error: unknown) => error as { code?: string },
            );
          return failure?.code === 'refused';
        },
        { what: 'the agent may write no more', deadlineMs: 30_000 },
      );
      await second.publish(names.intents, [{ key: inventoryKey('two'), value: Buffer.from('{}') }]);
    } finally {
      await Promise.all([first.close(), second.close()]);
    }
  });
});

describe('an agent whose key was replaced or taken away', () => {
  it('neither writes nor reads any more with a token that is still good, and the agent with the new key does', async () => {
    // given an agent that speaks, and whose token is good for an hour
    const stolen = connect(await sessionOf('three'));
    const path = '/api/v1/clusters/three';
    const connections = [stolen];
    const mayWrite = async (agent: KafkaMessaging): Promise<boolean> => {
      const message = { key: inventoryKey('three'), value: Buffer.from('{}') };
      const failure = await agent.publish(names.intents, [message], 5_000).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure !== undefined) expect(failure).toMatchObject({ code: 'refused' });
      return failure === undefined;
    };
    const shutOut = (agent: KafkaMessaging) =>
      eventually(async () => !(await mayWrite(agent)), { what: 'the agent may write no more', deadlineMs: 30_000 });
    try {
      expect(await mayWrite(stolen)).toBe(true);

      // when another joins with a key of its own
      const { body } = await call<{ token: string }>(plane.url, 'POST', `${path}/join-token`);
      const next = connect(await joinedWith('three', body.token));
      connections.push(next);

      // then the first is shut out
      await shutOut(stolen);
      expect(await mayWrite(next)).toBe(true);

      // and when that key is taken away, nobody is let in until a new one is there
      const etag = (await call(plane.url, 'GET', path)).headers.get('etag') as string;
      const rotated = await call<{ token: string }>(plane.url, 'POST', `${path}/rotate-key`, {
        headers: { 'if-match': etag },
      });
      expect(rotated.status).toBe(201);
      await shutOut(next);
      const third = connect(await joinedWith('three', rotated.body.token));
      connections.push(third);
      expect(await mayWrite(third)).toBe(true);
      expect([await mayWrite(stolen), await mayWrite(next)]).toEqual([false, false]);
    } finally {
      await Promise.all(connections.map((each) => each.close()));
    }
  });
});

function connectPlain(): KafkaMessaging {
  return new KafkaMessaging({ brokers: plainBrokers, clientId: 'spec', security: { kind: 'plaintext' } });
}
