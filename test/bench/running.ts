import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { eventually, type KubernetesCluster } from '#libs/testing';
import { ApiRequests } from './api-requests.ts';
import { boundPod, inParallel, NODE, startAgent, startCluster, watchRunningPods } from './cluster.ts';
import { atLeast, milliseconds, percentile, rate, ratio, seconds, type Figure } from './figures.ts';
import { ProcessorTime } from './processor-time.ts';
import { startRig, type Undo } from './rig.ts';

/** Requests of ours to the API server at the same time. */
const PARALLEL = 32;
/** Enough that every process runs compiled code, as services do that have been up for a while. */
const WARM_UP = 300;
const PROFILE_SECONDS = 6;

/**
 * Bound pods until the last is Running for everybody who asks the API server; the cloud has no limits and takes no time. Twice: pods that are
 * bound already when the agent first sees them, as after an outage of it (that is how others were measured), and pods that come while it works,
 * where making them competes for the same processors.
 */
export async function running(undo: Undo, pods: number, profile: string | undefined): Promise<readonly Figure[]> {
  const [rig, { cluster, processes }] = await Promise.all([startRig(undo, profile), startCluster(undo)]);
  const patches = await patchesASecond(cluster, pods);
  const simulator = await rig.simulator({ latencies: { factor: 0 }, buckets: 'unlimited', account: { maxCpu: 1e9 } });
  const { url } = await rig.controlPlane({ simulator });
  const agent = await startAgent(rig, cluster, url);

  const runs = new Map<string, number>();
  const watch = await watchRunningPods(cluster, NODE, (pod) => {
    if (pod.status?.phase === 'Running' && !runs.has(pod.metadata.name)) runs.set(pod.metadata.name, performance.now());
  });
  undo.add(() => watch.end());
  const names = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  const bind = (wanted: readonly string[], onBound: (name: string) => void = () => undefined): Promise<void> =>
    inParallel(wanted, PARALLEL, async (name) => {
      await cluster.api.call('POST', '/api/v1/namespaces/default/pods', boundPod(name, NODE));
      onBound(name);
    });
  const allRun = (wanted: readonly string[]): Promise<unknown> =>
    eventually(
      () => {
        if (wanted.every((name) => runs.has(name))) return true;
        throw new Error(`${wanted.filter((name) => runs.has(name)).length} of ${wanted.length} are`);
      },
      { what: 'all pods are Running', deadlineMs: 120_000 + wanted.length * 300, everyMs: 20 },
    );
  const lastOf = (wanted: readonly string[]): number => Math.max(...wanted.map((name) => runs.get(name)!));

  const first = names('warm-up', WARM_UP);
  await bind(first);
  await allRun(first);

  const found = names('found', pods);
  agent.process.pause();
  await bind(found);
  const time = new ProcessorTime({ ...processes, ...rig.processes });
  const requests = new ApiRequests(cluster);
  await requests.begin();
  time.begin();
  const profiled = profile === undefined ? undefined : profileApiServer(cluster, profile);
  const began = performance.now();
  agent.process.resume();
  await allRun(found);
  const per = { count: pods, unit: 'pod' };
  const processors = time.end(per);
  const asked = await requests.end(per);
  await profiled;
  const foundMs = lastOf(found) - began;
  const ours = (pods / foundMs) * 1_000;

  const coming = names('coming', pods);
  const boundAt = new Map<string, number>();
  time.begin();
  const comingFrom = performance.now();
  await bind(coming, (name) => boundAt.set(name, performance.now()));
  const boundMs = performance.now() - comingFrom;
  await allRun(coming);
  const comingProcessors = time.end(per);
  const comingMs = lastOf(coming) - comingFrom;
  const each = coming.map((name) => runs.get(name)! - boundAt.get(name)!);
  return [
    { what: `${pods} bound pods all Running after`, value: seconds(foundMs) },
    { what: 'bound → Running', value: rate(ours, 'pods'), aim: atLeast(135, ours, (v) => rate(v, 'pods')) },
    { what: 'baseline: status patches of the API server', value: rate(patches, 'patches') },
    { what: 'of the baseline', value: ratio(ours / patches) },
    { what: 'requests to the API server', value: asked },
    { what: 'processors', value: processors },
    {
      what: `${pods} more while the agent works`,
      value: `bound after ${seconds(boundMs)}, Running after ${seconds(comingMs)}: ${rate((pods / comingMs) * 1_000, 'pods')}`,
    },
    {
      what: 'of these one pod, bound → Running, p50 and p99',
      value: `${milliseconds(percentile(each, 0.5))}, ${milliseconds(percentile(each, 0.99))}`,
    },
    { what: 'processors', value: comingProcessors },
  ];
}

/** What the API server spends its time on, for `go tool pprof`. */
async function profileApiServer(cluster: KubernetesCluster, folder: string): Promise<void> {
  const { server, authority: ca, certificate: cert, key } = cluster.connection;
  const dispatcher = new Agent({ connect: { ca, cert, key } });
  const answer = await request(`${server}/debug/pprof/profile?seconds=${PROFILE_SECONDS}`, { dispatcher });
  await writeFile(join(folder, 'kube-apiserver.pprof'), Buffer.from(await answer.body.arrayBuffer()));
  await dispatcher.destroy();
}

/** How many pod statuses this API server can take in a second from one client. The pods are on a node of their own, and are removed. */
async function patchesASecond(cluster: KubernetesCluster, count: number): Promise<number> {
  const node = await cluster.addHealthyNode();
  const names = Array.from({ length: count }, (_, index) => `patched-${index}`);
  const path = '/api/v1/namespaces/default/pods';
  await inParallel(names, PARALLEL, (name) => cluster.api.call('POST', path, boundPod(name, node.name)));
  const startedAt = new Date().toISOString();
  const status = {
    phase: 'Running',
    startTime: startedAt,
    podIP: '10.0.0.1',
    podIPs: [{ ip: '10.0.0.1' }],
    conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({ type, status: 'True' })),
    containerStatuses: [
      {
        name: 'web',
        image: 'nginx:1.27',
        imageID: '',
        ready: true,
        started: true,
        restartCount: 0,
        state: { running: { startedAt } },
      },
    ],
  };
  const began = performance.now();
  await inParallel(names, PARALLEL, (name) => cluster.api.call('PATCH', `${path}/${name}/status`, { status }));
  const perSecond = (count / (performance.now() - began)) * 1_000;
  const atOnce = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 };
  await inParallel(names, PARALLEL, (name) => cluster.api.ask('DELETE', `${path}/${name}`, atOnce));
  await node.remove();
  return perSecond;
}
