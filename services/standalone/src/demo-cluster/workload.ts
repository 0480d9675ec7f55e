import { Loop, type Clock, type Random } from '#libs/runtime';
import { ENDINGS, quantile, SECONDS_BETWEEN_ARRIVALS, SECONDS_OF_LIFE, SHAPES, weighted } from './figures.ts';
import type { KubernetesObject } from './resources.ts';

/** How much faster than the trace the demo lives: a median life of nine minutes takes nine seconds. */
const SPEED = 60;
/** Arrivals come faster still, as in a busy hour: there should always be something to see. */
const ARRIVAL_SPEED = 240;
/** Pods that may be there at once; a burst waits at this mark. */
const MOST_PODS = 80;
/** The trace is bursty; the demo begins with a burst, so that there is something to see at once. */
const FIRST_BURST = 12;
/** Finished pods stay to be looked at. */
const KEEP_FINISHED_MS = 45_000;

/** The demo's users: they create pods, let them run, and delete them. They only talk to the API, as people do. */
interface PodApi {
  list(): readonly KubernetesObject[];
  create(pod: unknown): Promise<void>;
  delete(namespace: string, name: string): Promise<void>;
}

const TEAMS = ['checkout', 'search', 'reports'] as const;

export class Workload {
  private readonly loop: Loop;
  private readonly api: PodApi;
  private readonly clock: Clock;
  private readonly random: Random;
  private nextArrival: number;
  private count = 0;

  constructor(api: PodApi, clock: Clock, random: Random, onError: (error: unknown) => void) {
    this.api = api;
    this.clock = clock;
    this.random = random;
    this.nextArrival = clock.now();
    this.loop = new Loop({ name: 'demo-workload', clock, random, idleMs: 500, onError, step: () => this.step() });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async step(): Promise<'idle'> {
    const pods = this.api.list();
    const now = this.clock.now();
    for (const pod of pods)
      if (isOver(pod, now)) await this.api.delete(pod.metadata.namespace as string, pod.metadata.name);
    for (let live = pods.length; this.nextArrival <= now && live < MOST_PODS; live++) {
      await this.api.create(this.pod(now));
      if (this.count < FIRST_BURST) continue;
      this.nextArrival =
        Math.max(this.nextArrival, now - 2_000) +
        (quantile(SECONDS_BETWEEN_ARRIVALS, this.random.next()) * 1000) / ARRIVAL_SPEED;
    }
    return 'idle';
  }

  private pod(now: number): unknown {
    const { milliCpu, memoryMiB } = weighted(SHAPES, this.random.next());
    const { ending } = weighted(ENDINGS, this.random.next());
    const seconds = Math.max(2, Math.round(quantile(SECONDS_OF_LIFE, this.random.next()) / SPEED));
    const team = TEAMS[Math.floor(this.random.next() * TEAMS.length)] as string;
    this.count += 1;
    const command =
      ending === 'deleted'
        ? {}
        : { command: ['sh', '-c', ending === 'failed' ? `sleep ${seconds}; exit 1` : `sleep ${seconds}`] };
    return {
      metadata: {
        generateName: `${ending === 'deleted' ? 'web' : 'batch'}-`,
        namespace: team,
        labels: { 'alibabacloud.com/eci': 'true', team },
        annotations: ending === 'deleted' ? { 'demo/delete-at': new Date(now + seconds * 1000).toISOString() } : {},
      },
      spec: {
        restartPolicy: ending === 'deleted' ? 'Always' : 'Never',
        terminationGracePeriodSeconds: 5,
        containers: [
          {
            name: 'main',
            image: ending === 'deleted' ? 'nginx:1.29' : 'busybox:1.37',
            ...command,
            env: [{ name: 'RUN', value: String(this.count) }],
            resources: { requests: { cpu: `${milliCpu}m`, memory: `${memoryMiB}Mi` } },
          },
        ],
      },
    };
  }
}

function isOver(pod: KubernetesObject, now: number): boolean {
  if (pod.metadata.deletionTimestamp) return false;
  const deleteAt = pod.metadata.annotations?.['demo/delete-at'];
  if (deleteAt !== undefined && Date.parse(deleteAt) <= now) return true;
  const phase = pod.status?.['phase'];
  return (phase === 'Succeeded' || phase === 'Failed') && now - finishedAt(pod) > KEEP_FINISHED_MS;
}

function finishedAt(pod: KubernetesObject): number {
  const statuses = (pod.status?.['containerStatuses'] ?? []) as { state?: { terminated?: { finishedAt?: string } } }[];
  const times = statuses.map((s) => Date.parse(s.state?.terminated?.finishedAt ?? '')).filter((t) => !Number.isNaN(t));
  return Math.max(Date.parse(pod.metadata.creationTimestamp), ...times);
}
