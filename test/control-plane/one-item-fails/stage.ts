import { commandKey, topics, type ClusterCommand } from '#libs/contracts';
import { lifeOf, streamIdOf } from '#libs/domain';
import { Metrics, silentLogger } from '#libs/observability';
import { SystemIds, SystemRandom } from '#libs/runtime';
import type { RunningRole } from '../../../services/control-plane/src/running-role.ts';
import { LoopsRig, runPodBody, sealedHalf, type PodOver } from '../loops-rig.ts';
import { CLUSTER, FLEET } from '../names.ts';
import { Poison } from '../poison.ts';
import { PLACES } from '../stranger.ts';
import type { Watched } from './scene.ts';

export const GOOD = 'good-pod';
export const BAD = 'bad-pod';
export const PODS = [BAD, GOOD];
/** A second cluster. */
export const OTHER = 'k2';
/** A place that is not where most pods run, and a pod for it. */
export const FAR = 'cn-beijing';
export const far: PodOver = { resolved: { profile: { region: FAR, ...PLACES[FAR]!, enableClusterIp: true } } };

/** A rig with a poison that is off, and hands to bring loops to their items; sleeps pass there as fast as time is moved. */
export class Stage {
  readonly rig: LoopsRig;
  readonly poison = new Poison();
  /** For what is started beside the loops that work on streams. */
  readonly base;
  private what: Watched | undefined;
  private readonly undo: (() => Promise<unknown>)[] = [];

  private constructor(rig: LoopsRig) {
    this.rig = rig;
    this.base = {
      pool: rig.pool,
      clock: rig.clock,
      random: new SystemRandom(),
      ids: new SystemIds(),
      logger: silentLogger,
      metrics: new Metrics(),
    };
  }

  static async open(): Promise<Stage> {
    const rig = await LoopsRig.start();
    rig.hurriesSleepers = true;
    return new Stage(rig);
  }

  async close(): Promise<void> {
    for (const step of this.undo.splice(0).reverse()) await step();
    await this.rig.stop();
  }

  onClose(step: () => Promise<unknown>): void {
    this.undo.push(step);
  }

  get watched(): Watched {
    if (!this.what) throw new Error('the scene has started no loop');
    return this.what;
  }

  /** Those that work on streams. */
  startLoops(): void {
    this.what = this.rig.start(this.poison.tap);
  }

  /** Of a role that is not started yet; answers what starts it. */
  role(start: (base: Stage['base']) => RunningRole | Promise<RunningRole>): () => Promise<void> {
    let role: RunningRole | undefined;
    this.what = {
      metrics: this.base.metrics,
      trouble: () => role?.trouble(),
      setAside: () => role?.setAside() ?? [],
    };
    return async () => {
      const started = await start(this.base);
      role = started;
      this.onClose(() => started.stop());
    };
  }

  runPods(uids: readonly string[] = PODS): Promise<unknown> {
    return Promise.all(uids.map((uid) => this.rig.runPod(uid)));
  }

  stopPods(): Promise<unknown> {
    return Promise.all(PODS.map((uid) => this.rig.stopPod(uid)));
  }

  is(...lives: readonly string[]): (uid: string) => Promise<boolean> {
    return async (uid) => lives.includes(lifeOf(await this.rig.state(uid)));
  }

  has(event: string): (uid: string) => Promise<boolean> {
    return async (uid) => (await this.rig.history(uid)).includes(event);
  }

  async allAre(lives: readonly string[], uids: readonly string[] = PODS): Promise<void> {
    for (const uid of uids)
      await this.rig.hurryUntil(() => this.is(...lives)(uid), `${uid} is ${lives.join(' or ')}`, 2_000);
  }

  async allRun(uids: readonly string[] = PODS): Promise<void> {
    await this.runPods(uids);
    await this.allAre(['running'], uids);
  }

  /** Streams as an intake leaves them, without anybody who works on them. */
  async accept(...streams: readonly (readonly [cluster: string, uid: string])[]): Promise<void> {
    await this.rig.store().append(
      streams.map(([cluster, uid]) => ({
        streamId: streamIdOf(cluster, uid),
        expected: 0,
        events: [
          {
            eventId: crypto.randomUUID(),
            type: 'StopRequested',
            schemaVersion: 1,
            data: { by: 'agent:spec', reason: 'Deleted', namespace: 'default', name: uid },
            metadata: { actor: 'agent:spec', decidedAt: new Date().toISOString() },
          },
        ],
      })),
    );
  }

  /** Pods whose tokens had expired when their agents sent them: nothing but an answer ends the questions. */
  async runWithOldTokens(...pods: readonly (readonly [cluster: string, uid: string])[]): Promise<void> {
    const at = (minutes: number): string => new Date(this.rig.clock.now() + minutes * 60_000).toISOString();
    const tokens = [{ path: 'api/token', issuedAt: at(-90), expiresAt: at(-30) }];
    for (const [clusterId, uid] of pods)
      await this.rig.send(runPodBody(uid, { resolved: { tokens } }), sealedHalf({ tokens: { 'api/token': 'old' } }), {
        clusterId,
      });
  }

  /** What the log holds for a cluster by now, by key. */
  async toldTo(cluster: string): Promise<ReadonlyMap<string, Record<string, unknown>>> {
    const told = new Map<string, Record<string, unknown>>();
    const stop = await this.listen(cluster, (key, value) => told.set(key, value));
    await stop();
    return told;
  }

  /** UIDs that clusters are asked about from now on by commands of a name. */
  async askedOf(clusters: readonly string[], name: ClusterCommand['name']): Promise<Set<string>> {
    const asked = new Set<string>();
    for (const cluster of clusters) {
      const stop = await this.listen(cluster, (key, value) => {
        if (key === commandKey(name)) for (const uid of value['uids'] as string[]) asked.add(uid);
      });
      this.onClose(stop);
    }
    return asked;
  }

  /** From the beginning of its topic; resolves when its end is reached, and returns how to stop. */
  private async listen(
    cluster: string,
    hear: (key: string, value: Record<string, unknown>) => void,
  ): Promise<() => Promise<void>> {
    const consumer = await this.rig.messaging.consume({
      topics: [topics(FLEET).cluster(cluster)],
      group: `listening-${crypto.randomUUID()}`,
      handle: ({ messages }) => {
        for (const { key, value } of messages)
          if (value) hear(key, JSON.parse(Buffer.from(value).toString()) as Record<string, unknown>);
        return Promise.resolve();
      },
    });
    await consumer.caughtUp();
    return () => consumer.stop();
  }
}

/** Whether one of its clusters was asked about a pod by the newest command of a name. */
export async function wasAsked(stage: Stage, name: ClusterCommand['name'], uid: string): Promise<boolean> {
  const command = (await stage.toldTo(CLUSTER)).get(commandKey(name));
  return (command?.['uids'] as string[] | undefined)?.includes(uid) ?? false;
}
