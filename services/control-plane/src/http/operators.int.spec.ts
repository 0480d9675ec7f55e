import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Messaging } from '#libs/messaging';
import { createLogger } from '#libs/observability';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../control-plane.ts';
import { ADMIN_TOKEN, call, newMessaging, StandingClock, testConfig } from '../../spec/for-specs.ts';

let database: TestDatabase;
let messaging: Messaging;
let guarded: ControlPlane;
let open: ControlPlane;
const clock = new StandingClock();
const lines: string[] = [];

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` });
const wrong = 'canary-wrong-token';
const INSECURE = {
  setting: 'KAFKA_BROKERS',
  host: 'kafka.example',
  why: 'what goes there travels in clear',
  allowedBy: 'KAFKA_INSECURE',
};

beforeAll(async () => {
  database = await createTestDatabase();
  messaging = newMessaging();
  const config = await testConfig(database.url, { FLEET_ROLES: 'api' });
  const destination = { write: (line: string) => void lines.push(line) };
  open = await startControlPlane(config, { messaging });
  guarded = await startControlPlane(
    { ...config, http: { ...config.http, adminToken: ADMIN_TOKEN }, insecureTransports: [INSECURE] },
    { messaging, clock, logger: createLogger({ level: 'info', service: 'spec', destination }) },
  );
});

afterAll(async () => {
  await guarded?.stop();
  await open?.stop();
  await messaging?.close();
  await database?.drop();
});

const ask = (path: string, headers: Record<string, string> = {}) => call(guarded.url, 'GET', path, { headers });
const statusOf = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
  (await fetch(`${guarded.url}${path}`, { headers })).status;

const DOCS = [
  '/api/docs',
  '/api/docs/',
  '/API/Docs',
  '/api/docs/index.html',
  '/api/docs/swagger-ui-init.js',
  '/api/docs-json',
  '/api/docs-yaml',
];

describe('the description of the API', () => {
  it.each(DOCS)('is for operators: %s', async (path) => {
    expect(await statusOf(path)).toBe(401);
    expect(await statusOf(path, bearer(ADMIN_TOKEN))).toBe(200);
  });

  it('asks a browser for the token as a password, which no other route takes', async () => {
    const { headers } = await fetch(`${guarded.url}/api/docs`);
    expect(headers.get('www-authenticate')).toContain('Basic realm=');
    expect(await statusOf('/api/docs', basic(`anyone:${ADMIN_TOKEN}`))).toBe(200);
    const other = await fetch(`${guarded.url}/api/v1/clusters`, { headers: basic(`anyone:${ADMIN_TOKEN}`) });
    expect(other.status).toBe(401);
    expect(other.headers.get('www-authenticate')).toBe('Bearer');
  });
});

describe('readiness', () => {
  it('tells a probe whether, and an operator what and why', async () => {
    const probed = await ask('/health/ready');
    expect([probed.status, probed.body]).toEqual([200, { status: 'ready' }]);
    expect(await ask('/health/ready', bearer(ADMIN_TOKEN))).toMatchObject({
      status: 200,
      body: { status: 'ready', checks: expect.any(Array), setAside: [], insecureTransports: [INSECURE] },
    });
    expect(await statusOf('/health/ready', { ...bearer(ADMIN_TOKEN), host: 'fleet.example' })).toBe(200);
    expect(await statusOf('/health/live')).toBe(200);
  });
});

describe('what leaves this machine in clear, as allowed', () => {
  it('is said at the start and measured; nothing of it where all is sound', async () => {
    expect(lines.filter((line) => line.includes('a transport is not secure'))).toEqual([
      expect.stringContaining('"setting":"KAFKA_BROKERS"'),
    ]);
    const metricsOf = async (plane: ControlPlane): Promise<string> =>
      (await fetch(`${plane.url}/metrics`, { headers: bearer(ADMIN_TOKEN) })).text();
    expect(await metricsOf(guarded)).toContain('eci_fleet_insecure_transport{setting="KAFKA_BROKERS"} 1');
    expect(await metricsOf(open)).not.toContain('eci_fleet_insecure_transport{');
    expect(await ask('/health/ready')).not.toHaveProperty('body.insecureTransports');
  });
});

describe('a page that rebinds its name to loopback', () => {
  const reached = (path: string, headers: Record<string, string>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      // `fetch` does not let us lie about the host.
      const { hostname, port } = new URL(open.url);
      request({ hostname, port, path, headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });

  it.each(['/health/ready', '/metrics', '/api/v1/clusters', ...DOCS])('reads nothing: %s', async (path) => {
    const { host } = new URL(open.url);
    expect(await reached(path, {})).toBe(200);
    expect(await reached(path, { host: 'rebound.example' })).toBe(403);
    expect(await reached(path, { host, origin: 'https://elsewhere.example' })).toBe(403);
  });
});

describe('wrong tokens', () => {
  it('are refused, then told to wait; the right one is let in at any time; the log knows the address, never the token', async () => {
    // given more wrong tokens than a person types
    const statuses: number[] = [];
    for (let i = 0; i < 30; i++) statuses.push(await statusOf('/api/v1/clusters', bearer(`${wrong}-${i}`)));

    // then the first are told that they are wrong, and the others to wait
    expect(statuses.slice(0, 10)).toEqual(Array<number>(10).fill(401));
    expect(statuses.slice(10)).toEqual(Array<number>(20).fill(429));
    const throttled = await ask('/health/ready', bearer(wrong));
    expect(throttled).toMatchObject({ status: 429, body: { type: 'urn:eci-fleet:problem:refused-too-often' } });
    expect(Number(throttled.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await statusOf('/api/docs', basic(`x:${wrong}`))).toBe(429);

    // and who is right, or says nothing, has the answer of any other day
    expect(await statusOf('/api/v1/clusters', bearer(ADMIN_TOKEN))).toBe(200);
    expect(await statusOf('/health/ready')).toBe(200);
    expect(await statusOf('/api/v1/clusters')).toBe(401);

    const said = lines.filter((line) => line.includes('wrong admin token'));
    expect(said).toHaveLength(1);
    expect(JSON.parse(said[0]!)).toMatchObject({ level: 'warn', address: '127.0.0.1' });
    expect(lines.join('')).not.toContain('canary');

    const metrics = await (await fetch(`${guarded.url}/metrics`, { headers: bearer(ADMIN_TOKEN) })).text();
    const count = (reason: string): number =>
      Number(new RegExp(`eci_fleet_operators_refused_total\\{reason="${reason}"\\} (\\d+)`).exec(metrics)?.[1] ?? 0);
    expect(count('wrong')).toBeGreaterThanOrEqual(10);
    expect(count('throttled')).toBeGreaterThanOrEqual(20);
    expect(count('none')).toBeGreaterThanOrEqual(1);
    expect(metrics).not.toContain('canary');

    // when a minute has passed, they may be wrong again, and it is said again
    clock.forward(61_000);
    expect(await statusOf('/api/v1/clusters', bearer(wrong))).toBe(401);
    expect(lines.filter((line) => line.includes('wrong admin token'))).toHaveLength(2);
  });
});
