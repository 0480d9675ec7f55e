import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inventoryKey, topics } from '#libs/contracts';
import { streamIdOf } from '#libs/domain';
import { createPool, PostgresEventStore } from '#libs/event-store';
import { KafkaMessaging, type MessagingEvent } from '#libs/messaging';
import {
  createTestDatabase,
  eventually,
  sharedKafka,
  startKafka,
  topicPrefix,
  type KafkaRig,
  type TestDatabase,
} from '#libs/testing';
import { COMMANDS } from '../command-line/commands.ts';
import { runCommand } from '../command-line/run-command.ts';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { accepted, call, created, placed, record, story, testConfig } from '../../spec/for-specs.ts';

/** An auditor has a token for the feed and no key: tried on a broker that checks tokens and ACLs. */

const fleet = `${topicPrefix()}fleet`;
const names = topics(fleet);
let database: TestDatabase;
let rig: KafkaRig | undefined;
let plane: ControlPlane;
/** What operators have, and what auditors are given. */
let operator: Record<string, string>;
let auditor: Record<string, string>;

beforeAll(async () => {
  const shared = await sharedKafka();
  rig = shared.oauth ? undefined : await startKafka({ oauth: true });
  const oauth = shared.oauth ?? rig!.oauth!;
  const brokers = rig?.brokers ?? shared.brokers;
  database = await createTestDatabase();
  operator = {
    FLEET_NAME: fleet,
    KAFKA_BROKERS: brokers.join(','),
    FLEET_TOKEN_KEY: JSON.stringify(oauth.tokens.privateJwk),
    FLEET_TOKEN_ISSUER: oauth.tokens.issuer,
    FLEET_TOKEN_AUDIENCE: oauth.tokens.audience,
  };
  auditor = {
    DATABASE_URL: database.url,
    FLEET_NAME: fleet,
    KAFKA_BROKERS: oauth.brokers.join(','),
    KAFKA_SECURITY: 'oauthbearer',
  };
  plane = await startControlPlane(
    await testConfig(database.url, {
      ...operator,
      FLEET_ROLES: 'api,publish',
      FLEET_AUDIT_KEY: JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })),
    }),
  );
  const pool = createPool(database.url, { max: 2 });
  await record(
    new PostgresEventStore(pool),
    streamIdOf('audited', 'a'),
    story([accepted('audited', 'a'), placed(), created('eci-a')]),
  );
  await eventually(
    async () =>
      (await pool.query<{ done: boolean }>('select sequence > 0 as done from es.seal_published')).rows[0]!.done,
    { what: 'the seal is published', deadlineMs: 60_000 },
  );
  await pool.end();
}, 180_000);

afterAll(async () => {
  await plane?.stop();
  await rig?.stop();
  await database?.drop();
});

async function fleetCommand(
  environment: Record<string, string>,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(COMMANDS, args, {
    environment,
    print: (line) => out.push(line),
    complain: (line) => err.push(line),
    signal: new AbortController().signal,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

async function newToken(): Promise<string> {
  const { code, out, err } = await fleetCommand(operator, 'audit', 'token', '--hours', '2');
  expect([code, err]).toEqual([0, expect.stringMatching(/^good until \d{4}-/)]);
  return out;
}

const connect = (token: string): KafkaMessaging =>
  new KafkaMessaging({
    brokers: auditor['KAFKA_BROKERS']!.split(','),
    clientId: 'spec',
    security: { kind: 'oauthbearer', token: () => Promise.resolve(token) },
  });

describe('an auditor', () => {
  it('compares with the feed by a token of their own, and has no key', async () => {
    const token = await newToken();
    const { sub, exp, iat } = decodeJwt(token);
    expect([sub, exp! - iat!]).toEqual([`${fleet}.auditor`, 7_200]);
    // Rights take a moment to reach every broker; the command itself waits for none.
    await eventually(
      async () => {
        const { code, out } = await fleetCommand(
          { ...auditor, FLEET_AUDITOR_TOKEN: token },
          ...['audit', 'verify', '--feed', '--json'],
        );
        if (code !== 0) return false;
        expect(JSON.parse(out)).toMatchObject({
          sound: true,
          published: { from: 'the feed', events: 3, seals: { seals: 1 } },
        });
        return true;
      },
      { what: 'the feed is read', deadlineMs: 60_000 },
    );
  });

  it('reads nothing but the feed, writes nothing, and finds the doors of the control plane shut', async () => {
    const token = await newToken();
    const messaging = connect(token);
    try {
      for (const topic of [names.events, names.intents])
        await expect(
          messaging.publish(topic, [{ key: inventoryKey('a'), value: Buffer.from('{}') }], 5_000),
        ).rejects.toMatchObject({ code: 'refused' });
      const heard: MessagingEvent[] = [];
      const consumer = await messaging.consume({
        topics: [names.intents],
        group: `${fleet}.audit-verify`,
        handle: () => Promise.reject(new Error('it was read')),
        onEvent: (event) => heard.push(event),
      });
      await eventually(
        () => heard.some((event) => event.kind === 'broker-away' && event.reason.includes('does not allow')),
        {
          what: 'Kafka refuses',
          deadlineMs: 30_000,
        },
      );
      expect(heard.filter(({ kind }) => kind === 'batch-failed')).toEqual([]);
      await consumer.stop();
    } finally {
      await messaging.close();
    }
    const { status } = await call(plane.url, 'POST', '/api/v1/agent/session', {
      body: {},
      headers: { authorization: `Bearer ${token}` },
    });
    expect(status).toBeGreaterThanOrEqual(400);
  });

  it('reads nothing any more once that was taken back', async () => {
    const token = await newToken();
    expect((await fleetCommand(operator, 'audit', 'token', '--revoke')).code).toBe(0);
    await eventually(
      async () => {
        const { code, err } = await fleetCommand(
          { ...auditor, FLEET_AUDITOR_TOKEN: token },
          'audit',
          'verify',
          '--feed',
        );
        return code === 1 && err.includes('the feed cannot be read: Kafka does not allow this principal');
      },
      { what: 'the feed is refused', deadlineMs: 150_000 },
    );
  }, 180_000);

  it.each<[string, Record<string, string>, string]>([
    ['without a token', {}, 'FLEET_AUDITOR_TOKEN: ask an operator'],
    ['with what is no token', { FLEET_AUDITOR_TOKEN: 'secret-words' }, 'is no token'],
    [
      'with an old one',
      { FLEET_AUDITOR_TOKEN: `e30.${Buffer.from('{"exp":1000}').toString('base64url')}.eA` },
      'was good until 1970-01-01T00:16:40.000Z',
    ],
  ])('is told what to do %s', async (_, more, said) => {
    const { code, err } = await fleetCommand({ ...auditor, ...more }, 'audit', 'verify', '--feed');
    expect([code, err]).toEqual([2, expect.stringContaining(said)]);
    expect(err).not.toContain('secret-words');
  });

  it.each([
    [['--hours', '0'], 'from 1 to 168'],
    [['--hours', '169'], 'from 1 to 168'],
    [['for', 'bob'], 'for bob is not understood'],
  ])('gets no token for %j', async (args, said) => {
    const { code, err } = await fleetCommand(operator, 'audit', 'token', ...args);
    expect([code, err]).toEqual([2, expect.stringContaining(said)]);
  });
});
