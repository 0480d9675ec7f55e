/** What `npm start` runs, as a process of its own: once, stopped by Ctrl-C, and again on the same data folder. */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  eventually,
  listeningSockets,
  prepareKubernetes,
  startProcess,
  temporaryFolder,
  type TemporaryFolder,
  type TestProcess,
} from '#libs/testing';

import { guardOf } from './doors.ts';

const program = join(import.meta.dirname, '../../dist/services/standalone/src/main.js');

interface Overview {
  readonly total: number;
  readonly byLife: Record<string, number>;
  readonly byZone: Record<string, number>;
  readonly byCluster: readonly { readonly clusterId: string }[];
  readonly lastEvents: readonly unknown[];
}

interface LedgerGroup {
  readonly containerGroupId: string;
  readonly status: string;
  readonly tags: Record<string, string>;
}

async function getJson<T>(address: string): Promise<T> {
  const url = new URL(address);
  const { password } = url;
  url.username = url.password = '';
  const answer = await fetch(url, password === '' ? {} : { headers: { authorization: `Bearer ${password}` } });
  expect(answer.status, url.href).toBe(200);
  return (await answer.json()) as T;
}

function told(process: TestProcess, pattern: RegExp): string {
  const found = [...process.logText().matchAll(new RegExp(pattern, 'g'))].at(-1)?.[1];
  if (!found) throw new Error(`it has not said ${pattern} yet`);
  return found;
}

const apiOf = (process: TestProcess): string => told(process, /API on (\S+),/);
const simulatorOf = (process: TestProcess): string => told(process, /break it by (\S+)/);
const clusterOf = (process: TestProcess): string => told(process, /serving cluster ([^;\s]+);/);

const start = (dataDir: string): Promise<TestProcess> =>
  startProcess({
    name: 'npm-start',
    command: process.execPath,
    args: [program, '--plain', '--port', '0', '--data-dir', dataDir],
    stopSignal: 'SIGINT',
    ready: (started) => apiOf(started) !== '',
  });

const running = (apiUrl: string, atLeast: number): Promise<Overview> =>
  eventually(
    async () => {
      const overview = await getJson<Overview>(`${apiUrl}/api/v1/overview`);
      return (overview.byLife['running'] ?? 0) >= atLeast ? overview : undefined;
    },
    { what: `${atLeast} running container groups`, deadlineMs: 60_000 },
  ) as Promise<Overview>;

/** Ids of open groups by pod; more than one for a pod would be a doubled group. */
async function openByPod(control: string): Promise<Map<string, string[]>> {
  const { groups } = await getJson<{ groups: LedgerGroup[] }>(`${control}/ledger/groups?open=true&limit=1000`);
  const byPod = new Map<string, string[]>();
  for (const group of groups) {
    const uid = group.tags['eci-fleet-pod-uid'] ?? '';
    byPod.set(uid, [...(byPod.get(uid) ?? []), group.containerGroupId]);
  }
  return byPod;
}

