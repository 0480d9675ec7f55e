import { request } from 'node:https';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startDemoCluster, type DemoCluster } from './demo-cluster.ts';

let cluster: DemoCluster;

beforeAll(async () => {
  cluster = await startDemoCluster({
    onError: (error) => {
      throw error;
    },
  });
});
afterAll(() => cluster.stop());

const statusOf = (path: string, headers: Record<string, string>): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const asked = request(
      `${cluster.url}${path}`,
      { headers, agent: false, ca: cluster.ca, servername: 'localhost' },
      (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode));
      },
    );
    asked.on('error', reject).end();
  });

const PATHS = ['/api', '/apis', '/version', '/readyz', '/api/v1/secrets', '/api/v1/pods?watch=true', '/nowhere'];

it('a caller with the token of the kubeconfig has answers', async () => {
  expect(cluster.kubeconfig).toContain(cluster.token);
  expect(await statusOf('/api/v1/secrets', { authorization: `Bearer ${cluster.token}` })).toBe(200);
});

it.each<readonly [string, () => Record<string, string>, number]>([
  ['no token', () => ({}), 401],
  ['a wrong token', () => ({ authorization: 'Bearer demo' }), 401],
  [
    'the name of a page that leads here',
    () => ({ authorization: `Bearer ${cluster.token}`, host: 'rebind.evil.example' }),
    403,
  ],
  [
    'a page of another origin',
    () => ({ authorization: `Bearer ${cluster.token}`, origin: 'http://evil.example' }),
    403,
  ],
])('a caller with %s has none, whatever it asks', async (_, headers, status) => {
  for (const path of PATHS) expect([path, await statusOf(path, headers())]).toEqual([path, status]);
});

it('a request of its own client arrives whole, whatever its method and body', async () => {
  const pods = '/api/v1/namespaces/default/pods';
  for (const [name, options] of [
    ['with-options', { gracePeriodSeconds: 0 }],
    ['with-nothing-in-them', {}],
    ['without-them', undefined],
  ] as const) {
    const pod = { metadata: { name }, spec: { containers: [{ name: 'ä', image: 'nginx' }] } };
    expect((await cluster.ask('POST', pods, pod)).status).toBe(201);
    expect((await cluster.ask('DELETE', `${pods}/${name}`, options)).status).toBe(200);
    expect((await cluster.ask('GET', `${pods}/${name}`)).status).toBe(404);
  }
});

it('the token is another one at each start', async () => {
  const other = await startDemoCluster({ onError: () => undefined });
  try {
    expect(other.token).not.toBe(cluster.token);
  } finally {
    await other.stop();
  }
});
