import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Messaging } from '#libs/messaging';
import { SystemClock, SystemIds } from '#libs/runtime';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import type { ControlPlaneConfig } from '../config.ts';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { call, newMessaging, testConfig } from '../../spec/for-specs.ts';
import { AccountChanges } from './account-changes.ts';

const SECRETS = { TEAM_KEY_ID: 'LTAIcanary', TEAM_KEY_SECRET: 'canary-team-secret' };
const KEY = { kind: 'environment', accessKeyIdVariable: 'TEAM_KEY_ID', accessKeySecretVariable: 'TEAM_KEY_SECRET' };

let database: TestDatabase;
let pool: pg.Pool;
let messaging: Messaging;
let config: ControlPlaneConfig;
let plane: ControlPlane;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 4 });
  messaging = newMessaging();
  config = await testConfig(database.url, {
    ...SECRETS,
    FLEET_ROLES: 'api',
    FLEET_CREDENTIALS: JSON.stringify({ team: KEY, newer: KEY }),
  });
  plane = await startControlPlane(config, { messaging });
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await pool?.end();
  await database?.drop();
});

interface Told {
  readonly type: string;
  readonly actor: string;
  readonly data: Record<string, unknown>;
}

async function historyOf(id: string): Promise<readonly Told[]> {
  const { body } = await call<{ items: readonly Told[] }>(plane.url, 'GET', `/api/v1/accounts/${id}/history`);
  return body.items.map(({ type, actor, data }) => ({ type, actor, data }));
}

const changes = (): AccountChanges => new AccountChanges({ pool, clock: new SystemClock(), ids: new SystemIds() });

describe('the history of an account', () => {
  it('tells who added and changed it and why, and holds no key', async () => {
    const settings = { id: 'team', name: 'Team', regions: ['cn-hangzhou'], quotas: { create: { perMinute: 60 } } };
    const added = await call(plane.url, 'POST', '/api/v1/accounts', {
      body: { ...settings, credential: 'team', reason: 'a new team' },
    });
    const changed = await call(plane.url, 'PUT', '/api/v1/accounts/team/credential', {
      body: { credential: 'newer', reason: 'the key was old' },
    });
    const again = await call(plane.url, 'PUT', '/api/v1/accounts/team/credential', { body: { credential: 'newer' } });
    expect([added.status, changed.status, again.status]).toEqual([201, 200, 200]);

    const { id: _, ...facts } = { ...settings, source: 'api' };
    const actor = 'operator:admin';
    expect(await historyOf('team')).toEqual([
      { type: 'AccountAdded', actor, data: { ...facts, credential: 'team', reason: 'a new team' } },
      { type: 'AccountChanged', actor, data: { ...facts, credential: 'newer', reason: 'the key was old' } },
    ]);
    const { rows } = await pool.query<{ text: string }>(
      `select string_agg(data::text || metadata::text, ' ') as text from es.event`,
    );
    expect(rows[0]!.text).not.toMatch(/canary|TEAM_KEY|ECI_ACCESS_KEY/);
  });

  it('of the configuration begins with the start that added it, and grows by no other that finds it so', async () => {
    const another = await startControlPlane(config, { messaging });
    await another.stop();
    expect(await historyOf('default')).toMatchObject([
      {
        type: 'AccountAdded',
        actor: 'control-plane:configuration',
        data: { name: 'default', source: 'configuration' },
      },
    ]);
    expect(await changes().tellUntold()).toBe(0);
  });

  it('of a release without streams of accounts is imported once, and what that release changes is told', async () => {
    await pool.query(
      `insert into fleet.account (id, name, credential, regions, endpoint, quotas, source, created_at, updated_at)
       values ('old', 'Old', '{"kind": "file", "path": "/run/key.json"}', '{}', 'https://somebody:canary-pass@eci.example', '{}', 'api', now(), now())`,
    );
    await Promise.all([1, 2, 3].map(() => changes().tellUntold()));
    await pool.query(`update fleet.account set name = 'Older' where id = 'old'`);
    expect(await changes().tellUntold()).toBe(1);
    await call(plane.url, 'PUT', '/api/v1/accounts/old/credential', { body: { credential: 'team' } });
    const history = await historyOf('old');
    expect(history.map(({ type, actor, data }) => [type, actor, data['name'], data['credential']])).toEqual([
      ['AccountImported', 'control-plane:housekeeping', 'Old', undefined],
      ['AccountChangedElsewhere', 'control-plane:housekeeping', 'Older', undefined],
      ['AccountChanged', 'operator:admin', 'Older', 'team'],
    ]);
    const written = JSON.stringify(history);
    expect(written).toContain('credentialDigest');
    expect(written).not.toMatch(/canary|key\.json/);
  });

  it('is not there for an account that is not', async () => {
    expect((await call(plane.url, 'GET', '/api/v1/accounts/nobody/history')).status).toBe(404);
  });
});
