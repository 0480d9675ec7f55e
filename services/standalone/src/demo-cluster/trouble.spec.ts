import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Answered } from './client.ts';
import { startDemoCluster, type DemoCluster } from './demo-cluster.ts';

let cluster: DemoCluster;
let refuses = false;

beforeAll(async () => {
  cluster = await startDemoCluster({
    onError: (error) => {
      throw error;
    },
    refuse: ({ verb, kind }) =>
      refuses && verb === 'list' && kind === 'Pod'
        ? { code: 500, reason: 'InternalError', message: 'etcdserver: request timed out' }
        : undefined,
  });
});
afterAll(() => cluster.stop());

const pods = (query = ''): Promise<Answered> => cluster.ask('GET', `/api/v1/pods${query}`);

it('answers as it is told to, and again as it should', async () => {
  refuses = true;
  const refused = await pods();
  expect(refused.status).toBe(500);
  expect(refused.body).toMatchObject({ kind: 'Status', message: 'etcdserver: request timed out' });
  expect((await cluster.ask('GET', '/api/v1/nodes')).status).toBe(200);

  refuses = false;
  expect((await pods()).status).toBe(200);
});

it('forgets history: a watch from before must list again', async () => {
  const before = (await pods()).body as { metadata: { resourceVersion: string } };
  await cluster.ask('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'change' } });
  cluster.forgetHistory();

  const watch = await pods(`?watch=true&resourceVersion=${before.metadata.resourceVersion}`);
  expect(watch.status).toBe(410);
});
