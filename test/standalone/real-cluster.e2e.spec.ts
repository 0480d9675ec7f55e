/** `npm start -- --kubeconfig`: the launcher serves a real cluster; nothing was prepared in it. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  eventually,
  startKubernetes,
  startProcess,
  temporaryFolder,
  type KubernetesRig,
  type TemporaryFolder,
  type TestProcess,
} from '#libs/testing';

const program = join(import.meta.dirname, '../../dist/services/standalone/src/main.js');

describe('npm start -- --kubeconfig', () => {
  let folder: TemporaryFolder;
  let kubernetes: KubernetesRig;
  let fleet: TestProcess;

  beforeAll(async () => {
    folder = temporaryFolder('npm-start-kubeconfig');
    kubernetes = await startKubernetes();
    fleet = await startProcess({
      name: 'npm-start-kubeconfig',
      command: process.execPath,
      args: [
        program,
        '--plain',
        '--port',
        '0',
        '--data-dir',
        join(folder.path, 'data'),
        '--kubeconfig',
        kubernetes.cluster.kubeconfig,
      ],
      env: { CLUSTER_DNS: '10.96.0.10' },
      stopSignal: 'SIGINT',
      ready: (started) => /serving cluster cluster-/.test(started.logText()),
    });
  });

  afterAll(async () => {
    await fleet?.stop();
    await fleet?.removeLog();
    await kubernetes?.stop();
    await folder.remove();
  });

  it('runs a labelled pod of kubectl on the virtual node, and takes it away again', async () => {
    const kubectl = (...args: string[]) => kubernetes.cluster.kubectl(args);
    await eventually(
      async () => (await kubectl('get', 'mutatingwebhookconfigurations', '-o', 'name')).stdout.includes('eci-fleet'),
      {
        what: 'the steering webhook',
        deadlineMs: 30_000,
      },
    );
    // The service account of a new namespace takes a moment.
    await eventually(async () => (await kubectl('get', 'serviceaccount', 'default', '-o', 'name')).stdout !== '', {
      what: 'the default service account',
      deadlineMs: 30_000,
    });
    await kubectl('run', 'nginx', '--image=nginx', '-l', 'alibabacloud.com/eci=true');
    await kubectl('wait', '--for=condition=Ready', 'pod/nginx', '--timeout=50s');
    expect((await kubectl('get', 'pod', 'nginx', '-o', 'wide')).stdout).toMatch(
      /Running.*10\.\d+\.\d+\.\d+.*virtual-kubelet/,
    );
    await kubectl('delete', 'pod', 'nginx', '--timeout=50s');
    expect((await kubectl('get', 'pods', '-o', 'name')).stdout).toBe('');
  });
});
