import { topics } from '#libs/contracts';
import { KafkaMessaging, type OutgoingMessage } from '#libs/messaging';
import { eventually, type EciSimulatorRig } from '#libs/testing';
import { speakAs, type Voice } from './agent-of-one-call.ts';
import { atMost, milliseconds, percentile, seconds, type Figure } from './figures.ts';
import { ProcessorTime } from './processor-time.ts';
import { residentBytes } from './resident-memory.ts';
import { startRig, type Undo } from './rig.ts';
import { sealedIntent } from './sealed-intents.ts';

const CLUSTERS = 10;
const CHANGES_A_SECOND = 16;
const CHANGING_FOR_S = 30;
/** Until the first change: the groups that change are made and seen to run meanwhile. */
const LEAD_S = 25;
const DESCRIBE_MS = 120;
/** As the control plane does it. */
const INVENTORY_EVERY_S = 300;
const WINDOW_S = 65;
const MEBI = 1_048_576;

/**
 * Many groups that live, a few of which change: how long until the cluster's topic says so, and what twice as many that do not change cost. All
 * groups are made by the ordinary path from intents in Kafka. What is measured lies between two inventories, which are what idle groups may cost.
 */
export async function live(undo: Undo, groups: number, profile: string | undefined): Promise<readonly Figure[]> {
  const rig = await startRig(undo, profile);
  const simulator = await rig.simulator({ latencies: { factor: 0 }, buckets: { '*': null }, account: { maxCpu: 1e9 } });
  const { url, process: controlPlane } = await rig.controlPlane({ simulator });
  const messaging = new KafkaMessaging({ brokers: rig.brokers, clientId: 'bench', security: { kind: 'plaintext' } });
  undo.add(() => messaging.close());
  const voices: Voice[] = [];
  for (let cluster = 0; cluster < CLUSTERS; cluster++) voices.push(await speakAs(url, `live-${cluster}`));

  const succeeded = new Map<string, number>();
  const running = new Set<string>();
  const consumer = await messaging.consume({
    topics: voices.map(({ clusterId }) => topics(rig.fleet).cluster(clusterId)),
    group: 'bench-live',
    handle: ({ messages }) => {
      const now = Date.now();
      for (const { key, value } of messages) {
        const status = value === null ? undefined : (JSON.parse(Buffer.from(value).toString()) as PodStatus).status;
        if (status?.phase === 'Running') running.add(key);
        if (status?.phase === 'Succeeded' && !succeeded.has(key)) succeeded.set(key, now);
      }
      return Promise.resolve();
    },
  });
  undo.add(() => consumer.stop());

  let sequence = 0;
  const make = async (count: number, sleep?: (index: number) => number): Promise<readonly string[]> => {
    const uids: string[] = [];
    const before = await latenciesOf(simulator, { factor: 0 });
    for (let from = 0; from < count; from += 100) {
      const batch = await Promise.all(
        Array.from({ length: Math.min(100, count - from) }, (_, index): Promise<OutgoingMessage> => {
          sequence += 1;
          const voice = voices[(from + index) % CLUSTERS]!;
          return sealedIntent(voice, sequence, sleep && { sleepSeconds: sleep(from + index) });
        }),
      );
      await messaging.publish(topics(rig.fleet).intents, batch);
      uids.push(...batch.map(({ key }) => key.slice(key.indexOf('/') + 1)));
    }
    await eventually(() => Promise.resolve(uids.every((uid) => running.has(uid))), {
      what: `${count} pods are Running for their clusters`,
      deadlineMs: 60_000 + count * 60,
      everyMs: 250,
    });
    await latenciesOf(simulator, before);
    return uids;
  };

  const figures: Figure[] = [];
  const costs: number[] = [];
  for (const idle of [groups, groups]) {
    const began = Date.now();
    await make(idle);
    const made = Date.now() - began;
    // Sweeps look back a minute: what was just made is not idle before.
    await new Promise((resolve) => setTimeout(resolve, WINDOW_S * 1_000));
    await betweenInventories(simulator);
    // Described as slowly as the real cloud does; creates take no time here.
    await latenciesOf(simulator, {
      factor: 1,
      describeMs: [DESCRIBE_MS, DESCRIBE_MS],
      createMs: [0, 0],
      schedulingMs: [0, 0],
      pullingMs: [0, 0],
    });
    const total = figures.length === 0 ? groups : 2 * groups;
    const changing = await make(CHANGES_A_SECOND * CHANGING_FOR_S, (index) => LEAD_S + index / CHANGES_A_SECOND);
    const calls = await callsOf(simulator);
    const time = new ProcessorTime({ ...rig.processes });
    time.begin();
    await eventually(() => Promise.resolve(changing.every((uid) => succeeded.has(uid))), {
      what: 'every change has reached its cluster',
      deadlineMs: (LEAD_S + CHANGING_FOR_S + 60) * 1_000,
      everyMs: 50,
    });
    const spent = time.spent();
    const took = await delaysOf(simulator, changing, succeeded);
    const ours = (spent.get('control-plane') ?? 0) + (spent.get('postgres') ?? 0);
    costs.push(ours);
    const p95 = percentile(took, 0.95);
    const after = await callsOf(simulator);
    const made2 = [...after].map(([action, count]) => `${action} ${count - (calls.get(action) ?? 0)}`);
    const memory = residentBytes(controlPlane.pid);
    figures.push(
      { what: `${total} live groups; the last ${idle} made in`, value: seconds(made) },
      {
        what: `  cloud change → pod status, p50, p95, worst of ${took.length}`,
        value: [0.5, 0.95, 1].map((share) => milliseconds(percentile(took, share))).join(', '),
        aim: atMost(3_000, p95, milliseconds),
      },
      { what: '  processor time of control plane and PostgreSQL', value: `${ours} ms` },
      { what: '  calls of the cloud meanwhile', value: made2.join(', ') },
      {
        what: '  resident memory of the control plane',
        value: `${Math.round(memory / MEBI)} MiB`,
        ...(total === groups && { aim: atMost(400, memory / MEBI, (value) => `${Math.round(value)} MiB`) }),
      },
    );
  }
  const more = costs[1]! / costs[0]! - 1;
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return [
    ...figures,
    { what: 'processor time that the doubling adds', value: percent(more), aim: atMost(0.05, more, percent) },
  ];
}

