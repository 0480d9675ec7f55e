import { topics } from '#libs/contracts';
import { KafkaMessaging, type OutgoingMessage } from '#libs/messaging';
import { eventually, type EciSimulatorRig } from '#libs/testing';
import { speakAs } from './agent-of-one-call.ts';
import { atLeast, atMost, rate, ratio, seconds, type Figure } from './figures.ts';
import { ProcessorTime } from './processor-time.ts';
import { startRig, Undo } from './rig.ts';
import { sealedIntent } from './sealed-intents.ts';

const CLUSTERS = 50;
const REPLICAS = 2;

interface Shape {
  readonly name: string;
  readonly perMinute: number;
  readonly burst: number;
}

/** Buckets of CreateContainerGroup as the ECI docs publish them: the API quota page (and one edition of the limits page), the newest limits page. */
const SHAPES: readonly Shape[] = [
  { name: '1,000 a minute', perMinute: 1_000, burst: 1_000 },
  { name: '20 a second, burst 100', perMinute: 1_200, burst: 100 },
];

/**
 * All pods of fifty clusters at once, straight into Kafka, and what two replicas that share the account's quota make of it. The cloud grants each
 * published shape in turn, and answers as slowly as the real one is expected to.
 */
export async function storm(undo: Undo, pods: number, profile: string | undefined): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const shape of SHAPES) {
    const own = new Undo();
    undo.add(() => own.all());
    try {
      figures.push(...(await stormOf(own, shape, Math.ceil(pods / CLUSTERS), profile)));
    } finally {
      await own.all();
    }
  }
  return figures;
}

async function stormOf(
  undo: Undo,
  shape: Shape,
  podsEach: number,
  profile: string | undefined,
): Promise<readonly Figure[]> {
  const rig = await startRig(undo, profile);
  const perSecond = shape.perMinute / 60;
  const simulator = await rig.simulator({
    latencies: { factor: 1 },
    buckets: { CreateContainerGroup: { ratePerSecond: perSecond, burst: shape.burst }, '*': null },
    account: { maxCpu: 1_000_000 },
  });
  const quota = { perMinute: shape.perMinute, burst: shape.burst };
  const urls: string[] = [];
  for (let replica = 0; replica < REPLICAS; replica++) urls.push((await rig.controlPlane({ simulator, quota })).url);
  const messaging = new KafkaMessaging({
    brokers: rig.brokers,
    clientId: 'bench',
    security: { kind: 'plaintext' },
  });
  undo.add(() => messaging.close());
  const backlog = await backlogOf(urls[0]!, podsEach);

  const time = new ProcessorTime({ ...rig.processes });
  time.begin();
  const began = Date.now();
  for (let from = 0; from < backlog.length; from += 100) {
    await messaging.publish(topics(rig.fleet).intents, backlog.slice(from, from + 100));
  }
  const published = Date.now() - began;
  await eventually(async () => (await createdBy(simulator)) >= backlog.length, {
    what: `${backlog.length} groups were created`,
    deadlineMs: 120_000 + (backlog.length / perSecond) * 1_500,
    everyMs: 1_000,
  });
  const processors = time.end();

  const calls = await createCalls(simulator);
  const taken = calls.filter(({ ok }) => ok);
  const throttled = calls.length - taken.length;
  const first = taken[0]!.at;
  const ms = taken.at(-1)!.at - first;
  const granted = Math.min(shape.burst, taken.length) + (perSecond * ms) / 1_000;
  const used = taken.length / granted;
  // Every cluster still has work when half of all is done, if they were served alike.
  const fairness = jain(countBy(taken.slice(0, Math.floor(taken.length / 2)).map(({ cluster }) => cluster)));
  const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;
  const indent = (what: string): string => `  ${what}`;
  return [
    { what: `${CLUSTERS} clusters × ${podsEach} pods, ${shape.name}`, value: seconds(ms) },
    { what: indent('creates'), value: rate((taken.length / ms) * 1_000, 'creates') },
    { what: indent('of what the quota grants meanwhile'), value: percent(used), aim: atLeast(0.97, used, percent) },
    {
      what: indent('throttled calls'),
      value: `${throttled} of ${calls.length}, ${percent(throttled / calls.length)}`,
      aim: atMost(0.005, throttled / calls.length, percent),
    },
    {
      what: indent('Jain index of the clusters at half of it'),
      value: fairness.toFixed(3),
      aim: atLeast(0.95, fairness, (value) => value.toFixed(2)),
    },
    { what: indent('published after; first create after'), value: `${seconds(published)}; ${seconds(first - began)}` },
    { what: indent('groups for one pod, most'), value: ratio(Math.max(...countBy(taken.map(({ pod }) => pod)))) },
    { what: indent('processors'), value: processors },
  ];
}

/** Intents of all clusters by turns, as if every cluster began at the same moment. */
async function backlogOf(url: string, podsEach: number): Promise<readonly OutgoingMessage[]> {
  const voices = [];
  for (let cluster = 0; cluster < CLUSTERS; cluster++) voices.push(await speakAs(url, `storm-${cluster}`));
  const backlog: OutgoingMessage[] = [];
  for (let pod = 0; pod < podsEach; pod++) {
    backlog.push(...(await Promise.all(voices.map((voice) => sealedIntent(voice, pod + 1)))));
  }
  return backlog;
}

async function createdBy(simulator: EciSimulatorRig): Promise<number> {
  return (await simulator.control<{ total: number }>('GET', '/ledger/groups?limit=1')).total;
}

interface CreateCall {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly ok: boolean;
  readonly cluster: string;
  readonly pod: string;
}

/** Every call in the order of their coming; anything but an acceptance or a throttling is a fault of the bench. */
async function createCalls(simulator: EciSimulatorRig): Promise<readonly CreateCall[]> {
  const calls: CreateCall[] = [];
  for (let after = '0'; ;) {
    const query = new URLSearchParams({ action: 'CreateContainerGroup', limit: '5000', after });
    const page = await simulator.control<{
      requests: { at: string; parameters: Record<string, string>; outcome?: { code: string | null } }[];
      next: string | null;
    }>('GET', `/ledger/requests?${query}`);
    for (const { at, parameters, outcome } of page.requests) {
      const code = outcome?.code ?? null;
      if (code !== null && !/^Throttling/.test(code)) throw new Error(`a create was answered ${code}`);
      const tag = (key: string): string => {
        const name = Object.keys(parameters).find((it) => /^Tag\.\d+\.Key$/.test(it) && parameters[it] === key);
        return (name && parameters[name.replace(/Key$/, 'Value')]) ?? '';
      };
      const [cluster, pod] = [tag('eci-fleet-cluster'), tag('eci-fleet-pod-uid')];
      calls.push({ at: Date.parse(at), ok: code === null, cluster, pod });
    }
    if (page.next === null) return calls;
    after = page.next;
  }
}

function countBy(names: readonly string[]): readonly number[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts.values()];
}

/** 1: all have the same; 1/n: one has all. Those that have nothing count as well. */
function jain(counts: readonly number[]): number {
  const sum = counts.reduce((a, b) => a + b, 0);
  return sum ** 2 / (CLUSTERS * counts.reduce((a, b) => a + b ** 2, 0));
}
