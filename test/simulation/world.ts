import { createHash } from 'node:crypto';
import { topics } from '#libs/contracts';
import { parseStreamId, streamIdOf } from '#libs/domain';
import { InMemoryDatabase, type RecordedEvent } from '#libs/event-store';
import type { EnvelopeKey, OutgoingMessage } from '#libs/messaging';
import { Clock, SeededIds, SeededRandom, type Random } from '#libs/runtime';
import { StreamVault, type StreamKey } from '../../services/control-plane/src/keys/stream-vault.ts';
import { openedEvent } from '../../services/control-plane/src/streams/hiding-store.ts';
import { MasterKey } from '../../services/control-plane/src/keys/master-key.ts';
import { Coverage } from './coverage.ts';
import { Bell } from './engine/bell.ts';
import { Process, type CallFate, type CallFaults } from './engine/process.ts';
import { Scheduler } from './engine/scheduler.ts';
import { Trace, TraceLogger } from './engine/trace.ts';
import { goesOn } from './oracles/goes-on.ts';
import {
  canBeRecorded,
  DenseStreams,
  hasItsEnd,
  HEARD_WITHIN_MS,
  isHeard,
  noSecret,
  OffsetsGrow,
  OneGroupEach,
  podOf,
  WithinQuota,
} from './oracles/on-the-way.ts';
import { SimulatedAgent } from './parts/agent.ts';
import { ApiServer, type Pod } from './parts/api-server.ts';
import { SimulatedCloud } from './parts/cloud.ts';
import { SimulatedEciClients } from './parts/eci-client.ts';
import { SimulatedLog } from './parts/log.ts';
import { SimulatedMessaging, type MessageFate } from './parts/messaging.ts';
import { startReplica } from './parts/replica.ts';
import {
  CasesOfStreams,
  DeferralTable,
  InventoryTables,
  NoHeldStops,
  OpenGuard,
  OrphanTable,
  QuarantineTable,
  ScopeTable,
  StatusKeyTable,
} from './parts/tables.ts';
import { ACCOUNT, podSpec, REGION, resolvePod, type PodPlan } from './parts/workload.ts';

export const FLEET = 'fleet';

/** Above what these clusters send by themselves, mostly. */
const BUDGET = { messagesPerSecond: 5, bytesPerSecond: 1_000_000 };
/** For so long a budget is saved up. */
const SAVED_UP_MS = 60_000;

/** After something was wrong, so long until what waits meanwhile is done and everybody reads again, milliseconds. */
const CALM_AFTER_MS = 20_000;

/** What fate the copies of a message meet: milliseconds until each is in the log. Undefined: no opinion. */
type MessageRule = (topic: string, message: OutgoingMessage) => readonly number[] | undefined;

interface WorldOptions {
  readonly seed: number;
  readonly clusters: readonly string[];
  readonly replicas: number;
  readonly pods: readonly PodPlan[];
  readonly quota: { readonly rate: number; readonly burst: number };
  readonly inventorySeconds: number;
  /** Open groups with our tag and without a stream, from the beginning. */
  readonly orphans: number;
  readonly keepTrace: boolean;
  /** Default: one or the other, by seed. */
  readonly deleteOfGone?: 'ok' | 'not-found';
}

/** A replica or an agent over its restarts. */
interface Member {
  process: Process;
  messaging: SimulatedMessaging;
  restartAfterMs: number;
  clockOffsetMs: number;
}

interface ReplicaMember extends Member {
  readonly index: number;
}

interface AgentMember extends Member {
  readonly clusterId: string;
  readonly api: ApiServer;
  epoch: number;
}

