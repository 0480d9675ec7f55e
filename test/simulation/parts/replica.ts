import { topics } from '#libs/contracts';
import { parseStreamId } from '#libs/domain';
import {
  InMemoryCheckpoints,
  InMemoryEffectQueue,
  InMemoryEventStore,
  InvalidAppend,
  InMemoryGateQueue,
  InMemoryTimerQueue,
  type InMemoryDatabase,
} from '#libs/event-store';
import type { EciClients } from '#libs/eci';
import { AsideItems, type Logger } from '#libs/observability';
import type { Clock, Ids, Random } from '#libs/runtime';
import { effectsRole, type EffectsLoop } from '../../../services/control-plane/src/roles/effects-role.ts';
import { intakeRole } from '../../../services/control-plane/src/roles/intake-role.ts';
import type { ClusterSource, EnvelopeKeySource } from '../../../services/control-plane/src/intake/ports.ts';
import type { ClusterBudget } from '../../../services/control-plane/src/intake/cluster-budgets.ts';
import type { HeldStops, StopGuard } from '../../../services/control-plane/src/holds/ports.ts';
import type { MasterKey } from '../../../services/control-plane/src/keys/master-key.ts';
import { StreamVault } from '../../../services/control-plane/src/keys/stream-vault.ts';
import { observeRole, type ObserveLoop } from '../../../services/control-plane/src/roles/observe-role.ts';
import { OrphanStreams } from '../../../services/control-plane/src/orphans/orphan-streams.ts';
import { ClusterCommands } from '../../../services/control-plane/src/publish/cluster-commands.ts';
import { ClusterVoice } from '../../../services/control-plane/src/publish/cluster-voice.ts';
import { PodStatusPublisher } from '../../../services/control-plane/src/publish/pod-status.ts';
import type { KnownClusters } from '../../../services/control-plane/src/publish/ports.ts';
import { ProvenTopics, startProvenTopics } from '../../../services/control-plane/src/publish/proven-topics.ts';
import { publishRole } from '../../../services/control-plane/src/roles/publish-role.ts';
import { HidingEventStore } from '../../../services/control-plane/src/streams/hiding-store.ts';
import { StreamCommands } from '../../../services/control-plane/src/streams/stream-commands.ts';
import type { IdleSleep, Process } from '../engine/process.ts';
import type { Scheduler } from '../engine/scheduler.ts';
import type { SimulatedMessaging } from './messaging.ts';
import { noMetrics } from './no-metrics.ts';
import type {
  CasesOfStreams,
  DeferralTable,
  InventoryTables,
  OrphanTable,
  QuarantineTable,
  ScopeTable,
  StatusKeyTable,
} from './tables.ts';

interface ReplicaParts {
  readonly fleet: string;
  readonly scheduler: Scheduler;
  readonly process: Process;
  readonly database: InMemoryDatabase;
  readonly messaging: SimulatedMessaging;
  readonly clients: EciClients;
  readonly masterKey: MasterKey;
  readonly keys: EnvelopeKeySource;
  readonly clusters: ClusterSource & KnownClusters;
  readonly tables: {
    readonly quarantine: QuarantineTable;
    readonly deferrals: DeferralTable;
    readonly inventories: InventoryTables;
    readonly scopes: ScopeTable;
    readonly orphans: OrphanTable;
    readonly guard: StopGuard;
    readonly held: HeldStops;
    readonly cases: CasesOfStreams;
    readonly statusKeys: StatusKeyTable;
  };
  /** Calls back at every append of any replica. */
  readonly onAppend: (listener: () => void) => void;
  /** An append was refused for its data, which no repeat can help. */
  readonly onBadData: (error: InvalidAppend) => void;
  /** No more faults will come. */
  readonly quiet: () => boolean;
  readonly cloudBell: IdleSleep['bell'];
  readonly idleBell: IdleSleep['bell'];
  /** What a cluster may send. */
  readonly budget: ClusterBudget;
  readonly quota: Readonly<Record<'create' | 'delete' | 'describe', { readonly rate: number; readonly burst: number }>>;
  /** A claim was confirmed for sending. */
  readonly onConfirm: (process: Process, streamId: string, kind: string, key: string) => void;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
}

/** Sleeps of loops that find nothing to do here: no orphan is removed by a policy, and no stop is held. */
const SELDOM = { holds: 60_000, 'orphan-policy': 60_000 };
/** Longest sleeps of loops that nothing wakes, milliseconds; the observer's lease ends after 10 s. */
const LONGEST = {
  effects: 5_000,
  gates: 10_000,
  timers: 60_000,
  observe: 6_000,
  publish: 4_000,
  statusKeys: 15_000,
  ...SELDOM,
};
/** Without faults nobody takes a lease over, so that its holder may sleep longer. */
const LONGEST_IN_QUIET = {
  effects: 30_000,
  gates: 30_000,
  timers: 60_000,
  observe: 9_000,
  publish: 30_000,
  statusKeys: 30_000,
  ...SELDOM,
};
/** Shortest sleeps of the same loops once they have nothing to do. */
const SHORTEST = { effects: 120, gates: 500, timers: 500, observe: 1_000, publish: 400, statusKeys: 5_000, ...SELDOM };

