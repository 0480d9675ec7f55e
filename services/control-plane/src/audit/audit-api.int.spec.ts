import { generateKeyPairSync } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topics } from '#libs/contracts';
import { streamIdOf } from '#libs/domain';
import { createPool, digestOf, PostgresEventStore } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import { createTestDatabase, eventually, type TestDatabase } from '#libs/testing';
import type { EventsPage } from '../container-groups/read-events.ts';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { accepted, call, created, newMessaging, placed, record, story, testConfig } from '../../spec/for-specs.ts';
import { AuditKeyRing, type NamedAuditKey } from './audit-key.ts';
import { leafHash, rootFromProof } from './merkle.ts';
import type { InclusionProof, SealsPage } from './read-seals.ts';
import { sealFromEvent, SEAL_TYPE, type SealView } from './seal-message.ts';
import { sealDigest, sealText } from './seal.ts';

let database: TestDatabase;
let pool: pg.Pool;
let store: PostgresEventStore;
let messaging: Messaging;
let plane: ControlPlane;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 4 });
  store = new PostgresEventStore(pool);
  messaging = newMessaging();
  const key = JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
  plane = await startControlPlane(
    await testConfig(database.url, { FLEET_ROLES: 'api,publish', FLEET_AUDIT_KEY: key }),
    { messaging },
  );
  for (const [i, uid] of ['a', 'b'].entries()) {
    await record(store, streamIdOf('api', uid), story([accepted('api', uid), placed(), created(`eci-${uid}`)]));
    // And the event that tells of the account of the configuration.
    const events = 1 + (i + 1) * 3;
    await eventually(async () => (await seals()).items.reduce((sum, seal) => sum + seal.events, 0) === events, {
      what: 'the events are sealed',
      deadlineMs: 30_000,
    });
  }
}, 90_000);
afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

const get = <T>(path: string) => call<T>(plane.url, 'GET', path);
const seals = async (query = ''): Promise<SealsPage> => (await get<SealsPage>(`/api/v1/audit/seals${query}`)).body;

describe('a reader of the feed', () => {
  it('goes on over HTTP from the cursor of any event that it has, and misses none', async () => {
    const told: { sequence: string; subject: string; cursor: string }[] = [];
    const reader = await messaging.consume({
      topics: [topics('eci-fleet').events],
      group: 'reader',
      handle: ({ messages }) => {
        for (const { value } of messages) told.push(JSON.parse(Buffer.from(value ?? []).toString('utf8')) as never);
        return Promise.resolve();
      },
    });
    await eventually(() => told.filter(({ cursor }) => cursor).length >= 6, { what: 'six events are told' });
    await reader.stop();
    const all = (await get<EventsPage>('/api/v1/events')).body.items.map(
      ({ streamId, version }) => `${streamId}@${version}`,
    );
    for (const { subject, sequence, cursor } of told.filter((event) => event.cursor)) {
      const rest = (await get<EventsPage>(`/api/v1/events?after=${cursor}`)).body.items;
      expect([`${subject}@${sequence}`, ...rest.map((e) => `${e.streamId}@${e.version}`)]).toEqual(
        all.slice(-rest.length - 1),
      );
    }
  });
});

describe('seals over HTTP', () => {
  it('come in pages, newest first, with everything that their digest and signature cover', async () => {
    const all = await seals();
    const [first] = (await seals('?limit=1')).items;
    expect(first).toEqual(all.items[0]);
    const { nextCursor } = await seals('?limit=1');
    expect((await seals(`?limit=1&cursor=${nextCursor}`)).items[0]).toEqual(all.items[1]);

    const { body } = await get<{ keys: NamedAuditKey[] }>('/api/v1/audit/keys');
    const ring = new AuditKeyRing(body.keys);
    for (const view of all.items) {
      const seal = sealFromEvent({ type: SEAL_TYPE, data: { ...view, entries: [] } })!;
      expect(sealDigest(seal)).toBe(view.digest);
      expect(ring.check(sealText(seal), view.keyId!, view.signature!)).toBe('good');
    }
    expect((await get<SealView>(`/api/v1/audit/seals/${all.items[0]!.sequence}`)).body).toEqual(all.items[0]);
  });

  it('prove an event to somebody who has nothing but the answer', async () => {
    const streamId = streamIdOf('api', 'b');
    const event = (await store.loadMany([streamId])).get(streamId)![1]!;
    const found = await Promise.all(
      (await seals()).items.map(({ sequence }) =>
        get<InclusionProof>(`/api/v1/audit/seals/${sequence}/proof?eventId=${event.eventId}`),
      ),
    );
    const proofs = found.filter(({ status }) => status === 200);
    expect(proofs).toHaveLength(1);
    const { seal, index, entry, path } = proofs[0]!.body;
    expect(JSON.parse(entry)).toMatchObject([
      streamId,
      2,
      event.type,
      expect.any(String),
      digestOf(streamId, 2, event).toString('hex'),
    ]);
    const root = rootFromProof(
      leafHash(index, entry),
      index,
      seal.events,
      path.map((hash) => Buffer.from(hash, 'hex')),
    );
    expect(root?.toString('hex')).toBe(seal.merkleRoot);
  });

  it.each([
    ['/api/v1/audit/seals/99999', 404],
    ['/api/v1/audit/seals/first', 404],
    ['/api/v1/audit/seals/1/proof?eventId=11111111-1111-4111-8111-111111111111', 404],
    ['/api/v1/audit/seals/1/proof', 400],
    ['/api/v1/audit/seals?cursor=nonsense', 400],
  ])('answer %s with %i', async (path, status) => {
    expect((await get(path)).status).toBe(status);
  });
});
