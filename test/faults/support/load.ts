import type { Random } from '#libs/runtime';
import type { FaultCluster, Made } from './cluster.ts';

interface LoadOptions {
  readonly clusters: readonly FaultCluster[];
  /** Pods made a second, over all clusters. */
  readonly perSecond: number;
  /** Share of the pods that somebody deletes again. Default 0.9, so that a long run does not pile up groups. */
  readonly deleted?: number;
  /** How long a pod is left alone before its delete, milliseconds: from, to. Default 0 to 15,000. */
  readonly livesMs?: readonly [number, number];
  readonly random: Random;
}

const LIVES_MS = [0, 15_000] as const;
const TICK_MS = 50;
/** Pods that wait are counted so often. */
const LOOK_MS = 1_000;
/** People wait for what they asked for: while more than so many seconds' worth of pods is Pending, nobody makes another one. */
const PATIENCE_SECONDS = 15;

/**
 * People at work: pods come at a steady rate, by turns in each cluster, and most are deleted again at any time of their lives. A machine that is too
 * slow for the rate makes it lower, not the backlog endless.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #working = new Set<Promise<unknown>>();
  #ticking: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  #waiting = 0;
  #failure: unknown;
  /** Pods made so far. */
  made = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  begin(): void {
    const { clusters, perSecond } = this.#options;
    let [last, due] = [performance.now(), 0];
    this.#ticking = setInterval(() => {
      const now = performance.now();
      if (this.#waiting <= PATIENCE_SECONDS * perSecond) due += ((now - last) / 1_000) * perSecond;
      last = now;
      while (this.made < Math.floor(due)) {
        const number = (this.made += 1);
        this.#track(this.#live(clusters[number % clusters.length]!, `load-${number}`));
      }
    }, TICK_MS);
    this.#looking = setInterval(() => this.#track(this.#look()), LOOK_MS);
  }

  /** No more pods and no more deletes; resolves when the last request was answered. Throws what an API server refused. */
  async end(): Promise<void> {
    clearInterval(this.#ticking);
    clearInterval(this.#looking);
    for (const timer of this.#timers) clearTimeout(timer);
    while (this.#working.size > 0) await Promise.all(this.#working);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #look(): Promise<void> {
    const pods = (await Promise.all(this.#options.clusters.map((cluster) => cluster.list()))).flat();
    this.#waiting = pods.filter(
      ({ metadata, status }) => metadata.deletionTimestamp === undefined && (status?.phase ?? 'Pending') === 'Pending',
    ).length;
  }

  async #live(cluster: FaultCluster, name: string): Promise<void> {
    const { random, deleted = 0.9, livesMs = LIVES_MS } = this.#options;
    const [pod] = (await cluster.run([name])) as [Made];
    if (random.next() >= deleted) return;
    const [from, to] = livesMs;
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        this.#track(cluster.remove([pod]));
      },
      from + random.next() * (to - from),
    );
    this.#timers.add(timer);
  }

  #track(work: Promise<unknown>): void {
    const tracked = work
      .catch((error: unknown) => (this.#failure ??= error))
      .finally(() => this.#working.delete(tracked));
    this.#working.add(tracked);
  }
}
