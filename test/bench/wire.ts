import pg from 'pg';
import { eventually } from '#libs/testing';
import { boundPod, createsByPod, NODE, startAgent, startCluster } from './cluster.ts';
import { directCreates } from './direct-create.ts';
import { atMost, milliseconds, percentile, rate, ratio, type Figure } from './figures.ts';
import { ProcessorTime } from './processor-time.ts';
import { startRig, type Undo } from './rig.ts';

const PODS_A_SECOND = 20;
const WARM_UP = 60;
const DIRECT = 30;

/**
 * What the fleet adds between a pod that is bound and the create request at the cloud: watch, token, sealing, Kafka, intake, quota, placement,
 * signature. The cloud answers as slowly as the real one is expected to, and grants 100 creates a second.
 */
export async function wire(undo: Undo, pods: number, profile: string | undefined): Promise<readonly Figure[]> {
  const [rig, { cluster, processes }] = await Promise.all([startRig(undo, profile), startCluster(undo)]);
  const simulator = await rig.simulator({
    latencies: { factor: 1 },
    buckets: { CreateContainerGroup: { ratePerSecond: 100, burst: 100 }, '*': null },
  });
  const { url } = await rig.controlPlane({ simulator, quota: { perMinute: 6_000, burst: 100 } });
  await startAgent(rig, cluster, url);
  const direct = await directCreates(simulator.endpoint, DIRECT);

  const time = new ProcessorTime({ ...processes, ...rig.processes });
  time.begin();
  const bound = new Map<string, number>();
  const posts: number[] = [];
  const requests: Promise<void>[] = [];
  const began = performance.now();
  for (let index = 0; index < WARM_UP + pods; index++) {
    const due = began + (index * 1_000) / PODS_A_SECOND;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    requests.push(
      (async () => {
        const sent = performance.now();
        const pod = await cluster.api.call('POST', '/api/v1/namespaces/default/pods', boundPod(`wire-${index}`, NODE));
        if (index < WARM_UP) return;
        // Nobody can know of the pod before the API server has it, which is at the latest when it answers.
        bound.set(pod.metadata.uid as string, Date.now());
        posts.push(performance.now() - sent);
      })(),
    );
  }
  await Promise.all(requests);
  const ms = performance.now() - began;
  const processors = time.end();
  const arrived = await eventually(
    async () => {
      const creates = await createsByPod(simulator);
      return [...bound.keys()].every((uid) => creates.has(uid)) && creates;
    },
    { what: 'a create came in for every pod', deadlineMs: 60_000, everyMs: 500 },
  );
  const added = [...bound].map(([uid, at]) => arrived.get(uid)! - at);
  const steps = await stepsOf(rig.databaseUrl);
  const leg = (from: (uid: string) => number | undefined, to: (uid: string) => number | undefined): string => {
    const took = [...bound.keys()].map((uid) => to(uid)! - from(uid)!);
    return `${milliseconds(percentile(took, 0.5))}, ${milliseconds(percentile(took, 0.99))}`;
  };
  const accepted = (uid: string): number | undefined => steps.get(`PodIntentAccepted ${uid}`);
  const chosen = (uid: string): number | undefined => steps.get(`PlacementChosen ${uid}`);
  const baseline = percentile(direct, 0.5);
  const p50 = percentile(added, 0.5);
  const p99 = percentile(added, 0.99);
  return [
    { what: `${pods} pods bound`, value: rate(((WARM_UP + pods) / ms) * 1_000, 'pods') },
    { what: 'bound → create on the wire, p50', value: milliseconds(p50), aim: atMost(60, p50, milliseconds) },
    { what: 'bound → create on the wire, p99', value: milliseconds(p99), aim: atMost(250, p99, milliseconds) },
    { what: 'bound → create on the wire, worst', value: milliseconds(percentile(added, 1)) },
    { what: '  bound → intake decides, p50 and p99', value: leg((uid) => bound.get(uid), accepted) },
    { what: '  intake decides → placement is chosen', value: leg(accepted, chosen) },
    { what: '  placement is chosen → create on the wire', value: leg(chosen, (uid) => arrived.get(uid)) },
    { what: 'baseline: one create by the bare SDK, p50', value: milliseconds(baseline) },
    { what: 'added p50, of the baseline', value: ratio(p50 / baseline) },
    { what: 'beside: the API server’s answer to the pod, p50', value: milliseconds(percentile(posts, 0.5)) },
    { what: 'processors', value: processors },
  ];
}

/** When decisions were made, epoch milliseconds, by `<type> <pod UID>`. */
async function stepsOf(databaseUrl: string): Promise<ReadonlyMap<string, number>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ step: string; at: string }>(
      `select type || ' ' || split_part(stream_id, ':', 3) as step, metadata ->> 'decidedAt' as at
         from es.event where type in ('PodIntentAccepted', 'PlacementChosen') order by position desc`,
    );
    return new Map(rows.map(({ step, at }) => [step, Date.parse(at)]));
  } finally {
    await client.end();
  }
}