/** Everything of one run: replicas, agents, clusters, log, database, cloud; and the faults' handles on them. */
export class World {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly coverage = new Coverage();
  readonly log: SimulatedLog;
  readonly cloud: SimulatedCloud;
  readonly database: InMemoryDatabase;
  readonly quarantine: QuarantineTable;
  readonly deferrals: DeferralTable;
  readonly inventories: InventoryTables;
  readonly orphans: OrphanTable;
  readonly statusKeys: StatusKeyTable;
  readonly streams = new DenseStreams();
  readonly oneGroup = new OneGroupEach();
  private readonly offsets = new OffsetsGrow();
  /** Pods whose tombstone a fault has taken. */
  readonly lostTombstones = new Set<string>();
  /** Groups that a fault took out of the cloud. */
  readonly vanished = new Set<string>();
  /** Groups of nobody; they must be left alone. */
  readonly strangers = new Set<string>();
  /** The cloud forgot finished groups at once for a while. */
  forgets = false;
  databaseOffsetMs = 0;
  /** Partition and offset of what a noisy cluster put on the intents, `<partition>/<offset>`. */
  readonly noise = new Set<string>();
  /** How long clusters were noisy in all, milliseconds. */
  noiseMs = 0;
  /** When each cluster's own noise ends or ended. */
  private readonly noisyUntil = new Map<string, number>();
  private noisy: { readonly clusterId: string; readonly until: number } | undefined;
  private disturbedUntil = 0;
  /** No more faults: only time has to pass, and loops may look more rarely. */
  quiet = false;
  /** The first promise that was broken; the run ends with it. */
  broken: Error | undefined;
  private readonly options: WorldOptions;
  private readonly replicas: ReplicaMember[] = [];
  private readonly agents: AgentMember[] = [];
  private readonly plans = new Map<string, PodPlan>();
  private readonly rules = new Set<CallFaults>();
  private readonly messageRules = new Set<MessageRule>();
  private readonly appendListeners = new Map<Process, (() => void)[]>();
  private readonly confirmedAt = new Map<string, number>();
  private readonly effectOfToken = new Map<string, string>();
  private readonly tables;
  private readonly masterKey: MasterKey;
  private readonly displayKeys = new Map<string, StreamKey>();
  private readonly idleBell: Bell;
  private seen = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    const { seed } = options;
    this.scheduler = new Scheduler(this.random('order'));
    const { scheduler } = this;
    this.trace = new Trace(scheduler, options.keepTrace);
    const databaseClock = new (class extends Clock {
      override now = (): number => scheduler.now + world.databaseOffsetMs;
      override monotonic = (): number => scheduler.now;
      override sleep = (): Promise<void> => Promise.reject(new Error('the database does not sleep'));
    })();
    const world = this;
    this.database = new InMemoryDatabase({ clock: databaseClock });
    this.quarantine = new QuarantineTable(databaseClock);
    this.deferrals = new DeferralTable(databaseClock);
    this.inventories = new InventoryTables(this.database, this.quarantine);
    this.orphans = new OrphanTable(this.database);
    this.tables = {
      quarantine: this.quarantine,
      deferrals: this.deferrals,
      inventories: this.inventories,
      scopes: new ScopeTable(this.database),
      orphans: this.orphans,
      guard: new OpenGuard(),
      held: new NoHeldStops(),
      cases: new CasesOfStreams(this.database),
      statusKeys: (this.statusKeys = new StatusKeyTable({
        clock: databaseClock,
        random: this.random('status keys'),
        clusters: options.clusters,
      })),
    };
    this.log = new SimulatedLog(scheduler);
    this.idleBell = new Bell(scheduler);
    this.masterKey = new MasterKey(createHash('sha256').update(`master ${seed}`).digest());
    const { rate, burst } = options.quota;
    const quota = new WithinQuota({ CreateContainerGroup: { rate, burst }, DeleteContainerGroup: { rate, burst } });
    this.cloud = new SimulatedCloud({
      scheduler,
      random: this.random('cloud'),
      ids: new SeededIds(this.random('cloud ids')),
      watch: {
        onCall: (_account, action) => {
          this.coverage.hit(`call ${action}`);
          this.guard(() => quota.onCall(action, scheduler.now));
        },
        onCreate: (create) => {
          const { tags, containerGroupId } = create.group;
          this.trace.note(
            'cloud',
            `makes ${containerGroupId} for ${tags['eci-fleet-pod-uid']} attempt ${tags['eci-fleet-attempt']}${create.lateMs > 20_000 ? `, ${create.lateMs} ms late` : ''}`,
          );
          this.guard(() => this.oneGroup.onCreate(create, this.cloud.groups()));
        },
        onAnswer: (action, code, fault) => {
          if (code) this.coverage.hit(`answer ${code}`);
          if (code ?? fault)
            this.trace.note('cloud', `${action}: ${code ?? 'done'}${fault ? `, answer spoiled (${fault})` : ''}`);
          else this.trace.mark('cloud', action);
        },
      },
    });
    // Nobody knows what the real service answers to the delete of a group that is gone.
    this.cloud.core.change({ deleteOfGone: options.deleteOfGone ?? (seed % 2 === 0 ? 'ok' : 'not-found') });
    for (let i = 0; i < options.orphans; i++) this.strangers.add(this.cloud.makeStranger(ACCOUNT, REGION, FLEET, i));
    this.cloud.core.change({
      buckets: {
        '*': null,
        CreateContainerGroup: { ratePerSecond: rate, burst },
        DeleteContainerGroup: { ratePerSecond: rate, burst },
      },
    });
    for (const plan of options.pods) this.plans.set(plan.uid, plan);
  }

  /** A stream of chance of its own for each purpose, so that one more draw here changes nothing there. */
  random(purpose: string): Random {
    return new SeededRandom(createHash('sha256').update(`${this.options.seed} ${purpose}`).digest().readUInt32LE(0));
  }

  get replicaCount(): number {
    return this.replicas.length;
  }

  get agentCount(): number {
    return this.agents.length;
  }

  get pods(): ReadonlyMap<string, PodPlan> {
    return this.plans;
  }

  replica(index: number): ReplicaMember {
    return this.replicas[index] as ReplicaMember;
  }

  agent(index: number): AgentMember {
    return this.agents[index] as AgentMember;
  }

  get apis(): readonly ApiServer[] {
    return this.agents.map(({ api }) => api);
  }

  isReplica(process: Process): boolean {
    return process.name.startsWith('replica');
  }

  /** Runs a check, and ends the run when a promise is broken. */
  guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.broken ??= error as Error;
      this.trace.note('oracle', (error as Error).message);
    }
  }

  /** `<cluster>/<pod>` of streams that could be neither read nor written for a while. */
  readonly unreadable = new Set<string>();

  hit(fault: string): void {
    this.coverage.hit(`fault ${fault}`);
  }

  /** Something is wrong for so long that may keep anybody waiting. */
  disturbed(forMs: number): void {
    this.disturbedUntil = Math.max(this.disturbedUntil, this.scheduler.now + forMs);
  }

  private get calm(): boolean {
    return this.scheduler.now > this.disturbedUntil + CALM_AFTER_MS;
  }

  /** From now on the cluster's principal says more than its agent. */
  beginNoise(clusterId: string, forMs: number): void {
    this.noisy = { clusterId, until: this.scheduler.now + forMs };
    this.noisyUntil.set(clusterId, this.noisy.until);
    this.noiseMs += forMs;
  }

  /** One message of a noisy cluster, in the partition that it chose. */
  async makeNoise(partition: number, made: Promise<OutgoingMessage> | OutgoingMessage): Promise<void> {
    const { key, value, headers = {} } = await made;
    const log = this.log.topic(topics(FLEET).intents)?.partitions[partition];
    if (!log) return;
    this.noise.add(`${partition}/${log.end}`);
    log.append({ key, value, headers, timestamp: this.scheduler.now });
  }

  envelopeKeyOf(clusterId: string): EnvelopeKey {
    return { kid: KID, key: envelopeKey(this.options.seed, clusterId) };
  }

  /**
   * O12 is looked at when the first intent of a pod is on the log beside the noise of another cluster, and nothing else is wrong. A cluster that was
   * noisy itself may have spent its budget: then it waits for itself.
   */
  private listen(topic: string, key: string): void {
    const { noisy, scheduler } = this;
    if (!noisy || scheduler.now > noisy.until || topic !== topics(FLEET).intents || !this.calm) return;
    const [clusterId = '', uid = ''] = key.split('/');
    const streamId = streamIdOf(clusterId, uid);
    if (clusterId === noisy.clusterId || !parseStreamId(streamId) || uid === 'inventory') return;
    if (this.streams.states.has(streamId)) return;
    if (scheduler.now - (this.noisyUntil.get(clusterId) ?? -Infinity) < SAVED_UP_MS) return;
    scheduler.after(HEARD_WITHIN_MS, () => {
      if (!this.calm) return;
      this.coverage.hit('heard beside noise');
      this.guard(() => isHeard(streamId, this.streams.states, noisy.clusterId));
    });
  }

  /** A rule for calls of processes; it ends after `forMs`. */
  rule(forMs: number, rule: CallFaults): void {
    this.disturbed(forMs);
    this.ownRule(forMs, rule);
  }

  /** One about the caller's own messages alone, which must keep nobody else waiting. */
  ownRule(forMs: number, rule: CallFaults): void {
    this.rules.add(rule);
    this.scheduler.after(forMs, () => this.rules.delete(rule));
  }

  messageRule(forMs: number, rule: MessageRule): void {
    this.disturbed(forMs);
    this.messageRules.add(rule);
    this.scheduler.after(forMs, () => this.messageRules.delete(rule));
  }

  pause(process: Process, ms: number): void {
    if (!process.alive || process.paused) return;
    this.disturbed(ms);
    this.trace.note(process.name, `is stopped for ${ms} ms`);
    process.pause();
    const member = [...this.replicas, ...this.agents].find((each) => each.process === process);
    member?.messaging.silent();
    this.scheduler.after(ms, () => {
      this.trace.note(process.name, 'goes on');
      process.resume();
      if (process.alive) member?.messaging.back();
    });
  }

  makePod(plan: PodPlan): void {
    this.plans.set(plan.uid, plan);
    this.trace.note('user', `makes ${plan.uid} (${plan.kind}) in ${plan.clusterId}`);
    this.agents.find((agent) => agent.clusterId === plan.clusterId)?.api.create({ ...plan, ...podSpec(plan) });
  }

  deletePod(clusterId: string, uid: string, graceSeconds: number, force: boolean): void {
    const api = this.agents.find((agent) => agent.clusterId === clusterId)?.api;
    if (!api?.get(uid)) return;
    this.trace.note('user', `deletes ${uid}${force ? ' by force' : ''}`);
    if (force) api.remove(uid, 'user');
    else api.deleteGracefully(uid, graceSeconds);
  }

  start(): void {
    const { clusters, replicas, pods } = this.options;
    for (const clusterId of clusters) {
      const api = new ApiServer({
        clusterId,
        scheduler: this.scheduler,
        watch: {
          onRemoved: (_, pod, by) => {
            this.trace.note('api server', `${pod.metadata.uid} is gone, removed by ${by}`);
            if (by === 'agent')
              this.guard(() => {
                this.oneGroup.onRemoved(streamIdOf(clusterId, pod.metadata.uid), this.cloud.groups());
                hasItsEnd(pod);
              });
          },
          onStatus: (_, before, after) => this.onStatus(clusterId, before, after),
        },
      });
      const agent = { clusterId, api, epoch: 0, restartAfterMs: 1_000, clockOffsetMs: 0 } as unknown as AgentMember;
      this.agents.push(agent);
      this.startAgent(agent);
    }
    for (let index = 0; index < replicas; index++) {
      const replica = { index, restartAfterMs: 1_000, clockOffsetMs: 0 } as unknown as ReplicaMember;
      this.replicas.push(replica);
      this.startReplica(replica);
    }
    const apiOf = new Map(this.agents.map(({ clusterId, api }) => [clusterId, api]));
    for (const plan of pods) {
      const at = (ms: number | undefined, run: () => void): void => {
        if (ms !== undefined) this.scheduler.at(this.scheduler.startedAt + ms, run);
      };
      at(plan.createAtMs, () => this.makePod(plan));
      at(plan.changeAtMs, () => apiOf.get(plan.clusterId)?.changeImage(plan.uid, 'app:2'));
      at(plan.deleteAtMs, () => this.deletePod(plan.clusterId, plan.uid, plan.graceSeconds, plan.force));
    }
  }

  private startReplica(member: ReplicaMember): void {
    const { seed } = this.options;
    const name = `replica ${member.index + 1}`;
    const random = this.random(`${name} ${this.scheduler.now}`);
    this.newProcess(member, name, random, () => this.startReplica(member));
    const { process, messaging } = member;
    const { rate, burst } = this.options.quota;
    const keys = this.options.clusters;
    const live = keys.map((id) => ({ id, accountId: ACCOUNT, live: true }));
    void startReplica({
      fleet: FLEET,
      budget: BUDGET,
      scheduler: this.scheduler,
      process,
      database: this.database,
      messaging,
      clients: new SimulatedEciClients({
        cloud: this.cloud,
        process,
        accounts: [ACCOUNT],
        sentAt: (by, parameters) => this.meantAt(by, parameters),
      }),
      masterKey: this.masterKey,
      keys: { find: (clusterId, kid) => Promise.resolve(kid === KID ? envelopeKey(seed, clusterId) : undefined) },
      clusters: {
        find: (id) =>
          Promise.resolve(
            live
              .filter((each) => each.id === id)
              .map((each) => ({ ...each, epoch: this.agents.find((agent) => agent.clusterId === id)?.epoch ?? 0 }))[0],
          ),
        live: () => Promise.resolve(live),
        forget: () => undefined,
      },
      tables: this.tables,
      onAppend: (listener) => {
        const listeners = this.appendListeners.get(process) ?? [];
        listeners.push(listener);
        this.appendListeners.set(process, listeners);
      },
      onBadData: (error) => this.guard(() => canBeRecorded(error)),
      quiet: () => this.quiet,
      cloudBell: this.cloud.bell,
      idleBell: this.idleBell,
      quota: { create: { rate, burst }, delete: { rate, burst }, describe: { rate: 100, burst: 200 } },
      onConfirm: (by, streamId, kind, key) =>
        this.confirmedAt.set(`${by.name} ${streamId} ${kind} ${key}`, this.scheduler.now),
      random,
      ids: new SeededIds(random),
      logger: new TraceLogger(this.trace, name, (text) => this.guard(() => noSecret('a log', text))),
    }).catch((error: unknown) => {
      // It could not start: as an orchestrator would, try again.
      this.trace.note(name, `could not start: ${String(error)}`);
      process.crash();
    });
  }

  private startAgent(member: AgentMember): void {
    const { clusterId, api } = member;
    const name = `agent ${clusterId}`;
    const random = this.random(`${name} ${this.scheduler.now}`);
    this.newProcess(member, name, random, () => this.startAgent(member));
    const { process, messaging } = member;
    member.epoch += 1;
    void new SimulatedAgent({
      fleet: FLEET,
      clusterId,
      scheduler: this.scheduler,
      process,
      messaging,
      api,
      resolver: (pod, now) => resolvePod(pod, this.plans.get(pod.metadata.uid), now),
      epoch: member.epoch,
      key: this.envelopeKeyOf(clusterId),
      proof: () => this.statusKeys.forAgent(clusterId),
      inventorySeconds: this.options.inventorySeconds,
      random,
      ids: new SeededIds(random),
      logger: new TraceLogger(this.trace, name, (text) => this.guard(() => noSecret('a log', text))),
    })
      .start()
      .catch((error: unknown) => {
        this.trace.note(name, `could not start: ${String(error)}`);
        process.crash();
      });
  }

  private newProcess(member: Member, name: string, random: Random, restart: () => void): void {
    this.trace.note(name, 'starts');
    member.process = new Process({
      name,
      scheduler: this.scheduler,
      random,
      faults: (process, call, args) => this.fateOf(process, call, args),
      onCrash: (process) => {
        this.trace.note(name, 'dies');
        this.disturbed(member.restartAfterMs);
        this.appendListeners.delete(process);
        member.messaging.silent();
        this.scheduler.after(member.restartAfterMs, restart);
      },
    });
    member.process.clockOffsetMs = member.clockOffsetMs;
    member.messaging = new SimulatedMessaging({
      log: this.log,
      process: member.process,
      random,
      faults: (_, topic, messages) => messages.map((message) => this.fateOfMessage(topic, message)),
    });
  }

  private fateOf(process: Process, call: string, args: readonly unknown[]): CallFate | undefined {
    this.trace.mark(process.name, call);
    for (const rule of this.rules) {
      const fate = rule(process, call, args);
      if (fate) {
        this.trace.note(process.name, `${call}: ${JSON.stringify(fate, replaceErrors)}`);
        return fate;
      }
      if (!process.alive) return undefined;
    }
    return undefined;
  }

  private fateOfMessage(topic: string, message: OutgoingMessage): MessageFate {
    this.guard(() => noSecret(`topic ${topic}`, message.value ?? ''));
    for (const rule of this.messageRules) {
      const copies = rule(topic, message);
      if (!copies) continue;
      this.trace.note(
        'log',
        `${topic} ${message.key}: ${copies.length === 0 ? 'lost' : `after ${copies.join(', ')} ms`}`,
      );
      return { message, copiesAfterMs: copies };
    }
    this.listen(topic, message.key);
    return { message, copiesAfterMs: [0] };
  }

  /** When the sender of a create last made sure that it might send it. */
  private meantAt(process: Process, parameters: ReadonlyMap<string, string>): number {
    const effect = this.effectOfToken.get(parameters.get('ClientToken') ?? '');
    const confirmedAt = effect === undefined ? undefined : this.confirmedAt.get(`${process.name} ${effect}`);
    return confirmedAt ?? this.scheduler.now;
  }

  private onStatus(clusterId: string, before: Pod, after: Pod): void {
    const [was, is] = [before.status?.phase, after.status?.phase];
    const { uid, deletionTimestamp } = after.metadata;
    if (was !== is) this.trace.note('api server', `${uid} ${was} → ${is}`);
    const groups = [...this.cloud.groups()].filter((group) => podOf(group) === streamIdOf(clusterId, uid));
    const asItWas = this.plans.get(uid)?.kind !== 'crash-loop' && groups.some(({ status }) => status === 'Running');
    this.guard(() => goesOn(before, after, !asItWas || deletionTimestamp !== undefined));
  }

  /** New events of whatever replica; called at each append. */
  readEvents(): void {
    const { log } = this.database;
    this.guard(() => this.offsets.look(this.database));
    if (this.seen === log.length) return;
    while (this.seen < log.length) {
      const event = log[this.seen++] as RecordedEvent;
      this.onEvent(event);
    }
    for (const listeners of this.appendListeners.values()) for (const listener of listeners) listener();
  }

  /** Events of a stream as those who decide have them. */
  eventsOf(streamId: string): readonly RecordedEvent[] {
    return this.database.events(streamId).map((event) => this.opened(event));
  }

  private opened(event: RecordedEvent): RecordedEvent {
    const { streamId } = event;
    let key = this.displayKeys.get(streamId);
    if (!key) {
      const wrapped = this.database.tables.eventKeys.get(streamId)?.key;
      if (!wrapped) return event;
      key = new StreamVault(this.masterKey, 'display-key').unlock(streamId, wrapped);
      this.displayKeys.set(streamId, key);
    }
    return openedEvent(event, key);
  }

  private onEvent(event: RecordedEvent): void {
    const { type, streamId, version, data } = event;
    this.coverage.hit(`event ${type}`);
    if (type === 'CreateRefused') this.coverage.hit(`refusal ${String(data['class'])}`);
    if (type === 'PlacementChosen')
      this.effectOfToken.set(String(data['clientToken']), `${streamId} Create ${String(data['attempt'])}`);
    this.trace.note('stream', `${streamId.slice('container_group:'.length)} ${version} ${type}${detail(type, data)}`);
    this.guard(() => this.streams.onEvent(this.opened(event)));
    this.guard(() => noSecret('an event', JSON.stringify(data)));
  }
}

const replaceErrors = (_: string, value: unknown): unknown => (value instanceof Error ? value.message : value);

/** Of every key under which an agent seals. */
const KID = 'k1';

const envelopeKey = (seed: number, clusterId: string): Uint8Array =>
  createHash('sha256').update(`envelope ${seed} ${clusterId}`).digest();

/** What makes a line of the trace worth reading. */
function detail(type: string, data: RecordedEvent['data']): string {
  const fields = ['attempt', 'containerGroupId', 'class', 'reason', 'status', 'evidence', 'by'];
  const said = fields.filter((field) => data[field] !== undefined).map((field) => `${field}=${String(data[field])}`);
  return said.length > 0 && type !== 'PodIntentAccepted' ? ` ${said.join(' ')}` : '';
}
