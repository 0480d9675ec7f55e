import { podEventsOf, type PodEvent } from '#libs/kubernetes';
import { streamIdOf } from '#libs/domain';
import { domainEvent } from '../../services/control-plane/src/streams/stored-events.ts';
import type { Pod } from './parts/api-server.ts';
import { NO_IMAGE, type PodKind, type PodPlan } from './parts/workload.ts';
import { World } from './world.ts';

/** What one pod was seen as, over time. */
export interface Seen {
  readonly at: number;
  readonly pod: Pod;
}

const plan = (kind: PodKind, index: number): PodPlan => ({
  clusterId: 'k1',
  uid: `uid-${`${index}`.padStart(3, '0')}`,
  name: `pod-${index}`,
  kind,
  createAtMs: 5_000 + index * 20,
  graceSeconds: 1,
  force: false,
});

/** Pods of one kind each, watched for minutes of the virtual clock. */
export class Scene {
  readonly seen = new Map<string, Seen[]>();
  private readonly world: World;
  private readonly plans: readonly PodPlan[];

  constructor(kinds: readonly PodKind[]) {
    this.plans = kinds.map(plan);
    this.world = new World({
      seed: 1,
      clusters: ['k1'],
      replicas: 2,
      pods: this.plans,
      quota: { rate: 50, burst: 500 },
      inventorySeconds: 60,
      orphans: 0,
      keepTrace: false,
    });
    const { core } = this.world.cloud;
    core.change({
      latencies: {
        schedulingMs: [100, 200],
        pullingMs: [500, 1_000],
        pullingCachedMs: [500, 1_000],
        visibilityMs: [0, 0],
      },
    });
    core.behaviours.add({ id: 'no such image', match: { image: NO_IMAGE }, imagePullFails: true });
    this.world.start();
    this.world.apis[0]?.subscribe(
      ({ object }) => {
        const before = this.seen.get(object.metadata.uid) ?? [];
        this.seen.set(object.metadata.uid, [...before.slice(-200), { at: this.elapsed, pod: object }]);
      },
      () => undefined,
    );
  }

  get elapsed(): number {
    return this.world.scheduler.elapsed;
  }

  /** Calls of an action so far. */
  calls(action: string): number {
    return this.world.coverage.count(`call ${action}`);
  }

  /** From now on a call of a process is refused, so long. */
  refuse(call: string, forMs: number): void {
    const refusal = { refuse: Object.assign(new Error('Throttling'), { code: 'Throttling' }), delayMs: 10 };
    this.world.rule(forMs, (_, made) => (made === call ? refusal : undefined));
  }

  async minutes(count: number): Promise<void> {
    const { scheduler } = this.world;
    await scheduler.run(scheduler.now + count * 60_000, () => {
      this.world.readEvents();
      return this.world.broken !== undefined;
    });
    if (this.world.broken) throw this.world.broken;
  }

  /** What `kubectl describe` would tell of a pod. */
  events(index: number): readonly PodEvent[] {
    const stream = streamIdOf('k1', this.plans[index]!.uid);
    const events = this.world.eventsOf(stream);
    return podEventsOf(events.map((event) => ({ ...domainEvent(event), id: event.eventId })));
  }

  eventsInStream(index: number): number {
    const stream = streamIdOf('k1', this.plans[index]!.uid);
    return this.world.database.log.filter(({ streamId }) => streamId === stream).length;
  }

  of(index: number): readonly Seen[] {
    return this.seen.get(this.plans[index]!.uid) ?? [];
  }
}
