import {
  PostgresEffectQueue,
  PostgresEventStore,
  PostgresGateQueue,
  PostgresTimerQueue,
  type EventStore,
} from '#libs/event-store';
import type { EciClients } from '#libs/eci';
import { Metrics, silentLogger } from '#libs/observability';
import { SystemIds, SystemRandom } from '#libs/runtime';
import { ClusterDirectory } from '../../services/control-plane/src/clusters/cluster-directory.ts';
import { EffectWorker } from '../../services/control-plane/src/effects/effect-worker.ts';
import { HoldLoop } from '../../services/control-plane/src/holds/hold-loop.ts';
import { PostgresHeldStops } from '../../services/control-plane/src/holds/postgres-held-stops.ts';
import { PostgresStopGuard } from '../../services/control-plane/src/holds/postgres-stop-guard.ts';
import { GateLoop } from '../../services/control-plane/src/gates/gate-loop.ts';
import { Intake } from '../../services/control-plane/src/intake/intake.ts';
import { PostgresDeferrals } from '../../services/control-plane/src/intake/postgres-deferrals.ts';
import { PostgresInventories } from '../../services/control-plane/src/intake/postgres-inventories.ts';
import { EnvelopeKeys } from '../../services/control-plane/src/keys/envelope-keys.ts';
import type { MasterKey } from '../../services/control-plane/src/keys/master-key.ts';
import { StreamVault } from '../../services/control-plane/src/keys/stream-vault.ts';
import { Observer } from '../../services/control-plane/src/observe/observer.ts';
import { PostgresOrphans } from '../../services/control-plane/src/observe/postgres-orphans.ts';
import { OrphanPolicyLoop } from '../../services/control-plane/src/orphans/orphan-policy.ts';
import { OrphanStreams } from '../../services/control-plane/src/orphans/orphan-streams.ts';
import { OrphanWorker } from '../../services/control-plane/src/orphans/orphan-worker.ts';
import { PostgresOrphanCases } from '../../services/control-plane/src/orphans/postgres-orphan-cases.ts';
import { PostgresScopes } from '../../services/control-plane/src/observe/postgres-scopes.ts';
import { ClusterCommands } from '../../services/control-plane/src/publish/cluster-commands.ts';
import { PodStatusPublisher } from '../../services/control-plane/src/publish/pod-status.ts';
import { Quarantine } from '../../services/control-plane/src/quarantine/quarantine.ts';
import { StreamCommands } from '../../services/control-plane/src/streams/stream-commands.ts';
import { TimerLoop } from '../../services/control-plane/src/timers/timer-loop.ts';
import type { LoopsRig } from './loops-rig.ts';
import { FLEET } from './names.ts';

/** May stand between the loops and each of their ports. */
export type Tap = <T extends object>(port: T, name: string) => T;
const untouched: Tap = (port) => port;

/** One process of the control plane, as far as its loops go. */
export class RunningLoops {
  private readonly stops: (() => Promise<void>)[] = [];
  private stopped: Promise<void> | undefined;
  readonly ready: Promise<void>;

  constructor(rig: LoopsRig, masterKey: MasterKey, tap: Tap = untouched) {
    const { pool, clock } = rig;
    const random = new SystemRandom();
    const ids = new SystemIds();
    const metrics = new Metrics();
    const logger = silentLogger;
    const base = new PostgresEventStore(pool);
    const store = tap(base as EventStore, 'store');
    const queue = tap(new PostgresEffectQueue(pool), 'queue');
    const gates = tap(new PostgresGateQueue(pool), 'gates');
    const inner = rig.clients();
    const clients: EciClients = { for: async (a, r) => tapped(await inner.for(a, r)) };
    const seen = new WeakMap<object, object>();
    const tapped = <T extends object>(client: T): T => {
      let known = seen.get(client);
      if (!known) seen.set(client, (known = tap(client, 'cloud')));
      return known as T;
    };
    const streams = new StreamCommands({ store, clock, ids });
    const vault = new StreamVault(masterKey);
    const clusters = new ClusterDirectory({ pool, clock });
    const agents = new ClusterCommands({ messaging: rig.messaging, directory: clusters, fleet: FLEET });
    const scopes = tap(new PostgresScopes({ pool, clock }), 'scopes');
    const intake = new Intake({
      fleet: FLEET,
      messaging: rig.messaging,
      store,
      streams,
      vault,
      keys: new EnvelopeKeys({ pool, masterKey, clock }),
      clusters,
      agents,
      statuses: new PodStatusPublisher({ store, messaging: rig.messaging, directory: clusters, fleet: FLEET }),
      quarantine: new Quarantine({ pool, clock }),
      inventories: new PostgresInventories({ pool, clock }),
      budget: rig.budget,
      deferrals: new PostgresDeferrals({ pool, clock }),
      guard: tap(new PostgresStopGuard({ pool, limits: rig.limits, logger, metrics }), 'guard'),
      clock,
      logger,
      metrics,
    });
    const worker = new EffectWorker({
      fleet: FLEET,
      store,
      queue,
      gates,
      clients,
      streams,
      vault,
      scopes,
      agents,
      wakeUps: base.appended,
      clock,
      random,
      ids,
      logger,
      metrics,
    });
    const cases = tap(new PostgresOrphanCases(pool), 'cases');
    const orphanStreams = new OrphanStreams({ store, clock, ids });
    const orphanWorker = new OrphanWorker({
      fleet: FLEET,
      store,
      queue,
      cases,
      orphanStreams,
      clients,
      clock,
      random,
      ids,
      logger,
      metrics,
    });
    const policy = new OrphanPolicyLoop({
      policy: rig.orphanPolicy,
      cases,
      orphanStreams,
      clock,
      random,
      logger,
      metrics,
    });
    const observer = new Observer({
      fleet: FLEET,
      store,
      streams,
      clients,
      scopes,
      orphans: tap(new PostgresOrphans(pool), 'orphans'),
      cases,
      orphanStreams,
      gates,
      owner: ids.uuid(),
      clock,
      random,
      logger,
      metrics,
    });
    const gateLoop = new GateLoop({ gates, streams, clock, random, logger, metrics });
    const holds = new HoldLoop({
      held: tap(new PostgresHeldStops({ pool, limits: rig.limits }), 'held'),
      streams,
      clock,
      random,
      logger,
      metrics,
    });
    const timers = new TimerLoop({
      timers: new PostgresTimerQueue(pool),
      handlers: {},
      clock,
      random,
      logger,
      metrics,
    });
    this.stops.push(
      () => intake.stop(),
      ...[worker, orphanWorker, observer, policy, gateLoop, holds, timers].map((loop) => () => loop.stop()),
    );
    worker.start();
    observer.start();
    orphanWorker.start();
    policy.start();
    gateLoop.start();
    holds.start();
    timers.start();
    this.ready = intake.start();
  }

  async stop(): Promise<void> {
    this.stopped ??= this.ready.then(async () => void (await Promise.allSettled(this.stops.map((stop) => stop()))));
    await this.stopped;
  }
}
