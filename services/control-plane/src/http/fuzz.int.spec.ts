import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Messaging } from '#libs/messaging';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { call, newMessaging, testConfig } from '../../spec/for-specs.ts';
import { fuzz } from '../../spec/http/fuzz.ts';

let database: TestDatabase;
let messaging: Messaging;
let plane: ControlPlane;

beforeAll(async () => {
  database = await createTestDatabase();
  messaging = newMessaging();
  plane = await startControlPlane(await testConfig(database.url, { FLEET_ROLES: 'api' }), { messaging });
  for (const id of ['c1', 'c2']) await call(plane.url, 'POST', '/api/v1/clusters', { body: { id } });
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await database?.drop();
});

describe('requests that nobody would make', () => {
  it('are answered without 5xx, and without a word of what lies behind: 5,000 of them', async () => {
    const { sent, statuses, faults } = await fuzz(plane.url, { requests: 5_000, seed: 7, atOnce: 8 });
    expect(faults).toEqual([]);
    expect(sent).toBe(5_000);
    // They reached what lies behind the doors, and were refused there, too.
    for (const status of [200, 400, 401, 404, 415])
      expect(statuses.get(status) ?? 0, `answers ${status}`).toBeGreaterThan(0);
  }, 600_000);
});
