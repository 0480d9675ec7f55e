import pg from 'pg';
import { eventually } from '#libs/testing';
import { boundPod, createsByPod, NODE, startAgent, startCluster } from './cluster.ts';
import { directCreates } from './direct-create.ts';
import { atMost, milliseconds, percentile, ratio, type Figure } from './figures.ts';
import { ProcessorTime } from './processor-time.ts';
import { startRig, type Undo } from './rig.ts';

const PODS_A_SECOND = 20;
const WARM_UP = 60;
const DIRECT = 30;
/** The quota is a hundred a second; what may be saved up is more than the storm, whose pods are not to wait for it. */
const QUOTA = { perMinute: 6_000, burst: 400 };

interface Load {
  readonly name: string;
  readonly pods: number;
  /** Milliseconds from one pod to the next. */
  readonly everyMs: number;
}

/**
 * What the fleet adds between a pod that is bound and the create request at the cloud: watch, token, sealing, Kafka, intake, quota, placement,
 * signature. One pod at a time, at a steady rate, and a hundred at once. The cloud answers as slowly as the real one is expected to, and grants 100
 * creates a second.
 */
export async function wire(undo: Undo, pods: number, profile: string | undefined): Promise<readonly Figure[]> {
  const [rig, { cluster, processes }] = await Promise.all([startRig(undo, profile), startCluster(undo)]);
  const simulator = await rig.simulator({
    latencies: { factor: 1 },
    buckets: { CreateContainerGroup: { ratePerSecond: QUOTA.perMinute / 60, burst: QUOTA.burst }, '*': null },
  });
  const { url } = await rig.controlPlane({ simulator, quota: QUOTA });
  await startAgent(rig, cluster, url);
  const baseline = percentile(await directCreates(simulator.endpoint, DIRECT), 0.5);

  /** By pod UID, epoch milliseconds: nobody can know of a pod before the API server has it, which is at the latest when it answers. */
  const bind = async ({ name, pods: count, everyMs }: Load): Promise<ReadonlyMap<string, number>> => {
    const bound = new Map<string, number>();
    const requests: Promise<void>[] = [];
    const began = performance.now();
    for (let index = 0; index < count; index++) {
      const wait = began + index * everyMs - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      requests.push(
        (async () => {
          const body = boundPod(`${name}-${index}`, NODE);
          const pod = await cluster.api.call('POST', '/api/v1/namespaces/default/pods', body);
          bound.set(pod.metadata.uid as string, Date.now());
        })(),
      );
    }
    await Promise.all(requests);
    return bound;
  };
  const arrivalsOf = (bound: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, number>> =>
    eventually(
      async () => {
        const creates = await createsByPod(simulator);
        return [...bound.keys()].every((uid) => creates.has(uid)) && creates;
      },
      { what: 'a create came in for every pod', deadlineMs: 60_000, everyMs: 500 },
    );
  await arrivalsOf(await bind({ name: 'warm', pods: WARM_UP, everyMs: 1_000 / PODS_A_SECOND }));

  const steady: Load = { name: 'steady', pods, everyMs: 1_000 / PODS_A_SECOND };
  const loads: readonly (Load & { readonly title: string })[] = [
    { name: 'single', pods: Math.ceil(pods / 20), everyMs: 1_000, title: 'one at a time, 1 pod/s' },
    { ...steady, title: `steadily, ${PODS_A_SECOND} pods/s` },
    { name: 'storm', pods: 100, everyMs: 0, title: 'a storm, 100 pods at once' },
  ];
  const figures: Figure[] = [];
  for (const load of loads) {
    const time = new ProcessorTime({ ...processes, ...rig.processes });
    time.begin();
    const bound = await bind(load);
    const processors = time.end();
    const arrived = await arrivalsOf(bound);
    const steps = await stepsOf(rig.databaseUrl);
    const accepted = (uid: string): number => steps.get(`PodIntentAccepted ${uid}`)!;
    const chosen = (uid: string): number => steps.get(`PlacementChosen ${uid}`)!;
    const leg = (from: (uid: string) => number, to: (uid: string) => number): string => {
      const took = [...bound.keys()].map((uid) => to(uid) - from(uid));
      return [0.5, 0.99].map((share) => milliseconds(percentile(took, share))).join(', ');
    };
    const added = [...bound].map(([uid, at]) => arrived.get(uid)! - at);
    const [p50, p99] = [percentile(added, 0.5), percentile(added, 0.99)];
    figures.push(
      {
        what: `${load.title}: bound → create on the wire, p50`,
        value: milliseconds(p50),
        aim: atMost(60, p50, milliseconds),
      },
      { what: '  p99', value: milliseconds(p99), aim: atMost(250, p99, milliseconds) },
      { what: '  worst', value: milliseconds(percentile(added, 1)) },
      { what: '  bound → intake decides, p50 and p99', value: leg((uid) => bound.get(uid)!, accepted) },
      { what: '  intake decides → placement is chosen', value: leg(accepted, chosen) },
      { what: '  placement is chosen → create on the wire', value: leg(chosen, (uid) => arrived.get(uid)!) },
      { what: '  p50 of the baseline', value: ratio(p50 / baseline) },
      { what: '  processors', value: processors },
    );
  }
  return [...figures, { what: 'baseline: one create by the bare SDK, p50', value: milliseconds(baseline) }];
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
