import {
  PostgresEffectQueue,
  PostgresGateQueue,
  PostgresTimerQueue,
  type EffectQueue,
  type EventStore,
} from '#libs/event-store';
import type { EciClients } from '#libs/eci';
import { AsideItems, Metrics, silentLogger, type AsideItem } from '#libs/observability';
import { SystemIds, SystemRandom } from '#libs/runtime';
import { ClusterDirectory } from '../../services/control-plane/src/clusters/cluster-directory.ts';
import { effectsRole } from '../../services/control-plane/src/roles/effects-role.ts';
import { voiceOf } from '../../services/control-plane/spec/for-specs.ts';
import { PostgresHeldStops } from '../../services/control-plane/src/holds/postgres-held-stops.ts';
import { PostgresStopGuard } from '../../services/control-plane/src/holds/postgres-stop-guard.ts';
import { PostgresDeferrals } from '../../services/control-plane/src/intake/postgres-deferrals.ts';
import { PostgresInventories } from '../../services/control-plane/src/intake/postgres-inventories.ts';
import { intakeRole } from '../../services/control-plane/src/roles/intake-role.ts';
import { EnvelopeKeys } from '../../services/control-plane/src/keys/envelope-keys.ts';
import type { MasterKey } from '../../services/control-plane/src/keys/master-key.ts';
import { StreamVault } from '../../services/control-plane/src/keys/stream-vault.ts';
import { PostgresOrphans } from '../../services/control-plane/src/observe/postgres-orphans.ts';
import { OrphanStreams } from '../../services/control-plane/src/orphans/orphan-streams.ts';
import { PostgresOrphanCases } from '../../services/control-plane/src/orphans/postgres-orphan-cases.ts';
import { observeRole } from '../../services/control-plane/src/roles/observe-role.ts';
import { PostgresScopes } from '../../services/control-plane/src/observe/postgres-scopes.ts';
import { ClusterCommands } from '../../services/control-plane/src/publish/cluster-commands.ts';
import type { RunningRole } from '../../services/control-plane/src/running-role.ts';
import { PodStatusPublisher } from '../../services/control-plane/src/publish/pod-status.ts';
import { Quarantine } from '../../services/control-plane/src/quarantine/quarantine.ts';
import { StreamCommands } from '../../services/control-plane/src/streams/stream-commands.ts';
import type { LoopsRig } from './loops-rig.ts';
import { FLEET } from './names.ts';

/** May stand between the loops and each of their ports. `loop`: who calls; absent = several do. */
export type Tap = <T extends object>(port: T, name: string, loop?: string) => T;
const untouched: Tap = (port) => port;

/** One process of the control plane, as far as its loops go. */
export class RunningLoops {
  private readonly roles: RunningRole[] = [];
  private stopped: Promise<void> | undefined;
  readonly ready: Promise<void>;
  readonly metrics = new Metrics();

  constructor(rig: LoopsRig, masterKey: MasterKey, tap: Tap = untouched) {
    const { pool, clock } = rig;
    const random = new SystemRandom();
    const ids = new SystemIds();
    const { metrics } = this;
    const logger = silentLogger;
    const stored = rig.stored();
    const base = rig.store(stored);
    // Each loop its own, so that one of them can be disturbed alone.
    const storeOf = (loop: string): EventStore => tap(base, 'store', loop);
    const streamsOf = (loop: string): StreamCommands => new StreamCommands({ store: storeOf(loop), clock, ids });
    const queueOf = (loop: string): EffectQueue => tap<EffectQueue>(new PostgresEffectQueue(pool), 'queue', loop);
    const gatesOf = (loop: string) => tap(new PostgresGateQueue(pool), 'gates', loop);
    const inner = rig.clients();
    const clients: EciClients = { for: async (a, r) => tapped(await inner.for(a, r)) };
    const seen = new WeakMap<object, object>();
    const tapped = <T extends object>(client: T): T => {
      let known = seen.get(client);
      if (!known) seen.set(client, (known = tap(client, 'cloud')));
      return known as T;
    };
    const vault = new StreamVault(masterKey);
    const clusters = new ClusterDirectory({ pool, clock });
    const agentsOf = (loop: string): ClusterCommands =>
      new ClusterCommands({
        voice: voiceOf({ messaging: tap(rig.messaging, 'messaging', loop), pool, fleet: FLEET }),
        directory: clusters,
      });
    const statuses = new PodStatusPublisher({
      store: storeOf('statuses'),
      voice: voiceOf({ messaging: rig.messaging, pool, fleet: FLEET }),
      directory: clusters,
      aside: new AsideItems({ loop: 'statuses', clock, logger, metrics }),
    });
    const scopes = tap(new PostgresScopes({ pool, clock }), 'scopes');
    const cases = tap(new PostgresOrphanCases(pool), 'cases');
    const cloudPorts = (loop: string) => ({
      fleet: FLEET,
      store: storeOf(loop),
      streams: streamsOf(loop),
      orphanStreams: new OrphanStreams({ store: storeOf(loop), clock, ids }),
      gates: gatesOf(loop),
      clients,
      scopes,
      cases,
      clock,
      random,
      ids,
      logger,
      metrics,
    });
    const held = tap(new PostgresHeldStops({ pool, limits: rig.limits }), 'held');
    const effects = effectsRole((loop) => ({
      ...cloudPorts(loop),
      queue: queueOf(loop),
      timers: new PostgresTimerQueue(pool),
      timerHandlers: rig.timerHandlers,
      held,
      vault,
      agents: agentsOf(loop),
      wakeUps: stored.appended,
    }));
    const orphans = tap(new PostgresOrphans(pool), 'orphans');
    const owner = ids.uuid();
    const observe = observeRole((loop) => ({ ...cloudPorts(loop), orphans, owner, policy: rig.orphanPolicy }));
    this.roles.push(effects, observe);
    this.ready = intakeRole({
      fleet: FLEET,
      messaging: rig.messaging,
      store: storeOf('intake'),
      streams: streamsOf('intake'),
      vault,
      keys: new EnvelopeKeys({ pool, masterKey, clock }),
      clusters,
      agents: agentsOf('ask-again'),
      statuses,
      quarantine: new Quarantine({ pool, clock }),
      inventories: new PostgresInventories({ pool, clock }),
      budget: rig.budget,
      deferrals: new PostgresDeferrals({ pool, clock }),
      guard: tap(new PostgresStopGuard({ pool, limits: rig.limits, logger, metrics }), 'guard'),
      clock,
      random,
      logger,
      metrics,
    }).then((intake) => void this.roles.push(intake));
  }

  /** What makes the process unready. */
  trouble(): string | undefined {
    return this.roles.map((role) => role.trouble()).find((trouble) => trouble !== undefined);
  }

  setAside(): readonly AsideItem[] {
    return this.roles.flatMap((role) => role.setAside());
  }

  async stop(): Promise<void> {
    this.stopped ??= this.ready.then(
      async () => void (await Promise.allSettled(this.roles.map((role) => role.stop()))),
    );
    await this.stopped;
  }
}
