import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topics } from '#libs/contracts';
import { streamIdOf } from '#libs/domain';
import { createPool, PostgresEventStore } from '#libs/event-store';
import { KafkaMessaging, MessagingError, type IncomingMessage, type Messaging } from '#libs/messaging';
import { Metrics, silentLogger } from '#libs/observability';
import {
  createTestDatabase,
  eventually,
  sharedKafka,
  temporaryFolder,
  topicPrefix,
  type TemporaryFolder,
  type TestDatabase,
} from '#libs/testing';
import { startControlPlane } from '../control-plane.ts';
import { accepted, created, newMessaging, placed, record, story, testConfig } from '../../spec/for-specs.ts';
import { Sealer } from './sealer.ts';
import { SealPublisher } from './seal-publisher.ts';
import { PostgresSealStore } from './seal-store.ts';
import { auditVerifyCommand } from './verify-command.ts';

let database: TestDatabase;
let pool: pg.Pool;
let store: PostgresEventStore;
let folder: TemporaryFolder;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 4 });
  store = new PostgresEventStore(pool);
  folder = temporaryFolder('audit-feed');
});
afterAll(async () => {
  await pool?.end();
  await database?.drop();
  await folder?.remove();
});

async function verifyFeed(fleet: string, brokers: readonly string[], ...args: string[]) {
  const out: string[] = [];
  const code = await auditVerifyCommand.run(['--feed', '--json', ...args], {
    environment: { DATABASE_URL: database.url, KAFKA_BROKERS: brokers.join(','), FLEET_NAME: fleet },
    print: (line) => out.push(line),
    complain: () => undefined,
    signal: new AbortController().signal,
  });
  return { code, report: JSON.parse(out.join('')) as Record<string, unknown> };
}

const textOf = ({ value }: IncomingMessage): string => Buffer.from(value ?? []).toString('utf8');

describe('the feed on Kafka', () => {
  it('holds every event in order of its stream and every seal in order, and audit verify compares with it', async () => {
    const { brokers } = await sharedKafka();
    const fleet = `${topicPrefix()}fleet`;
    const messaging = new KafkaMessaging({ brokers, clientId: 'spec', security: { kind: 'plaintext' } });
    const key = JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
    const config = await testConfig(database.url, { FLEET_ROLES: 'publish', FLEET_NAME: fleet, FLEET_AUDIT_KEY: key });
    const plane = await startControlPlane(config, { messaging });
    try {
      const ids = ['a', 'b', 'c', 'd'].map((uid) => streamIdOf('kafka', uid));
      // With the event that tells of the account of the configuration, which is not on the feed, 13 in all.
      for (const [i, id] of ids.entries())
        await record(store, id, story([accepted('kafka', String(i)), placed(), created(`eci-${i}`)]));
      await eventually(
        async () =>
          (
            await pool.query<{ events: number }>(
              'select coalesce(sum(events), 0)::int as events from es.seal where sequence <= (select sequence from es.seal_published)',
            )
          ).rows[0]!.events === 13,
        { what: 'all is sealed and published', deadlineMs: 60_000 },
      );
      // The events themselves are published by another loop.
      const heard: IncomingMessage[] = [];
      const reader = await messaging.consume({
        topics: [topics(fleet).events],
        group: `${fleet}.spec`,
        handle: ({ messages }) => {
          heard.push(...messages);
          return Promise.resolve();
        },
      });
      const of = (subject: string): number[] =>
        heard
          .map((message) => JSON.parse(textOf(message)) as { subject: string; sequence: string })
          .filter((event) => event.subject === subject)
          .map((event) => Number(event.sequence));
      await eventually(() => ids.every((id) => of(id).length >= 3), {
        what: 'every event is on the feed',
        deadlineMs: 30_000,
      });
      await reader.stop();
      for (const id of ids) expect([...new Set(of(id))]).toEqual([1, 2, 3]);
      const seals = [...new Set(of('audit-seals'))];
      expect(seals).toEqual(Array.from({ length: seals.length }, (_, i) => i + 1));

      const kept = join(folder.path, 'seals.jsonl');
      const { code, report } = await verifyFeed(fleet, brokers, '--save-roots', kept);
      expect(report).toMatchObject({ sound: true, checked: { sealedEvents: 13 }, published: { from: 'the feed' } });
      expect((report['published'] as { events: number }).events).toBeGreaterThanOrEqual(12);
      expect((report['published'] as { seals: object }).seals).toEqual({
        seals: seals.length,
        first: 1,
        last: seals.length,
      });
      expect(code).toBe(0);
      // What was kept serves once more, without Kafka.
      const out: string[] = [];
      expect(
        await auditVerifyCommand.run(['--roots', kept, '--json'], {
          environment: { DATABASE_URL: database.url },
          print: (line) => out.push(line),
          complain: () => undefined,
          signal: new AbortController().signal,
        }),
      ).toBe(0);
      expect(JSON.parse(out.join(''))).toMatchObject({ published: { seals: { seals: seals.length } } });
    } finally {
      await plane.stop();
      await messaging.close();
    }
  }, 120_000);
});