interface PodStatus {
  readonly status?: { readonly phase?: string };
}

/** Changes what is given; answers what it was. */
async function latenciesOf(
  simulator: EciSimulatorRig,
  change: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  const before = await simulator.control<{ latencies: Record<string, unknown> }>('GET', '/settings');
  await simulator.control('PATCH', '/settings', { latencies: change });
  return before.latencies;
}

interface Request {
  readonly at: string;
  readonly action: string;
  readonly parameters: Readonly<Record<string, string>>;
}

async function requestsOf(simulator: EciSimulatorRig, action: string): Promise<readonly Request[]> {
  const requests: Request[] = [];
  for (let after = '0'; ;) {
    const query = new URLSearchParams({ action, limit: '5000', after });
    const page = await simulator.control<{ requests: Request[]; next: string | null }>(
      'GET',
      `/ledger/requests?${query}`,
    );
    requests.push(...page.requests);
    if (page.next === null) return requests;
    after = page.next;
  }
}

const isInventory = ({ parameters }: Request): boolean => parameters['ContainerGroupIds'] === undefined;

async function callsOf(simulator: EciSimulatorRig): Promise<ReadonlyMap<string, number>> {
  const describes = await requestsOf(simulator, 'DescribeContainerGroups');
  const inventories = describes.filter(isInventory).length;
  return new Map([
    ['sweeps', (await requestsOf(simulator, 'DescribeContainerGroupStatus')).length],
    ['reads by id', describes.length - inventories],
    ['pages of inventories', inventories],
  ]);
}

/** Waits until no inventory is under way, and none will begin while we measure. */
async function betweenInventories(simulator: EciSimulatorRig): Promise<void> {
  const free = INVENTORY_EVERY_S - LEAD_S - CHANGING_FOR_S - 30;
  await eventually(
    async () => {
      const pages = (await requestsOf(simulator, 'DescribeContainerGroups')).filter(isInventory);
      const newest = (requests: readonly Request[]): number => Math.max(0, ...requests.map(({ at }) => Date.parse(at)));
      const began = newest(pages.filter(({ parameters }) => parameters['NextToken'] === undefined));
      const now = Date.now();
      return now - newest(pages) > 3_000 && now - began < free * 1_000;
    },
    { what: 'an inventory has ended', deadlineMs: 400_000, everyMs: 1_000 },
  );
}

/** From each group's end in the cloud to the status on the cluster's topic, milliseconds. */
async function delaysOf(
  simulator: EciSimulatorRig,
  uids: readonly string[],
  seen: ReadonlyMap<string, number>,
): Promise<readonly number[]> {
  const clock = await simulator.control<{ simulatedTime: string; realTime: string }>('GET', '/clock');
  const behind = Date.parse(clock.realTime) - Date.parse(clock.simulatedTime);
  const wanted = new Set(uids);
  const delays: number[] = [];
  for (let after = '0'; ;) {
    const query = new URLSearchParams({ status: 'Succeeded', limit: '5000', after });
    const page = await simulator.control<{
      groups: { tags: Record<string, string>; history: { status: string; at: string }[] }[];
      next: string | null;
    }>('GET', `/ledger/groups?${query}`);
    for (const { tags, history } of page.groups) {
      const uid = tags['eci-fleet-pod-uid'];
      const ended = history.find(({ status }) => status === 'Succeeded');
      if (uid !== undefined && wanted.has(uid) && ended) delays.push(seen.get(uid)! - Date.parse(ended.at) - behind);
    }
    if (page.next === null) return delays;
    after = page.next;
  }
}
