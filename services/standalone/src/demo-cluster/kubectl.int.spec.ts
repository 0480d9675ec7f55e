/** What people type who were shown `npm start`: an unmodified kubectl on the demo cluster. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, prepareKubernetes, startProcess, temporaryFolder, type TemporaryFolder } from '#libs/testing';
import { kubectlCommand } from '../kubectl-command.ts';
import { startDemoCluster, type DemoCluster } from './demo-cluster.ts';
import { RESOURCES } from './resources.ts';

let cluster: DemoCluster;
let folder: TemporaryFolder;
let program: string;
let kubeconfig: string;

const run = async (command: string): Promise<string> => {
  const env = { PATH: `${join(program, '..')}:${process.env['PATH']}`, HOME: folder.path };
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { env, timeout: 60_000 });
  return stdout;
};
const kubectl = (args: string): Promise<string> => run(`kubectl --kubeconfig "${kubeconfig}" ${args}`);
const post = async (path: string, body: unknown): Promise<void> => {
  expect((await cluster.ask('POST', path, body)).status).toBe(201);
};
const rows = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map((line) => line.split(/ {2,}/));

beforeAll(async () => {
  program = (await prepareKubernetes()).kubectl;
  folder = temporaryFolder('demo kubectl');
  cluster = await startDemoCluster({
    onError: (error) => {
      throw error;
    },
  });
  kubeconfig = join(folder.path, "the demo's kubeconfig");
  await writeFile(kubeconfig, cluster.kubeconfig);
  await post('/api/v1/nodes', {
    metadata: { name: 'virtual-kubelet', labels: { 'node-role.kubernetes.io/agent': '' } },
    // Nobody serves it here: pods are left as they are.
    spec: { taints: [{ key: 'nobody', effect: 'NoSchedule' }] },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      nodeInfo: { kubeletVersion: 'v1.37.0' },
      addresses: [{ type: 'InternalIP', address: '10.0.0.9' }],
    },
  });
  await post('/api/v1/namespaces/checkout/pods', {
    metadata: { name: 'web' },
    spec: { containers: [{ name: 'main', image: 'nginx' }] },
    status: {
      phase: 'Running',
      podIP: '10.0.0.1',
      containerStatuses: [{ name: 'main', ready: true, restartCount: 2, state: { running: {} } }],
    },
  });
  await post('/api/v1/namespaces/search/pods', {
    metadata: { name: 'broken' },
    spec: { containers: [{ name: 'main', image: 'nginx' }] },
    status: {
      phase: 'Failed',
      containerStatuses: [
        { name: 'main', ready: false, state: { terminated: { reason: 'OOMKilled', exitCode: 137 } } },
      ],
    },
  });
});
afterAll(async () => {
  await cluster.stop();
  await folder.remove();
});

describe('kubectl', () => {
  it('prints the pods of all namespaces by the command that people are shown', async () => {
    const table = rows(await run(kubectlCommand(kubeconfig)));
    expect(table[0]).toEqual(['NAMESPACE', 'NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE']);
    expect(table.slice(1).map((row) => row.slice(0, 5))).toEqual(
      expect.arrayContaining([
        ['checkout', 'web', '1/1', 'Running', '2'],
        ['search', 'broken', '0/1', 'OOMKilled', '0'],
      ]),
    );
  });

  it('prints nodes, wide as well', async () => {
    const table = rows(await kubectl('get nodes -o wide'));
    expect(table[0]?.slice(0, 6)).toEqual(['NAME', 'STATUS', 'ROLES', 'AGE', 'VERSION', 'INTERNAL-IP']);
    expect(table[1]?.slice(0, 3)).toEqual(['virtual-kubelet', 'Ready', 'agent']);
    expect(table[1]).toEqual(expect.arrayContaining(['v1.37.0', '10.0.0.9']));
  });

  it('knows every resource of the cluster by name, and lists it', async () => {
    const named = (await kubectl('api-resources -o name')).trim().split('\n');
    expect(named.sort()).toEqual(RESOURCES.map((r) => (r.group ? `${r.plural}.${r.group}` : r.plural)).sort());
    for (const name of named) await kubectl(`get ${name} -A`);
    for (const name of RESOURCES.flatMap((r) => r.shortNames)) await kubectl(`get ${name} -A`);
  });

  it('describes, changes and deletes', async () => {
    expect(await kubectl('describe pod web -n checkout')).toMatch(/Status: +Running/);
    await kubectl('run mine --image=nginx --labels=app=mine');
    expect(await kubectl('get pods -l app=mine -o name')).toBe('pod/mine\n');
    await kubectl('annotate pod mine note=kept');
    expect(await kubectl("get pod mine -o jsonpath='{.metadata.annotations.note}'")).toBe('kept');
    const manifest = join(folder.path, 'settings.json');
    const settings = (a: string): string =>
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { a } });
    for (const value of ['1', '2']) {
      await writeFile(manifest, settings(value));
      await kubectl(`apply -f '${manifest}'`);
    }
    expect(await kubectl("get configmap settings -o jsonpath='{.data.a}'")).toBe('2');
    await kubectl('delete pod mine');
    expect(await kubectl('get pods -l app=mine -o name')).toBe('');
  });

  it('watches in rows', async () => {
    const pods = '/api/v1/namespaces/reports/pods';
    const spec = { containers: [{ name: 'main', image: 'nginx' }] };
    await post(pods, { metadata: { name: 'early' }, spec });
    const watching = await startProcess({
      name: 'kubectl-watch',
      command: program,
      args: ['--kubeconfig', kubeconfig, 'get', 'pods', '-n', 'reports', '--watch'],
      env: { HOME: folder.path },
      ready: (started) => started.logText().includes('early'),
    });

    await post(pods, { metadata: { name: 'late' }, spec });
    await eventually(() => /late +0\/1 +Pending/.test(watching.logText()), {
      what: 'the row of the new pod',
      deadlineMs: 30_000,
    });
    await watching.stop();
    await watching.removeLog();
  });

  it('is told what the demo cluster does not have', async () => {
    await expect(kubectl('logs web -n checkout')).rejects.toThrow(/no log of pods/);
    await expect(kubectl('get deployments')).rejects.toThrow(/doesn't have a resource type "deployments"/);
  });
});