describe('seals on the feed', () => {
  it('come in order and none is missing, though the answer of the broker is lost and the publisher is killed', async () => {
    const own = await createTestDatabase();
    const ownPool = createPool(own.url, { max: 4 });
    const seals = new PostgresSealStore(ownPool);
    const messaging: Messaging = newMessaging();
    await messaging.ensureTopics([{ name: topics('test').events, partitions: 12 }]);
    const heard: IncomingMessage[] = [];
    const reader = await messaging.consume({
      topics: [topics('test').events],
      group: 'spec',
      handle: ({ messages }) => {
        heard.push(...messages);
        return Promise.resolve();
      },
    });
    let calls = 0;
    const flaky = Object.assign(Object.create(messaging) as Messaging, {
      publish: async (...args: Parameters<Messaging['publish']>) => {
        await messaging.publish(...args);
        if (++calls % 4 === 0) throw new MessagingError('unavailable', 'the answer was lost');
      },
    });
    try {
      const sealer = new Sealer({
        store: seals,
        fleet: 'test',
        signer: undefined,
        owner: 'one',
        leaseMs: 60_000,
        logger: silentLogger,
        metrics: new Metrics(),
        maxEvents: 2,
      });
      const ownStore = new PostgresEventStore(ownPool);
      for (let i = 0; i < 5; i++)
        await record(
          ownStore,
          streamIdOf('seals', String(i)),
          story([accepted('seals', String(i)), placed(), created(`eci-${i}`)]),
        );
      await eventually(
        async () => {
          while ((await sealer.step()) === 'busy');
          return (
            (await ownPool.query<{ events: string }>('select coalesce(sum(events), 0) as events from es.seal')).rows[0]!
              .events === '15'
          );
        },
        { what: 'all is sealed' },
      );
      // Nobody but the sealer tells.
      expect(await new SealPublisher({ store: seals, messaging, fleet: 'test', owner: 'two' }).step()).toBe('idle');
      await eventually(
        // A new publisher each time: the one before was killed.
        async () =>
          (await new SealPublisher({ store: seals, messaging: flaky, fleet: 'test', owner: 'one' }).step()) === 'idle',
        { what: 'all is told' },
      );
      const made = (await ownPool.query<{ sequence: string }>('select sequence from es.seal order by sequence')).rows;
      await eventually(() => new Set(heard.map(textOf)).size === made.length, { what: 'all is heard' });
      const first = new Set(heard.map((message) => (JSON.parse(textOf(message)) as { sequence: string }).sequence));
      expect([...first]).toEqual(made.map((row) => row.sequence));
      expect(heard.length).toBeGreaterThan(made.length);
    } finally {
      await reader.stop();
      await messaging.close();
      await ownPool.end();
      await own.drop();
    }
  });
});
