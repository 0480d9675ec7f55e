import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { request } from 'node:https';
import type { Messaging } from '#libs/messaging';
import { createTestDatabase, type TestDatabase, newTls } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { ADMIN_TOKEN, newMessaging, testConfig } from '../../spec/for-specs.ts';
import { documentedRoutes, pathWith } from '../../spec/http/api-document.ts';

let database: TestDatabase;
let messaging: Messaging;
let plane: ControlPlane;

const operator = { authorization: `Bearer ${ADMIN_TOKEN}` };

beforeAll(async () => {
  database = await createTestDatabase();
  messaging = newMessaging();
  plane = await startControlPlane(
    await testConfig(database.url, { FLEET_ROLES: 'api', FLEET_ADMIN_TOKEN: ADMIN_TOKEN }),
    { messaging },
  );
});

afterAll(async () => {
  await plane?.stop();
  await messaging?.close();
  await database?.drop();
});

/** What every answer says to browsers and caches. */
const SAID = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};
const SAID_BY_THE_DOCS = {
  ...SAID,
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
};
/** What belongs to the connection or to one answer. */
const OF_THE_MOMENT = [
  'connection',
  'content-length',
  'content-type',
  'date',
  'etag',
  'keep-alive',
  'retry-after',
  'transfer-encoding',
  'www-authenticate',
];

async function said(path: string, init: RequestInit = {}): Promise<[number, Record<string, string>]> {
  const { status, headers } = await fetch(`${plane.url}${path}`, init);
  const lasting = [...headers].filter(([name]) => !OF_THE_MOMENT.includes(name));
  return [status, Object.fromEntries(lasting)];
}

describe('the headers of an answer', () => {
  it('are the same on every route, for operators and for strangers', async () => {
    const routes = await documentedRoutes(plane.url, operator);
    expect(routes.length).toBeGreaterThan(20);
    const statuses = new Set<number>();
    for (const route of routes) {
      for (const headers of [operator, {}]) {
        const [status, all] = await said(pathWith(route, 'c1'), {
          method: route.method,
          headers: { ...headers, 'content-type': 'application/json' },
          ...(route.method === 'GET' ? {} : { body: '{}' }),
        });
        statuses.add(status);
        expect([route.method, route.path, status, all]).toEqual([route.method, route.path, status, SAID]);
      }
    }
    for (const status of [200, 400, 401, 404]) expect([...statuses]).toContain(status);
  });

  it.each([
    ['an unknown route', 404, '/api/v1/nothing', {}],
    ['a body that is no JSON', 400, '/api/v1/clusters', { method: 'POST', body: '{' }],
    [
      'a body that is too large',
      413,
      '/api/v1/clusters',
      { method: 'POST', body: `{"name":"${'x'.repeat(1_100_000)}"}` },
    ],
    ['an address that cannot be read', 400, '/api/v1/clusters/%ff', {}],
  ])('are the same for %s', async (_, status, path, init) => {
    const headers = { ...operator, 'content-type': 'application/json' };
    expect(await said(path, { ...init, headers })).toEqual([status, SAID]);
  });

  it('let the pages of the description work from here alone, and be framed by nobody', async () => {
    const page = await (await fetch(`${plane.url}/api/docs`, { headers: operator })).text();
    const parts = [...page.matchAll(/(?:src|href)="([^"]+)"/g)]
      .map(([, part]) => part!)
      .filter((part) => !part.startsWith('#'));
    expect(parts.length).toBeGreaterThan(4);
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)/);
    for (const part of parts) {
      const { origin, pathname } = new URL(part, `${plane.url}/api/docs`);
      expect(origin).toBe(plane.url);
      const [status, { 'last-modified': _, 'accept-ranges': __, ...headers }] = await said(pathname, {
        headers: operator,
      });
      expect([part, status, headers]).toEqual([part, 200, SAID_BY_THE_DOCS]);
    }
    expect(await said('/api/docs')).toEqual([401, SAID_BY_THE_DOCS]);
  });

  it('demand TLS for the future where it is spoken, and only there', async () => {
    const { tls, ca } = await newTls();
    const log = newMessaging();
    const config = await testConfig(database.url, { FLEET_ROLES: 'api', FLEET_ADMIN_TOKEN: ADMIN_TOKEN });
    const other = await startControlPlane({ ...config, http: { ...config.http, tls } }, { messaging: log });
    try {
      const header = await new Promise((resolve, reject) => {
        request(`${other.url}/health/live`, { ca }, (response) => {
          response.resume();
          resolve(response.headers['strict-transport-security']);
        })
          .on('error', reject)
          .end();
      });
      expect(header).toBe('max-age=31536000');
    } finally {
      await other.stop();
      await log.close();
    }
  });
});
