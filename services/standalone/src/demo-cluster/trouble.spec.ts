import { afterAll, beforeAll, expect, it } from 'vitest';
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

const pods = (query = ''): Promise<Response> => fetch(`${cluster.url}/api/v1/pods${query}`);

it('answers as it is told to, and again as it should', async () => {
  refuses = true;
  const refused = await pods();
  expect(refused.status).toBe(500);
  expect(await refused.json()).toMatchObject({ kind: 'Status', message: 'etcdserver: request timed out' });
  expect((await fetch(`${cluster.url}/api/v1/nodes`)).status).toBe(200);

  refuses = false;
  expect((await pods()).status).toBe(200);
});

it('forgets history: a watch from before must list again', async () => {
  const before = (await (await pods()).json()) as { metadata: { resourceVersion: string } };
  await fetch(`${cluster.url}/api/v1/namespaces/default/configmaps`, {
    method: 'POST',
    body: JSON.stringify({ metadata: { name: 'change' } }),
  });
  cluster.forgetHistory();

  const watch = await pods(`?watch=true&resourceVersion=${before.metadata.resourceVersion}`);
  expect(watch.status).toBe(410);
});
