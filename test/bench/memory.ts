import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '#libs/testing';
import { boundPod, inParallel, NODE, startAgent, startCluster } from './cluster.ts';
import { atMost, type Figure } from './figures.ts';
import { startRig, type Undo } from './rig.ts';

const PARALLEL = 16;
const LIMIT_MB = 150;
/** Young garbage and the first full collection are over by then. */
const SETTLE_MS = 30_000;

/** What an agent holds in memory with so many pods on its node, all Running and told about. Linux: resident memory is read from /proc. */
export async function memory(undo: Undo, pods: number, profile: string | undefined): Promise<readonly Figure[]> {
  const [rig, { cluster }] = await Promise.all([startRig(undo, profile), startCluster(undo)]);
  const simulator = await rig.simulator({ latencies: { factor: 0 }, buckets: 'unlimited', account: { maxCpu: 1e9 } });
  const { url } = await rig.controlPlane({ simulator });
  const { healthUrl } = await startAgent(rig, cluster, url);
  const pid = rig.processes['agent']!;
  await sleep(SETTLE_MS / 3);
  const without = residentMb(pid);

  const names = Array.from({ length: pods }, (_, index) => `held-${index}`);
  await inParallel(names, PARALLEL, (name) =>
    cluster.api.call('POST', '/api/v1/namespaces/default/pods', boundPod(name, NODE)),
  );
  const fieldSelector = `spec.nodeName=${NODE},status.phase=Running`;
  await eventually(
    async () => {
      const query = new URLSearchParams({ fieldSelector, limit: '1' });
      const { metadata, items } = await cluster.api.call('GET', `/api/v1/pods?${query}`);
      const running = (items.length as number) + Number(metadata.remainingItemCount ?? 0);
      // Servers count what is left only for lists without a selector; then all of them are asked for.
      const all = metadata.continue && metadata.remainingItemCount === undefined ? await count() : running;
      if (all < pods) throw new Error(`${all} of ${pods} are`);
      return true;
    },
    { what: 'all pods are Running', deadlineMs: 120_000 + pods * 300, everyMs: 2_000 },
  );
  async function count(): Promise<number> {
    const list = await cluster.api.call('GET', `/api/v1/pods?${new URLSearchParams({ fieldSelector })}`);
    return (list.items as unknown[]).length;
  }
  await toldAll(healthUrl);
  await sleep(SETTLE_MS);
  const report = (await (await fetch(`${healthUrl}/healthz`)).json()) as { pods: number };
  if (report.pods < pods) throw new Error(`the agent knows ${report.pods} of ${pods} pods`);
  const after = residentMb(pid);
  const metrics = await (await fetch(`${healthUrl}/metrics`)).text();
  const metric = (name: string): string =>
    megabytesOf(Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]) / 1024 / 1024);
  return [
    { what: 'agent without pods', value: megabytes(without) },
    {
      what: `agent with ${pods} pods`,
      value: megabytes(after.now),
      aim: atMost(LIMIT_MB, after.now, megabytesOf),
    },
    {
      what: 'of it JavaScript: in use, reserved; outside of it',
      value: `${metric('nodejs_heap_size_used_bytes')}, ${metric('nodejs_heap_size_total_bytes')}; ${metric('nodejs_external_memory_bytes')}`,
    },
    { what: 'of it files of the program', value: megabytesOf(after.files) },
    { what: 'its highest on the way', value: megabytesOf(after.peak) },
    { what: 'a pod more', value: `${(((after.now - without.now) * 1024) / pods).toFixed(1)} KB` },
  ];
}

/** The Kubernetes Events of so many pods take minutes at their pace; before they are out, the agent is not at rest. */
async function toldAll(healthUrl: string): Promise<void> {
  let before = -1;
  await eventually(
    async () => {
      const metrics = await (await fetch(`${healthUrl}/metrics`)).text();
      const counts = metrics.matchAll(
        /^eci_fleet_agent_api_request_seconds_count\{verb="POST",resource="events".*\} (\d+)$/gm,
      );
      const told = [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
      const same = told === before;
      before = told;
      if (!same) throw new Error(`${told} so far`);
      return true;
    },
    { what: 'all events are written', deadlineMs: 600_000, everyMs: 5_000 },
  );
}

interface Resident {
  readonly now: number;
  readonly peak: number;
  readonly files: number;
}

function residentMb(pid: number): Resident {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  return { now: megabytes('VmRSS'), peak: megabytes('VmHWM'), files: megabytes('RssFile') };
}

const megabytesOf = (value: number): string => `${value.toFixed(0)} MB`;
const megabytes = (value: Resident | number): string => megabytesOf(typeof value === 'number' ? value : value.now);
