/** The loops of the control plane on a real PostgreSQL, the in-process log and the real simulator; nothing else of the control plane runs. */
import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import pg from 'pg';
import { inventoryKey, intentKey, topics, type IntentBody, type RunPod, type SealedRunPod } from '#libs/contracts';
import {
  DEFAULT_MASS_DELETE_LIMITS,
  fold,
  streamIdOf,
  type ContainerGroupState,
  type MassDeleteLimits,
} from '#libs/domain';
import { AlibabaEciClients, type AccessKey, type EciAccount, type EciClients } from '#libs/eci';
import { createPool, PostgresEventStore, type EventStore, type RecordedEvent } from '#libs/event-store';
import { InProcessLog, InProcessMessaging, sealEnvelope, type Messaging } from '#libs/messaging';
import { SystemClock } from '#libs/runtime';
import { createTestDatabase, eventually, type TestDatabase } from '#libs/testing';
import { domainEvent } from '../../services/control-plane/src/streams/stored-events.ts';
import type { OrphanPolicy } from '../../services/control-plane/src/orphans/variables.ts';
import { DEFAULT_CLUSTER_BUDGET, type ClusterBudget } from '../../services/control-plane/src/intake/cluster-budgets.ts';
import { EnvelopeKeys } from '../../services/control-plane/src/keys/envelope-keys.ts';
import { MasterKey } from '../../services/control-plane/src/keys/master-key.ts';
import { StreamVault } from '../../services/control-plane/src/keys/stream-vault.ts';
import { HidingEventStore } from '../../services/control-plane/src/streams/hiding-store.ts';
import type { TimerHandler } from '../../services/control-plane/src/timers/timer-loop.ts';
import { withPodSealed } from '../../services/agent/src/publish/seal-pod.ts';
import {
  DEMO_CREDENTIAL,
  startSimulator,
  type ScenarioInput,
  type Simulator,
} from '../../services/eci-simulator/src/simulator.ts';
import { ACCOUNT, CLUSTER, FLEET, REGION, V_SWITCHES } from './names.ts';
import { RunningLoops, type Tap } from './running-loops.ts';

/** Runs, but its day can be moved ahead together with the database's. */
class MovableClock extends SystemClock {
  ahead = 0;

  private readonly sleepers = new Set<() => void>();

  override now(): number {
    return super.now() + this.ahead;
  }

  override monotonic(): number {
    return super.monotonic() + this.ahead;
  }

  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const until = this.now() + ms;
    while (signal?.aborted !== true && this.now() < until) {
      const woken = new AbortController();
      const wake = (): void => woken.abort();
      this.sleepers.add(wake);
      await super.sleep(until - this.now(), signal ? AbortSignal.any([signal, woken.signal]) : woken.signal);
      this.sleepers.delete(wake);
    }
  }

  /** Lets sleepers look at the time. */
  wake(): void {
    for (const wake of [...this.sleepers]) wake();
  }
}

interface LedgerGroup {
  readonly containerGroupId: string;
  readonly status: string;
  readonly clientToken: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly zone?: string;
}

interface LedgerRequest {
  readonly action: string;
  readonly at: string;
  readonly clientToken: string | null;
  readonly outcome?: { readonly code: string | null; readonly executed: boolean };
}

/** Latencies of the cloud that a test can wait for. */
export const QUICK = {
  createMs: [2, 10],
  deleteMs: [2, 10],
  describeMs: [1, 5],
  schedulingMs: [20, 60],
  pullingMs: [20, 80],
  pullingCachedMs: [20, 80],
  terminatingMs: [20, 60],
  stopMs: 10,
  factor: 1,
} satisfies NonNullable<NonNullable<ScenarioInput['settings']>['latencies']>;

export class LoopsRig {
  /** Of the database, as its owner. */
  readonly url: string;
  readonly pool: Pool;
  readonly simulator: Simulator;
  readonly clock = new MovableClock();
  /** Where the account may be used; empty = anywhere. */
  regions: readonly string[] = [];
  /** Where the cloud is reached; default: the simulator. */
  endpoint: string | undefined;
  /** Whether loops that sleep wake when time is moved past the end of their sleep; else they sleep as long as they would anyway. */
  hurriesSleepers = false;
  /** When stops are held. */
  limits: MassDeleteLimits = DEFAULT_MASS_DELETE_LIMITS;
  budget: ClusterBudget = DEFAULT_CLUSTER_BUDGET;
  /** Whether intents come as from an agent that was told to seal pods. */
  sealsPods = true;
  orphanPolicy: OrphanPolicy = { kind: 'quarantine' };
  /** By name of the timer. */
  timerHandlers: Readonly<Record<string, TimerHandler>> = {};
  /** Where the account's key comes from; a test may take it away. */
  credential: () => Promise<AccessKey> = () => Promise.resolve(DEMO_CREDENTIAL);
  /** Where the account is read from; a test may break it. */
  account: () => Promise<EciAccount> = () => {
    this.settings ??= {
      id: ACCOUNT,
      credential: () => this.credential(),
      endpoint: this.endpoint ?? this.simulator.url,
      regions: this.regions,
    };
    return Promise.resolve(this.settings);
  };
  readonly messaging: Messaging;
  readonly log: InProcessLog;
  private readonly admin: Pool;
  /** 32 bytes, base64. */
  readonly masterKeyText = randomBytes(32).toString('base64');
  private readonly masterKey = new MasterKey(Buffer.from(this.masterKeyText, 'base64'));
  private readonly running = new Set<RunningLoops>();
  private readonly drop: () => Promise<void>;
  private sequence = 0;
  private settings: EciAccount | undefined;
  private readonly keys: EnvelopeKeys;