describe('npm start', () => {
  let folder: TemporaryFolder;
  let fleet: TestProcess;

  beforeAll(async () => {
    folder = temporaryFolder('npm-start');
    fleet = await start(join(folder.path, 'data'));
  });

  afterAll(async () => {
    await fleet.stop();
    await fleet.removeLog();
    await folder.remove();
  });

  it('brings demo pods to life, and shows clusters, states, zones and events', async () => {
    const overview = await running(apiOf(fleet), 3);
    expect(overview.byCluster.map((c) => c.clusterId)).toEqual([clusterOf(fleet)]);
    expect(Object.keys(overview.byZone).length).toBeGreaterThan(0);
    expect(overview.lastEvents.length).toBeGreaterThan(0);
    expect(fleet.logText()).toContain('--kubeconfig <file>');
    expect(fleet.logText()).toMatch(/ContainerGroupLanded|PodIntentAccepted|PlacementChosen/);
  });

  it('names a command for kubectl that works as it is printed', async () => {
    await running(apiOf(fleet), 1);
    const { kubectl } = await prepareKubernetes();
    const { stdout } = await promisify(execFile)('sh', ['-c', told(fleet, /its pods: (kubectl .+)/)], {
      env: { PATH: `${dirname(kubectl)}:${process.env['PATH']}`, HOME: folder.path },
    });
    expect(stdout).toMatch(/^NAMESPACE +NAME +READY +STATUS +RESTARTS +AGE\n/);
    expect(stdout).toMatch(/^(checkout|search|reports) +(web|batch)-\S+ +\d\/1 /m);
  });

  it.runIf(process.platform === 'linux')(
    'opens no port that answers a page in a browser, or somebody without a password',
    async () => {
      await running(apiOf(fleet), 1);
      const sockets = listeningSockets(fleet.pid);
      const guards = await Promise.all(sockets.map(guardOf));
      // API, control API with the cloud's, health of the agent; API server of the demo cluster, webhook; PostgreSQL. Kafka is the memory of the process.
      expect(guards.sort()).toEqual([
        ...Array<string>(3).fill('refuses foreign hosts and origins'),
        ...Array<string>(2).fill('speaks TLS of a CA that no browser knows'),
        'wants a password',
      ]);
      expect(sockets.map(({ address }) => address)).toEqual(sockets.map(() => '127.0.0.1'));
    },
  );

  it('shows nothing of the cloud to who does not know the printed URL', async () => {
    const { origin, pathname, username, password } = new URL(simulatorOf(fleet));
    expect((await fetch(`${origin}${pathname}/ledger`)).status).toBe(401);
    // As a browser and curl send what is in a URL.
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    expect((await fetch(`${origin}${pathname}/ledger`, { headers: { authorization } })).status).toBe(200);
  });

  it('serves its documentation', async () => {
    expect((await fetch(`${apiOf(fleet)}/api/docs`)).status).toBe(200);
  });

  it('stops cleanly on Ctrl-C, and goes on from its data folder with no group lost or doubled', async () => {
    const clusterId = clusterOf(fleet);
    const before = await openByPod(simulatorOf(fleet));
    const exit = await fleet.stop();
    expect(exit).toMatchObject({ code: 0 });
    expect(fleet.logText()).toContain('stopped');

    await fleet.removeLog();
    fleet = await start(join(folder.path, 'data'));
    expect(clusterOf(fleet)).toBe(clusterId);
    await running(apiOf(fleet), 1);
    const ledger = await getJson<{ tokensWithSeveralGroups: unknown }>(`${simulatorOf(fleet)}/ledger`);
    expect(ledger.tokensWithSeveralGroups).toSatisfy(
      (value) => value === 0 || (Array.isArray(value) && value.length === 0),
    );
    const after = await openByPod(simulatorOf(fleet));
    for (const [uid, ids] of after) {
      expect(ids, `groups of pod ${uid}`).toHaveLength(1);
      // A pod that had a group keeps it.
      if (before.has(uid)) expect(ids).toEqual(before.get(uid));
    }
  });

  it('refuses a second start on a folder that is in use', async () => {
    const second = await startProcess({
      name: 'npm-start-second',
      command: process.execPath,
      args: [program, '--plain', '--port', '0', '--data-dir', join(folder.path, 'data')],
    });
    expect(await second.exited()).toMatchObject({ code: 1 });
    expect(second.logText()).toMatch(/in use by process \d+/);
    await second.removeLog();
  });

  it('says what is wrong with its options, and exits with 2', async () => {
    const wrong = await startProcess({
      name: 'npm-start-wrong',
      command: process.execPath,
      args: [program, '--port', 'high'],
    });
    expect(await wrong.exited()).toMatchObject({ code: 2 });
    expect(wrong.logText()).toContain('--port takes a number from 0 to 65535');
    await wrong.removeLog();
  });
});