class WatchedStore extends InMemoryEventStore {
  private readonly onBadData: (error: InvalidAppend) => void;

  constructor(database: InMemoryDatabase, onBadData: (error: InvalidAppend) => void, jitter: () => number) {
    super(database, { jitter });
    this.onBadData = onBadData;
  }

  override append(...given: Parameters<InMemoryEventStore['append']>): ReturnType<InMemoryEventStore['append']> {
    return super.append(...given).catch((error: unknown) => {
      if (error instanceof InvalidAppend) this.onBadData(error);
      throw error;
    });
  }
}

/** One start of one replica of the control plane with all its roles, on ports of the simulation. Nothing in it outlives its process. */
export async function startReplica(parts: ReplicaParts): Promise<void> {
  const { fleet, process, database, messaging, clients, random, ids, logger, clusters, tables, scheduler } = parts;
  const metrics = noMetrics;
  const inner = new WatchedStore(database, parts.onBadData, () => random.next());
  const stored = process.port('store', inner, [
    'loadMany',
    'append',
    'readAll',
    'findByAlias',
    'readSealed',
    'readEventKeys',
    'forgetEventKeys',
    'inboxOffset',
    'beginInboxEpoch',
  ]);
  const displayVault = new StreamVault(parts.masterKey, 'display-key');
  const store = new HidingEventStore({ inner: stored, vault: displayVault, hides: true, clock: process.clock });
  const queue = process.port(
    'queue',
    new InMemoryEffectQueue(database),
    ['claim', 'dueLanes', 'nextDueAt', 'confirmClaims', 'release', 'configureLane', 'laneThrottled', 'laneAccepted'],
    (method, [rows]) => {
      if (method !== 'confirmClaims') return;
      for (const row of rows as { streamId: string; kind: string; key: string }[])
        parts.onConfirm(process, row.streamId, row.kind, row.key);
    },
  );
  const gates = process.port('gates', new InMemoryGateQueue(database), ['dueGates', 'peek', 'look', 'report']);
  const timers = process.port('timers', new InMemoryTimerQueue(database), ['claimDue', 'remove']);
  const checkpoints = process.port('checkpoints', new InMemoryCheckpoints(database), ['lease', 'leave']);
  const scopes = process.port('scopes', tables.scopes, ['ensure', 'all', 'hold', 'note', 'leave', 'knownGroups']);
  const orphans = process.port('orphans', tables.orphans, ['note', 'keepOnly']);
  const inventories = process.port('inventories', tables.inventories, [
    'keep',
    'last',
    'remember',
    'openStreams',
    'existing',
    'quarantined',
  ]);
  const quarantine = process.port('quarantine', tables.quarantine, ['add']);
  const deferrals = process.port('deferrals', tables.deferrals, ['defer', 'clusters', 'claim', 'release', 'settle']);

  const until = (at: number | undefined, most: number): number =>
    at === undefined ? most : Math.max(0, Math.min(most, at - database.tables.now()));
  const longest = (loop: keyof typeof LONGEST): number => (parts.quiet() ? LONGEST_IN_QUIET : LONGEST)[loop];
  const idle = (loop: keyof typeof LONGEST, nextAt: () => number | undefined, fromMs = 100) =>
    process.clockWith({
      bell: parts.idleBell,
      maxMs: () => until(nextAt(), longest(loop)),
      minMs: SHORTEST[loop],
      fromMs,
    });

  const streams = new StreamCommands({ store, clock: process.clock, ids });
  const vault = new StreamVault(parts.masterKey);
  const statusKeys = process.port('statusKeys', tables.statusKeys, [
    'signing',
    'due',
    'make',
    'beginFilling',
    'filled',
    'gaveUpFilling',
    'watchSpeakers',
    'unproven',
  ]);
  const voice = new ClusterVoice({ messaging, keys: statusKeys, fleet });
  const agents = new ClusterCommands({ voice, directory: clusters });
  const statuses = new PodStatusPublisher({
    store,
    voice,
    directory: clusters,
    aside: new AsideItems({ loop: 'statuses', clock: process.clock, logger, metrics }),
  });
  const wakeUps = {
    on: (listener: () => void) => {
      let coming = false;
      let listening = true;
      parts.onAppend(() => {
        if (!process.alive || coming || !listening) return;
        coming = true;
        scheduler.after(1 + Math.floor(random.next() * 150), () => {
          coming = false;
          process.deliver(listener);
        });
      });
      return () => (listening = false);
    },
  };
  const configured = new Set<string>();
  const configureLanes = async (accountId: string, region: string): Promise<void> => {
    const place = `${accountId}/${region}`;
    if (configured.has(place)) return;
    for (const action of ['create', 'delete', 'describe'] as const)
      await queue.configureLane(`${place}/${action}`, parts.quota[action]);
    configured.add(place);
  };

  const cloudPorts = {
    fleet,
    store,
    streams,
    orphanStreams: new OrphanStreams({ store, clock: process.clock, ids }),
    gates,
    clients,
    scopes,
    cases: process.port('orphans', tables.cases, ['open', 'overdue']),
    configureLanes,
    random,
    ids,
    logger,
    metrics,
  };
  const effectsPorts = {
    ...cloudPorts,
    queue,
    timers,
    timerHandlers: {},
    held: process.port('holds', tables.held, ['due', 'endIdle', 'counts']),
    vault,
    agents,
    wakeUps,
  };
  const clockOfEffects: Readonly<Record<EffectsLoop, Clock>> = {
    effects: idle('effects', () => nextEffect(database), 30),
    gates: idle('gates', () => nextGate(database)),
    holds: idle('holds', () => undefined),
    timers: idle('timers', () => nextTimer(database)),
  };
  const observePorts = { ...cloudPorts, orphans, owner: ids.uuid(), policy: { kind: 'quarantine' } as const };
  const clockOfObserve: Readonly<Record<ObserveLoop, Clock>> = {
    observe: process.clockWith({
      bell: parts.cloudBell,
      maxMs: () => longest('observe'),
      minMs: SHORTEST.observe,
    }),
    'orphan-policy': idle('orphan-policy', () => undefined),
  };
  const names = topics(fleet);
  const refill = async (clusterId: string): Promise<number> => {
    const streamIds = [...database.tables.streams.keys()].filter((id) => parseStreamId(id)?.clusterId === clusterId);
    await statuses.publish(streamIds);
    return streamIds.length;
  };
  const provenTopics = new ProvenTopics({
    keys: statusKeys,
    refill: (id) => refill(id),
    clock: process.clock,
    random,
    logger,
    metrics,
  });
  const fleetTopics = [
    { name: names.intents, partitions: 4 },
    { name: names.events, partitions: 1 },
    { name: names.deadLetter, partitions: 1 },
  ];
  await messaging.ensureTopics(fleetTopics);
  await intakeRole({
    fleet,
    messaging,
    store,
    streams,
    vault,
    keys: parts.keys,
    clusters,
    agents,
    statuses,
    quarantine,
    inventories,
    budget: parts.budget,
    deferrals,
    guard: process.port('holds', tables.guard, ['admit', 'heldPods']),
    clock: process.clock,
    random,
    logger,
    metrics,
  });
  effectsRole((loop) => ({ ...effectsPorts, clock: clockOfEffects[loop] }));
  observeRole((loop) => ({ ...observePorts, clock: clockOfObserve[loop] }));
  publishRole({
    fleet,
    store,
    stored,
    checkpoints,
    messaging,
    statuses,
    clusters,
    fleetTopics,
    topics: {
      prepare: async (id) => {
        await messaging.ensureTopics([{ name: names.cluster(id), partitions: 1, compacted: true }]);
      },
      fill: async (id) => void (await refill(id)),
    },
    appended: wakeUps,
    clock: idle('publish', () => undefined),
    random,
    ids,
    logger,
    metrics,
  });
  startProvenTopics({
    topics: provenTopics,
    keys: statusKeys,
    clock: idle('statusKeys', () => undefined),
    random,
    logger,
    metrics,
  });
}

function nextEffect(database: InMemoryDatabase): number | undefined {
  let next: number | undefined;
  for (const { runAt } of database.tables.effects.all()) if (next === undefined || runAt < next) next = runAt;
  // Rows that wait for tokens are due already: looking again every 40 ms would only cost time.
  return next === undefined ? undefined : Math.max(next, database.tables.now() + 150);
}

function nextGate(database: InMemoryDatabase): number | undefined {
  let next: number | undefined;
  for (const { gate } of database.tables.parked.values()) {
    const at = database.tables.gates.get(gate)?.nextProbeAt ?? database.tables.now();
    if (next === undefined || at < next) next = at;
  }
  return next;
}

function nextTimer(database: InMemoryDatabase): number | undefined {
  let next: number | undefined;
  for (const { runAt } of database.tables.timers.values()) if (next === undefined || runAt < next) next = runAt;
  return next;
}