  private constructor(parts: { url: string; simulator: Simulator; drop: () => Promise<void> }) {
    this.url = parts.url;
    this.pool = createPool(parts.url, { max: 12 });
    this.admin = new pg.Pool({ connectionString: parts.url, max: 2 });
    this.admin.on('error', () => undefined);
    this.simulator = parts.simulator;
    this.drop = parts.drop;
    this.log = new InProcessLog(new SystemClock());
    this.messaging = new InProcessMessaging(this.log);
    this.keys = new EnvelopeKeys({ pool: this.pool, masterKey: this.masterKey, clock: this.clock });
  }

  /** `database`: one of today's schema, for those who break its server. */
  static async start(
    scenario: ScenarioInput = {},
    on: Promise<Pick<TestDatabase, 'url' | 'drop'>> = createTestDatabase(),
  ): Promise<LoopsRig> {
    const [database, simulator] = await Promise.all([
      on,
      startSimulator({
        scenario: {
          ...scenario,
          settings: { latencies: QUICK, buckets: 'unlimited', deleteOfGone: 'not-found', ...scenario.settings },
        },
      }),
    ]);
    const rig = new LoopsRig({ url: database.url, simulator, drop: () => database.drop() });
    await rig.admin.query(
      `insert into fleet.account (id, name, credential, source, created_at, updated_at) values ($1, $1, '{}', 'configuration', now(), now())`,
      [ACCOUNT],
    );
    const names = topics(FLEET);
    await rig.messaging.ensureTopics([
      { name: names.intents, partitions: 4 },
      { name: names.deadLetter, partitions: 1 },
    ]);
    await rig.addCluster(CLUSTER);
    return rig;
  }

  /** One more cluster, as after its join. */
  async addCluster(clusterId: string): Promise<void> {
    await this.admin.query(
      `insert into fleet.cluster (id, name, account_id, epoch, registered_at, joined_at) values ($1, $1, $2, 1, now(), now())`,
      [clusterId, ACCOUNT],
    );
    await this.messaging.ensureTopics([{ name: topics(FLEET).cluster(clusterId), partitions: 1, compacted: true }]);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.running].map((loops) => loops.stop()));
    await this.messaging.close();
    await this.simulator.stop();
    await Promise.all([this.pool.end(), this.admin.end()]);
    await this.drop();
  }

  /** Moves time ahead for the database and for the loops: leases and waits end sooner. */
  async hurry(ms: number): Promise<void> {
    this.clock.ahead += ms;
    await this.admin.query(`select es.set_clock_offset(make_interval(secs => $1 / 1000.0))`, [this.clock.ahead]);
    if (this.hurriesSleepers) this.clock.wake();
  }

  /** Keeps moving time ahead until the condition holds. */
  async hurryUntil<T>(condition: () => T | Promise<T>, what: string, stepMs = 30_000, deadlineMs = 30_000) {
    return eventually(
      async () => {
        const answer = await condition();
        if (!answer) await this.hurry(stepMs);
        return answer;
      },
      { what, deadlineMs, everyMs: 200 },
    );
  }

  /** Fresh objects, as after a start of the process. */
  start(tap?: Tap): RunningLoops {
    const loops = new RunningLoops(this, this.masterKey, tap);
    this.running.add(loops);
    return loops;
  }

  clients(): EciClients {
    return new AlibabaEciClients(async (id) => (id === ACCOUNT ? this.account() : undefined));
  }

  async send(body: IntentBody, sealed: unknown = {}, over: { clusterId?: string } = {}): Promise<void> {
    const clusterId = over.clusterId ?? CLUSTER;
    const [key] = ((await this.keys.forCluster(clusterId, 0)) ?? [])
      .filter(({ notBefore }) => Date.parse(notBefore) <= this.clock.now())
      .slice(-1);
    const messageKey =
      body.kind === 'Inventory'
        ? inventoryKey(clusterId)
        : intentKey(clusterId, body.kind === 'RunPod' ? body.pod.uid : body.uid);
    const halves = this.sealsPods ? withPodSealed({ body, sealed }) : { schemaVersion: 1 as const, body, sealed };
    const value = await sealEnvelope({
      clear: {
        schemaVersion: halves.schemaVersion,
        clusterId,
        agentEpoch: 1,
        sequence: ++this.sequence,
        sentAt: new Date().toISOString(),
        body: halves.body,
      },
      sealed: halves.sealed,
      messageKey,
      key: key!,
    });
    await this.messaging.publish(topics(FLEET).intents, [{ key: messageKey, value }]);
  }

  runPod(uid: string, over: PodOver = {}): Promise<void> {
    return this.send(runPodBody(uid, over), sealedHalf(over.sealed));
  }

  stopPod(uid: string, reason: 'Deleted' | 'ObjectGone' | 'Absent' = 'Deleted', disruption?: string): Promise<void> {
    return this.send({
      ...(disruption !== undefined && { disruption }),
      kind: 'StopPod',
      uid,
      namespace: 'default',
      name: `pod-${uid}`,
      reason,
      ...(reason === 'Deleted' && { deletionTimestamp: new Date().toISOString(), graceSeconds: 1 }),
    });
  }

  /** As it is stored. */
  stored(): PostgresEventStore {
    return new PostgresEventStore(this.pool);
  }

  /** Opened, as whoever decides has it. */
  store(inner: EventStore = this.stored()): EventStore {
    return new HidingEventStore({
      inner,
      vault: new StreamVault(this.masterKey, 'display-key'),
      hides: true,
      clock: this.clock,
    });
  }

  async events(uid: string, clusterId = CLUSTER): Promise<readonly RecordedEvent[]> {
    const id = streamIdOf(clusterId, uid);
    return (await this.store().loadMany([id])).get(id) ?? [];
  }

  async history(uid: string, clusterId = CLUSTER): Promise<readonly string[]> {
    return (await this.events(uid, clusterId)).map((event) => event.type);
  }

  async state(uid: string): Promise<ContainerGroupState> {
    return fold((await this.events(uid)).map(domainEvent));
  }

  async effects(): Promise<readonly { stream_id: string; kind: string; key: string }[]> {
    return (
      await this.pool.query<{ stream_id: string; kind: string; key: string }>(
        'select stream_id, kind, key from es.effect',
      )
    ).rows;
  }

  async groups(filter = ''): Promise<readonly LedgerGroup[]> {
    return (await this.simulator.control<{ groups: LedgerGroup[] }>('GET', `/ledger/groups?limit=5000${filter}`))
      .groups;
  }

  groupsOf(uid: string, filter = ''): Promise<readonly LedgerGroup[]> {
    return this.groups(`&tag.eci-fleet-pod-uid=${uid}${filter}`);
  }

  async requests(action: string): Promise<readonly LedgerRequest[]> {
    const path = `/ledger/requests?limit=5000&action=${action}`;
    return (await this.simulator.control<{ requests: LedgerRequest[] }>('GET', path)).requests;
  }

  /** What was said to the cluster so far. */
  async said(): Promise<readonly { key: string; value: Record<string, unknown> | null }[]> {
    const all: { key: string; value: Record<string, unknown> | null }[] = [];
    const consumer = await this.messaging.consume({
      topics: [topics(FLEET).cluster(CLUSTER)],
      group: 'looking',
      handle: (batch) => {
        for (const { key, value } of batch.messages) {
          all.push({ key, value: value && (JSON.parse(Buffer.from(value).toString()) as Record<string, unknown>) });
        }
        return Promise.resolve();
      },
    });
    await consumer.caughtUp();
    await consumer.stop();
    return all;
  }
}

export interface PodOver {
  readonly spec?: Record<string, unknown>;
  readonly container?: Record<string, unknown>;
  readonly metadata?: Record<string, unknown>;
  readonly phase?: RunPod['pod']['phase'];
  readonly resolved?: Partial<RunPod['resolved']>;
  readonly sealed?: Partial<SealedRunPod>;
}

export function runPodBody(uid: string, over: PodOver = {}): RunPod {
  return {
    kind: 'RunPod',
    pod: {
      uid,
      namespace: 'default',
      name: `pod-${uid}`,
      resourceVersion: '1',
      phase: over.phase ?? 'Pending',
      metadata: { uid, name: `pod-${uid}`, namespace: 'default', labels: {}, annotations: {}, ...over.metadata },
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'main', image: 'nginx:1.27', resources: {}, ...over.container }],
        ...over.spec,
      },
    },
    resolved: {
      profileRevision: 'p1',
      profile: { region: REGION, vSwitchIds: V_SWITCHES, securityGroupId: 'sg-demo', enableClusterIp: true },
      serviceEnv: {},
      tokens: [],
      ...over.resolved,
    },
  };
}

export const sealedHalf = (over: Partial<SealedRunPod> = {}): SealedRunPod => ({
  env: {},
  annotations: {},
  configMaps: {},
  secrets: {},
  tokens: {},
  pullSecrets: [],
  ...over,
});
